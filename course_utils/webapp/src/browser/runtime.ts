// LiteRT.js, started from bytes that the page has loaded already.

import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import ModuleFactory from "@litertjs/core/wasm/litert_wasm_compat_internal.js";

export type Network = (values: Float32Array) => Promise<Float32Array>;

/** A function from the values of one input tensor of `shape` to those of the output. */
export async function startNetwork(
  runtime: Uint8Array,
  network: Uint8Array,
  shape: number[],
): Promise<Network> {
  // LiteRT.js would load a script and the .wasm file beside it. Both are here already, so it finds
  // them where that script would have put them, and loads nothing.
  Object.assign(self, {
    ModuleFactory,
    Module: { wasmBinary: runtime },
    importScripts: () => undefined,
  });
  // It also looks for a GPU, which takes time and is not used.
  Object.defineProperty(navigator, "gpu", { value: undefined });
  quieten();
  await loadLiteRt("compat.js");
  const model = await loadAndCompile(network, { accelerator: "wasm" });
  return async (values) => {
    const input = new Tensor(values, shape);
    const outputs = await model.run(input);
    const answer = Float32Array.from(await outputs[0]!.data());
    for (const tensor of [input, ...outputs]) tensor.delete();
    return answer;
  };
}

/** The runtime reports each step of its start to the console; keep what is an error. */
function quieten(): void {
  const report = console.error.bind(console);
  console.log = console.info = console.warn = () => undefined;
  console.error = (...texts: unknown[]) => {
    if (!/^(INFO|WARNING)/.test(String(texts[0]))) report(...texts);
  };
}
