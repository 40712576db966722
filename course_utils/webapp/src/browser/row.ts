// A slider for each number of a row.

import { makeSlider } from "../shared/sliders";
import type { Kind } from "./kinds";
import { clear, describeClass, find, say, showClasses, showNumber } from "./panel";

const STATE = "The network’s answer";

export const row: Kind = {
  state: STATE,
  install({ fields, labels, output }, ask, forget) {
    const sliders = (fields ?? []).map((field) => makeSlider(field.name, field, field.value, true));
    const form = find("sliders");
    form.append(...sliders.map(({ row }) => row));
    form.addEventListener("submit", (event) => event.preventDefault());

    async function update(): Promise<void> {
      const values = sliders.map(({ read }) => read());
      const outside = sliders.filter(({ findFault }) => findFault()).map(({ name }) => name);
      if (values.some(Number.isNaN)) {
        forget();
        clear();
        say("A value is missing.");
        return;
      }
      const answer = await ask((predict) => predict(values));
      if (!answer || answer === "outdated") return;
      if (labels) showClasses(labels, answer);
      else showNumber(output ?? "", answer.outputs[0]!);
      say(labels ? describeClass(labels, answer) : STATE);
      find("note").textContent =
        `Outside what the network was trained on (${outside.join(", ")}), its answer can be far off.`;
      find("note").hidden = !outside.length;
    }

    find("panel").classList.add("low", "live");
    form.addEventListener("input", () => void update());
    void update();
  },
};
