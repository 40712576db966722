"""Whether a version still is what was registered, and still says the same."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from course_utils.registry.store import Record, check

if TYPE_CHECKING:
    from course_utils.inference import Predictor

TOLERANCE = 1e-6  # relative, at least absolute: float32 tells apart no more


@dataclass(frozen=True)
class Verification:
    """What `verify` has looked at."""

    files: int
    """Whose digests are right."""
    rows: int
    """Golden rows that were predicted again."""
    difference: float
    """The largest, of a prediction from the registered one, relative to 1 or to its size."""


def verify(record: Record, *, predictor: "Predictor | None" = None) -> Verification:
    """Check the digest of each file, then let the model predict its golden rows again.

    Args:
        record: of the model.
        predictor: used instead of loading the model.

    Raises:
        ValueError: a file or a prediction differs; the message says which and what to do.
    """
    import numpy as np

    from course_utils.inference import Predictor

    files = check(record)
    document: dict[str, Any] = record.document
    digests = {entry["path"]: entry["sha256"] for entry in document["files"]}
    model = predictor or Predictor.load(
        record.model, sha256=digests[f"files/{document['model']['file']}"]
    )
    rows = document["golden"]["rows"]
    before = np.array([row["prediction"] for row in rows])
    after = model.predict([row["features"] for row in rows])[:, 0].astype(float)
    apart = np.abs(after - before) / np.maximum(1, np.abs(before))
    worst = int(np.argmax(np.where(np.isnan(apart), np.inf, apart)))
    if not apart[worst] <= TOLERANCE:
        raise ValueError(
            f"{record.name} {record.version} no longer predicts what it did: {after[worst]:g} "
            f"instead of {before[worst]:g} for golden row {worst + 1}. The file is unchanged, so "
            "the runtime is another: compare `environment` in record.json with `course doctor`."
        )
    return Verification(files, len(rows), float(apart[worst]))
