// A photo: chosen, taken, dropped or pasted.

import { accepted, checkPhoto, findFile } from "../complaints";
import type { Kind } from "./kinds";
import { clear, describeClass, find, say, showClasses, showProblem } from "./panel";

// As `images.reading` has them.
const LIMITS = { formats: ["JPEG", "PNG", "WebP", "GIF", "BMP"], max_bytes: 10_000_000 };

/** Call `use` with each photo that is chosen or taken. */
export function takePhotos(use: (photo: File) => Promise<void>): void {
  for (const input of document.querySelectorAll<HTMLInputElement>("input[type=file]")) {
    input.accept = accepted(LIMITS);
    input.addEventListener("change", () => {
      const file = input.files?.[0];
      input.value = ""; // so that the same file can be chosen again
      if (file) void use(file);
    });
  }
}

export const photo: Kind = {
  state: "Choose a photo.",
  install({ labels }, ask, forget) {
    const stage = find("stage");
    const shown = find<HTMLImageElement>("shown");
    let address = ""; // of the photo that is shown

    function show(file: File): void {
      URL.revokeObjectURL(address); // else the browser would keep the photo
      address = URL.createObjectURL(file);
      Object.assign(shown, { src: address, alt: `The photo: ${file.name || "your photo"}` });
      shown.hidden = false;
      find("hint").hidden = true;
    }

    function hide(): void {
      shown.hidden = true;
      find("hint").hidden = false;
    }

    shown.addEventListener("error", hide); // the browser cannot show it

    async function classify(file: File): Promise<void> {
      clear();
      stage.dataset.state = "working";
      say(`Classifying ${file.name || "your photo"} …`);
      show(file);
      const answer = await ask(async (predict) => {
        await checkPhoto(file, LIMITS);
        return predict(file);
      });
      if (answer === "outdated") return;
      stage.dataset.state = "result";
      if (answer) {
        const classes = labels ?? answer.outputs.map((_, number) => `class ${number}`);
        const names = classes.map((name) => name.replaceAll("_", " "));
        showClasses(names, answer);
        say(describeClass(names, answer));
      }
      find("panel").scrollIntoView({ block: "nearest" });
    }

    takePhotos(classify);

    function take(event: Event, data: DataTransfer | null): void {
      try {
        const file = data && findFile(data);
        if (!file) return;
        event.preventDefault();
        void classify(file);
      } catch (error) {
        forget();
        showProblem(error);
      }
    }

    function mark(isDragging: boolean): void {
      if (isDragging) stage.dataset.state = "dragging";
      else if (stage.dataset.state === "dragging") stage.dataset.state = shown.hidden ? "empty" : "result";
      find("drop-now").hidden = !isDragging;
    }

    addEventListener("paste", (event) => take(event, event.clipboardData));
    addEventListener("dragover", (event) => {
      event.preventDefault(); // else the browser would open what is dropped
      mark(true);
    });
    addEventListener("drop", (event) => {
      event.preventDefault();
      mark(false);
      take(event, event.dataTransfer);
    });
    addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) mark(false); // it left the window, not just an element
    });
  },
};
