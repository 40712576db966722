// The panel with the network's answer, or with what keeps it from answering.

import { Complaint, megabytes } from "../complaints";
import { makeClass, makeClasses, percent } from "../shared/classes";
import type { Answer } from "./messages";
import { Refused } from "./network";

const TOP_CLASSES = 5; // of a photo
const UNSURE = 0.5; // a likeliest class below it is not much of an answer
const MAX_CLASSES = 12; // that are all shown, in their own order

export const find = <T extends HTMLElement = HTMLElement>(id: string) =>
  document.getElementById(id) as T;

/** What the page is doing, or what came out; screen readers read it. */
export function say(text: string): void {
  find("state").textContent = text;
}

export function showProgress(loaded: number, total: number): void {
  Object.assign(find("progress"), { max: total, value: loaded });
  find("bytes").textContent = `${megabytes(loaded)} of ${megabytes(total)}`;
}

export function endLoading(): void {
  find("loading").hidden = true;
}

/** Take away what was said of the input before. */
export function clear(): void {
  find("problem").replaceChildren();
  find("classes").replaceChildren();
  for (const id of ["answer", "rest", "note"]) find(id).hidden = true;
}

/** Why there is no answer. */
export function showProblem(error: unknown): void {
  clear();
  say("");
  const title = document.createElement("h2");
  const lines: [string, string | undefined][] = [];
  if (error instanceof Complaint) {
    title.textContent = error.title;
    lines.push(["", error.message], ["What works: ", error.allowed?.join("; ")]);
  } else if (error instanceof Refused && error.fault.allowed) {
    const { detail, received, allowed } = error.fault;
    title.textContent = "This photo cannot be read";
    lines.push(["", detail], ["What came: ", received], ["What works: ", allowed]);
  } else {
    title.textContent = "The network does not run";
    lines.push(["", error instanceof Error ? error.message : String(error)]);
  }
  const paragraphs = lines
    .filter(([, text]) => text)
    .map(([start, text]) => {
      const [paragraph, strong] = ["p", "strong"].map((tag) => document.createElement(tag));
      strong!.textContent = start;
      paragraph!.append(...(start ? [strong!] : []), text!);
      return paragraph!;
    });
  find("problem").append(title, ...paragraphs);
}

/** The likeliest classes, or all where they are few. */
export function showClasses(names: string[], { outputs }: Answer): void {
  clear();
  if (names.length <= MAX_CLASSES) {
    const all = makeClasses(names);
    all.show(outputs);
    find("classes").append(...all.rows);
  } else {
    const best = [...outputs.keys()].sort((a, b) => outputs[b]! - outputs[a]!).slice(0, TOP_CLASSES);
    for (const number of best) {
      const { row, show } = makeClass(names[number]!);
      show(outputs[number]);
      find("classes").append(row);
    }
    find("classes").classList.add("ranked");
    const rest = Math.max(0, 1 - best.reduce((sum, number) => sum + outputs[number]!, 0));
    const others = (names.length - best.length).toLocaleString("en");
    find("rest").textContent = `The ${others} other classes share the remaining ${percent(rest)}.`;
    find("rest").hidden = false;
  }
}

/** The likeliest class in words. */
export function describeClass(names: string[], { outputs }: Answer): string {
  const best = outputs.indexOf(Math.max(...outputs));
  const found = `${names[best]}, ${percent(outputs[best]!)}`;
  return outputs[best]! < UNSURE
    ? `The network is not sure. Its likeliest class: ${found}`
    : `The network’s answer: ${found}`;
}

/** The one number that a network returns. */
export function showNumber(name: string, value: number): void {
  clear();
  find("value").textContent = value.toFixed(1);
  find("unit").textContent = name;
  find("answer").hidden = false;
}

/** What the network was given, as a grey picture. */
export function showSeen(values: Float32Array, side: number): void {
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  const grey = new Uint8ClampedArray(4 * side * side);
  values.forEach((value, at) => grey.set([255 * value, 255 * value, 255 * value, 255], 4 * at));
  canvas.getContext("2d")!.putImageData(new ImageData(grey, side, side), 0, 0);
  find<HTMLImageElement>("seen").src = canvas.toDataURL();
  find("caption").textContent =
    `What the network gets: your drawing, centred, in ${side} × ${side} pixels`;
  find("figure").hidden = false;
  find("answer").hidden = false;
}
