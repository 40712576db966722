// The network, as the page and everybody who frames it asks it: all computing is in the worker.

import { loadFile, loadModel, startWorker } from "./files";
import type { Answer, Fault, Model, Reply, Task } from "./messages";

/** A file that is not taken; says why. */
export class Refused extends Error {
  constructor(readonly fault: Fault) {
    super([fault.detail, fault.received, fault.allowed].filter(Boolean).join(" "));
  }
}

export class Network {
  private waiting = new Map<number, (reply: Reply) => void>();
  private tasks = 0;

  private constructor(
    readonly model: Model,
    private readonly worker: Worker,
  ) {
    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      this.waiting.get(data.id)?.(data);
      this.waiting.delete(data.id);
    };
    worker.onerror = ({ message }) => {
      const detail = `worker.js does not run: ${message || "it is missing beside this page"}.`;
      for (const [id, resolve] of this.waiting) resolve({ id, fault: { detail } });
      this.waiting.clear();
    };
  }

  /** Load everything and start; `onBytes` hears how much of what is to come has come. */
  static async start(
    onModel: (model: Model) => void,
    onBytes: (bytes: number) => void,
  ): Promise<Network> {
    const model = await loadModel();
    onModel(model);
    const [worker, runtime, network] = await Promise.all([
      startWorker(model),
      loadFile("litert.wasm", model, onBytes),
      loadFile("model.tflite", model, onBytes),
    ]);
    const started = new Network(model, worker);
    await started.ask({ do: "start", runtime, network, model });
    return started;
  }

  async ask(task: Task): Promise<Answer | null> {
    const id = (this.tasks += 1);
    const reply = new Promise<Reply>((resolve) => this.waiting.set(id, resolve));
    // The network's files move there; copies would take memory.
    const moved = task.do === "start" ? [task.runtime, task.network] : [];
    const buffers = moved.flatMap((file) => (typeof file === "string" ? [] : [file.buffer]));
    this.worker.postMessage({ id, task }, buffers);
    const found = await reply;
    if ("fault" in found) throw new Refused(found.fault);
    return found.answer;
  }

  /** From a file's bytes or a row of numbers to the answer. */
  async predict(input: Blob | number[]): Promise<Answer> {
    const { kind } = this.model;
    const task: Task =
      kind === "row"
        ? { do: "tensor", values: Float32Array.from(input as number[]) }
        : { do: kind, file: input as Blob };
    return (await this.ask(task))!;
  }
}
