// What is said of a file that is not taken: the sentences of `images.refusals` of the Python side.

import type { Fault } from "./messages";

export class Refusal extends Error {
  constructor(readonly fault: Fault) {
    super(fault.detail);
  }
}

export function explain(error: unknown): Fault {
  if (error instanceof Refusal) return error.fault;
  return { detail: error instanceof Error ? error.message : String(error) };
}
