import { label } from "../photo";
import type { Result } from "../useClassifier";
import { human, percent } from "../words";
import { Picture } from "./Picture";
import { pictureOf } from "./Stage";

interface Props {
  results: Result[];
  shown: Result | undefined;
  onShow: (result: Result) => void;
}

/** The last results; a click shows one again. */
export function History({ results, shown, onShow }: Props) {
  return (
    <section className="history" aria-labelledby="history">
      <h2 id="history">Your last photos</h2>
      <ul>
        {results.map((result) => (
          <li key={result.id}>
            <button type="button" aria-current={result === shown} onClick={() => onShow(result)}>
              <span className="thumbnail">
                <Thumbnail result={result} />
              </span>
              <Best result={result} />
              <span className="unseen"> in {label(result.source)}, show again</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Thumbnail({ result }: { result: Result }) {
  const picture = pictureOf(result.source, result.answer);
  return picture && <Picture of={picture} alt="" />;
}

function Best({ result }: { result: Result }) {
  const best = result.answer.pred[0];
  return (
    best && (
      <>
        <span className="name">{human(best.name)}</span> <span className="share">{percent(best.prob)}</span>
      </>
    )
  );
}
