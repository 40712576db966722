import type { CSSProperties } from "react";

import type { Model, Prediction } from "../api";
import { label } from "../photo";
import type { Result } from "../useClassifier";
import { count, human, percent } from "../words";

const UNSURE = 0.5; // a likeliest class below it is not much of an answer

export function Results({ result, model }: { result: Result; model: Model | undefined }) {
  const { pred } = result.answer;
  const sure = (pred[0]?.prob ?? 0) >= UNSURE;
  return (
    <>
      <h2>{sure ? "The network’s answer" : "The network is not sure"}</h2>
      <ol className="classes ranked">
        {pred.map((prediction, place) => (
          <Class key={place} {...prediction} /> // two classes may share a name
        ))}
      </ol>
      {model && model.classes > pred.length && <Rest pred={pred} classes={model.classes} />}
      <p className="caption">
        {label(result.source)}, answered in {result.milliseconds.toLocaleString("en")} ms
      </p>
    </>
  );
}

function Class({ name, prob }: Prediction) {
  return (
    <li style={{ "--share": prob } as CSSProperties}>
      <span className="name">{human(name)}</span> <span className="share">{percent(prob)}</span>
      <span className="bar" aria-hidden="true" />
    </li>
  );
}

function Rest({ pred, classes }: { pred: Prediction[]; classes: number }) {
  const rest = Math.max(0, 1 - pred.reduce((sum, { prob }) => sum + prob, 0));
  const others = count(classes - pred.length, "other class shares", "other classes share");
  return (
    <p className="rest">
      The {others} the remaining {percent(rest)}.
    </p>
  );
}
