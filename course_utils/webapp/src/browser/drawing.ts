// A paper to draw on.

import { describeBest } from "../shared/classes";
import { makePaper } from "../shared/paper";
import type { Kind } from "./kinds";
import { clear, find, say, showClasses, showSeen } from "./panel";

const NOTHING = "Nothing is drawn yet.";

export const drawing: Kind = {
  state: NOTHING,
  install({ labels, shape }, ask) {
    const names = labels ?? [];
    const side = Math.sqrt(shape.reduce((a, b) => a * b)); // of the network's picture, in pixels

    async function classify(): Promise<void> {
      const picture = paper.photograph();
      const answer = await ask((predict) => predict(picture));
      if (!answer || answer === "outdated") return;
      showClasses(names, answer);
      say(describeBest(names, answer.outputs));
      const best = answer.outputs.indexOf(Math.max(...answer.outputs));
      find("value").textContent = names[best] ?? "";
      if (answer.tensor) showSeen(answer.tensor, side);
    }

    const paper = makePaper(find<HTMLCanvasElement>("paper"), {
      onStart: () => undefined,
      onStroke: () => void classify(),
      onClear() {
        clear();
        say(NOTHING);
      },
      onPen: (isDown) => say(isDown ? "The pen is down." : "The pen is up."),
    });
    find("classes").classList.add("compact");
    find("clear").addEventListener("click", paper.clear);
    paper.clear();
  },
};
