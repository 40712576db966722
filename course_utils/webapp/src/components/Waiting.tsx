import type { View } from "../useClassifier";

const CLASSES = [0, 1, 2, 3, 4];

/** The panel before there is something to say. */
export function Waiting({ view, onCancel }: { view: View; onCancel: () => void }) {
  const working = view.kind === "working";
  return (
    <>
      <h2>{working ? "Classifying …" : "The network’s answer"}</h2>
      <div className={working ? "ghosts working" : "ghosts"} aria-hidden="true">
        {CLASSES.map((key) => (
          <span key={key} />
        ))}
      </div>
      {working ? (
        <>
          {view.slow && <p className="rest">This takes longer than usual. Wait, or cancel.</p>}
          <button type="button" className="button" onClick={onCancel}>
            Cancel
          </button>
        </>
      ) : (
        <p className="rest">The likeliest classes appear here, each with its probability.</p>
      )}
    </>
  );
}
