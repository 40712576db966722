import type { Answer } from "../api";
import { label, type Source } from "../photo";
import type { View } from "../useClassifier";
import { Picture } from "./Picture";

/** The frame in which the photo lies. */
export function Stage({ view, dragging }: { view: View; dragging: boolean }) {
  const source = view.kind === "empty" ? undefined : view.source;
  const picture = source && pictureOf(source, view.kind === "result" ? view.result.answer : null);
  const hint = dragging ? null : <Hint fetching={view.kind === "working"} />;
  return (
    <div className="stage" data-state={dragging ? "dragging" : view.kind}>
      {source && picture ? (
        <Picture of={picture} alt={`The photo: ${label(source)}`} fallback={hint} />
      ) : (
        hint
      )}
      {dragging && <p className="drop-now">Let go to classify</p>}
    </div>
  );
}

/** A file shows itself; a photo that came by its address is in the answer. */
export function pictureOf(source: Source, answer: Answer | null): Blob | string | undefined {
  return "photo" in source ? source.photo : answer?.thumbnail;
}

function Hint({ fetching }: { fetching: boolean }) {
  return (
    <div className="hint">
      <svg viewBox="0 0 48 48" aria-hidden="true">
        <rect x="5" y="9" width="38" height="30" rx="4" />
        <circle cx="16" cy="19" r="3.5" />
        <path d="m5.5 34 10-9 8 7 9.5-11 10 11" />
      </svg>
      {fetching ? (
        <p>The service fetches the photo …</p>
      ) : (
        <>
          <p className="for-mouse">
            <strong>Drop a photo anywhere on this page</strong> or paste one that you copied
          </p>
          <p className="for-touch">
            <strong>Take a photo or choose one</strong> and a neural network classifies it
          </p>
        </>
      )}
    </div>
  );
}
