// What the three kinds of pages have in common.

import type { Answer, Model } from "./messages";

export type Question = (predict: (input: Blob | number[]) => Promise<Answer>) => Promise<Answer>;

/**
 * Ask the network, and show the problem where that fails; the answer is undefined then, and
 * "outdated" where something else has been asked since.
 */
export type Ask = (what: Question) => Promise<Answer | undefined | "outdated">;

/** What was asked last is outdated now. */
export type Forget = () => void;

export interface Kind {
  /** What the page says when nothing is asked yet. */
  state: string;
  /** Make the input work. Its template is in the page already; the network may not be. */
  install(model: Model, ask: Ask, forget: Forget): void;
}
