// The page that `export.browser` writes: a network that computes in the visitor's browser.

import { Network } from "./network";

const started = Network.start(
  (model) => (document.title = model.name),
  () => undefined,
);
const ready = started.then(() => undefined);

/** For scripts on this page, and for `export.browser.verify`. */
declare global {
  interface Window {
    network: {
      ready: Promise<void>;
      predict(input: Blob | number[]): Promise<number[]>;
      compute(values: Float32Array): Promise<number[]>;
    };
  }
}

window.network = {
  ready,
  async predict(input) {
    return (await (await started).predict(input)).outputs;
  },
  async compute(values) {
    return (await (await started).ask({ do: "tensor", values }))!.outputs;
  },
};

const status = document.querySelector("[role=status]")!;
ready.then(
  () => (status.textContent = "Ready."),
  (error: Error) => (status.textContent = error.message),
);
