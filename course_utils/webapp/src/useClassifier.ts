// One request at a time, and what became of it and of those before.

import { useCallback, useReducer, useRef } from "react";

import type { Answer, Model } from "./api";
import { classify, type Source } from "./photo";
import { explain, type Problem } from "./problems";

const SLOW = 4; // seconds until the page says that this takes long
const KEPT = 8; // results in the history

export interface Result {
  id: number;
  source: Source;
  answer: Answer;
  milliseconds: number;
}

export type View =
  | { kind: "empty" }
  | { kind: "working"; source: Source; slow: boolean }
  | { kind: "result"; source: Source; result: Result }
  | { kind: "problem"; source?: Source; problem: Problem };

interface State {
  view: View;
  history: Result[]; // the newest first
}

type Action =
  | { type: "show"; view: View }
  | { type: "slow" }
  | { type: "answered"; result: Result };

function reduce(state: State, action: Action): State {
  switch (action.type) {
    case "show":
      return { ...state, view: action.view };
    case "slow":
      return state.view.kind === "working"
        ? { ...state, view: { ...state.view, slow: true } }
        : state;
    case "answered": {
      const { result } = action;
      return {
        view: { kind: "result", source: result.source, result },
        history: [result, ...state.history].slice(0, KEPT),
      };
    }
  }
}

export function useClassifier(model: Model | undefined) {
  const [state, dispatch] = useReducer(reduce, { view: { kind: "empty" }, history: [] });
  const current = useRef<AbortController>(undefined);
  const requests = useRef(0);

  const show = useCallback((view: View) => {
    current.current?.abort();
    dispatch({ type: "show", view });
  }, []);

  const start = useCallback(
    async (source: Source) => {
      show({ kind: "working", source, slow: false });
      const controller = (current.current = new AbortController());
      const slow = setTimeout(() => dispatch({ type: "slow" }), SLOW * 1000);
      const began = performance.now();
      try {
        const answer = await classify(source, model, controller.signal);
        const milliseconds = Math.round(performance.now() - began);
        const result = { id: (requests.current += 1), source, answer, milliseconds };
        if (!controller.signal.aborted) dispatch({ type: "answered", result });
      } catch (error) {
        if (controller.signal.aborted) return; // not wanted
        dispatch({ type: "show", view: { kind: "problem", source, problem: explain(error) } });
      } finally {
        clearTimeout(slow);
      }
    },
    [model, show],
  );

  return { ...state, start, show };
}
