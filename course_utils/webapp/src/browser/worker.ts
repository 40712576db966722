// Does all the work of the page, so that the page itself stays smooth.

import { readPhoto } from "./decode";
import { fitDrawing, toMnist } from "./digits";
import type { Answer, Model, Packed, Reply, Task } from "./messages";
import { explain } from "./refusals";
import { startNetwork, type Network } from "./runtime";

let model: Model;
let network: Network;

self.onmessage = async ({ data: { id, task } }: MessageEvent<{ id: number; task: Task }>) => {
  try {
    reply({ id, answer: await perform(task) });
  } catch (error) {
    reply({ id, fault: explain(error) });
  }
};

function reply(message: Reply): void {
  self.postMessage(message);
}

async function perform(task: Task): Promise<Answer | null> {
  switch (task.do) {
    case "start":
      model = task.model;
      const [runtime, bytes] = await Promise.all([task.runtime, task.network].map(unpack));
      network = await startNetwork(runtime!, bytes!, model.shape);
      return null;
    case "tensor":
      return compute(task.values);
    case "photo":
      return compute(await readTensor(task.file));
    case "drawing":
      return compute(toMnist(await readPhoto(task.file, fitDrawing)));
  }
}

/** Red, green and blue of a photo, 0 to 255, in the size that the network takes. */
async function readTensor(file: Blob): Promise<Float32Array> {
  const [, height, width] = model.shape as [number, number, number];
  const { values } = await readPhoto(file, () => ({ width, height }));
  const tensor = new Float32Array((values.length / 4) * 3);
  for (let from = 0, to = 0; from < values.length; from += 4) {
    for (let channel = 0; channel < 3; channel++) tensor[to++] = values[from + channel]!;
  }
  return tensor;
}

async function compute(tensor: Float32Array): Promise<Answer> {
  const began = performance.now();
  let outputs = [...(await network(tensor))];
  const milliseconds = performance.now() - began;
  if (outputs.length === 1 && model.labels?.length === 2) outputs = [1 - outputs[0]!, outputs[0]!];
  return { outputs, milliseconds, ...(model.kind === "drawing" && { tensor }) };
}

async function unpack(file: Packed): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof file !== "string") return file;
  const bytes = Uint8Array.from(atob(file), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
