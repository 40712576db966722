import type { Problem } from "../problems";

/** What went wrong, and what to do; `onRetry` sends the same photo again. */
export function ProblemPanel({ problem, onRetry }: { problem: Problem; onRetry?: () => void }) {
  return (
    <>
      <div className="problem" role="alert">
        <h2>{problem.title}</h2>
        {problem.details.map((detail) => (
          <p key={detail}>{detail}</p>
        ))}
        {problem.received?.map((received) => (
          <p key={received}>
            <strong>What came:</strong> {received}
          </p>
        ))}
        {problem.allowed?.map((allowed) => (
          <p key={allowed}>
            <strong>What works:</strong> {allowed}
          </p>
        ))}
      </div>
      {problem.retry && onRetry && (
        <button type="button" className="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </>
  );
}
