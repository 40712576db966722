import { useCallback, useEffect, useRef, useState, type FocusEvent } from "react";

import { fetchModel, type Model } from "./api";
import { Chooser } from "./components/Chooser";
import { Examples } from "./components/Examples";
import { History } from "./components/History";
import { ProblemPanel } from "./components/ProblemPanel";
import { Results } from "./components/Results";
import { Stage } from "./components/Stage";
import { Waiting } from "./components/Waiting";
import { label } from "./photo";
import { explain } from "./problems";
import { useClassifier, type View } from "./useClassifier";
import { useDropAndPaste } from "./useDropAndPaste";
import icon from "./shared/icon.svg";
import { count, human, percent } from "./words";

export function App() {
  const model = useModel();
  const { view, history, start, show } = useClassifier(model);
  const fail = useCallback(
    (error: unknown) => show({ kind: "problem", problem: explain(error) }),
    [show],
  );
  const dragging = useDropAndPaste(start, fail);
  const panel = usePanel(view);

  return (
    <>
      <header>
        <p className="course">
          <img src={icon} alt="" width="20" height="20" /> Networks at Work
        </p>
        <h1>What is in this photo?</h1>
        <p className="lead">
          A neural network returns the likeliest of{" "}
          {model ? count(model.classes, "class", "classes") : "its classes"}.
        </p>
      </header>

      <main>
        <div className="input">
          <Stage view={view} dragging={dragging} />
          <Chooser model={model} onSource={start} />
          <Examples onSource={start} onError={fail} />
        </div>
        <section className="panel" aria-label="Result" tabIndex={-1} {...panel}>
          {view.kind === "result" && <Results result={view.result} model={model} />}
          {view.kind === "problem" && (
            <ProblemPanel
              problem={view.problem}
              onRetry={view.source && (() => start(view.source!))}
            />
          )}
          {(view.kind === "empty" || view.kind === "working") && (
            <Waiting view={view} onCancel={() => show({ kind: "empty" })} />
          )}
        </section>
        {history.length > 0 && (
          <History
            results={history}
            shown={view.kind === "result" ? view.result : undefined}
            onShow={(result) => show({ kind: "result", source: result.source, result })}
          />
        )}
      </main>

      <footer>
        <p>
          {model && (
            <>
              Model: <code>{model.name}</code>.{" "}
            </>
          )}
          Your photo goes to this service alone and is not kept.{" "}
          <a href="docs">The API behind this page</a>
        </p>
      </footer>

      <p className="unseen" role="status">
        {announcement(view)}
      </p>
    </>
  );
}

function useModel(): Model | undefined {
  const [model, setModel] = useState<Model>();
  useEffect(() => {
    const request = new AbortController();
    // Without it the page still works; the first photo's answer says what is wrong.
    fetchModel(request.signal).then(setModel, () => {});
    return () => request.abort();
  }, []);
  return model;
}

/** Keeps the panel in sight, and the focus in it when the button that had it goes. */
function usePanel(view: View) {
  const ref = useRef<HTMLElement>(null);
  const focused = useRef<Element>(undefined);
  useEffect(() => {
    if (focused.current?.isConnected === false) ref.current?.focus({ preventScroll: true });
    if (view.kind !== "empty") ref.current?.scrollIntoView({ block: "nearest" });
  }, [view]);
  return {
    ref,
    onFocus: (event: FocusEvent) => (focused.current = event.target),
    onBlur: () => (focused.current = undefined),
  };
}

/** What a screen reader says; problems are announced by their own panel. */
function announcement(view: View): string {
  if (view.kind === "working") {
    return view.slow ? "Still waiting for the answer." : `Classifying ${label(view.source)}.`;
  }
  if (view.kind !== "result") return "";
  const classes = view.result.answer.pred.map(({ name, prob }) => `${human(name)} ${percent(prob)}`);
  return `${label(view.source)}: ${classes.join(", ")}.`;
}
