// A paper to draw on.

import { describeBest } from "../shared/classes";
import { makePaper } from "../shared/paper";
import type { Kind } from "./kinds";
import { clear, find, say, showClasses, showSeen } from "./panel";
import { takePhotos } from "./photo";

const PAUSE_MS = 100; // after a stroke until the network is asked
const NOTHING = "Nothing is drawn yet.";

export const drawing: Kind = {
  state: NOTHING,
  install({ labels, shape }, ask, forget) {
    const side = Math.sqrt(shape.reduce((a, b) => a * b)); // of the network's picture, in pixels

    let waiting = 0; // the timer until the network is asked

    function stop(): void {
      clearTimeout(waiting);
      forget();
    }

    async function classify(picture: Blob): Promise<void> {
      const answer = await ask((predict) => predict(picture));
      if (!answer || answer === "outdated") return;
      const names = labels ?? answer.outputs.map((_, number) => String(number));
      showClasses(names, answer);
      say(describeBest(names, answer.outputs));
      const best = answer.outputs.indexOf(Math.max(...answer.outputs));
      find("value").textContent = names[best] ?? "";
      if (answer.tensor) showSeen(answer.tensor, side);
    }

    const paper = makePaper(find<HTMLCanvasElement>("paper"), {
      onStart: stop,
      onStroke() {
        stop();
        waiting = setTimeout(() => void classify(paper.photograph()), PAUSE_MS);
      },
      onClear() {
        stop();
        clear();
        say(NOTHING);
      },
      onPen: (isDown) => say(isDown ? "The pen is down." : "The pen is up."),
    });
    find("classes").classList.add("compact");
    find("clear").addEventListener("click", paper.clear);
    takePhotos(async (photo) => {
      paper.clear();
      say("Reading the photo …");
      // Of a photo that the browser cannot show, the worker says what is wrong with it.
      await createImageBitmap(photo).then(paper.show, () => undefined);
      await classify(photo);
    });
    paper.clear();
  },
};
