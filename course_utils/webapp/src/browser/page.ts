// The page that `export.browser` writes: a network that computes in the visitor's browser.

import { drawing } from "./drawing";
import { readNotice } from "./files";
import type { Kind, Question } from "./kinds";
import type { Answer, Model } from "./messages";
import { findMissing } from "./missing";
import { Network } from "./network";
import { keepForOffline } from "./offline";
import { endLoading, find, say, showProblem, showProgress } from "./panel";
import { photo } from "./photo";
import { row } from "./row";

declare global {
  interface Window {
    /** For scripts on this page, and for `export.browser.verify`. */
    network: {
      ready: Promise<void>;
      predict(input: Blob | number[]): Promise<number[]>;
      compute(values: Float32Array): Promise<number[]>;
    };
  }
}

const KINDS: Record<Model["kind"], Kind> = { photo, drawing, row };
const LOADING = "The network is loading …";

const started = start();
const ready = started.then(() => undefined);

window.network = {
  ready,
  async predict(input) {
    return (await (await started).predict(input)).outputs;
  },
  async compute(values) {
    return (await (await started).ask({ do: "tensor", values }))!.outputs;
  },
};

async function start(): Promise<Network> {
  let loaded = 0;
  let total = 0;
  const network = await Network.start(
    (model) => {
      findMissing(model.kind);
      total = Object.values(model.files).reduce((sum, { bytes }) => sum + bytes, 0);
      prepare(model);
    },
    (bytes) => showProgress((loaded += bytes), total),
  );
  endLoading();
  if (find("state").textContent === LOADING) say(KINDS[network.model.kind].state);
  return network;
}

/** Show the input, which can be used while the network is still loading. */
function prepare(model: Model): void {
  document.title = model.name;
  find("name").textContent = model.name;
  find("main").prepend(find<HTMLTemplateElement>(model.kind).content.cloneNode(true));
  KINDS[model.kind].install(model, ask, forget);
  say(LOADING);
}

let questions = 0; // so far

async function ask(what: Question): Promise<Answer | undefined | "outdated"> {
  const turn = (questions += 1);
  try {
    const network = await started;
    const answer = await what((input) => network.predict(input));
    return turn === questions ? answer : "outdated";
  } catch (error) {
    if (turn !== questions) return "outdated";
    showProblem(error);
    return undefined;
  }
}

function forget(): void {
  questions += 1;
}

ready.then(keepForOffline, (error: unknown) => {
  endLoading();
  showProblem(error);
});

find("licences").addEventListener("toggle", async () => {
  find("notice").textContent ||= await readNotice();
});
