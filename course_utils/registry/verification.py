"""Is a version as it was registered? Its files have digests, and the model golden examples.

Those are examples whose answers were kept at the registration, to be asked again later.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils.registry.store import ModelVersion, check_digests

if TYPE_CHECKING:
    import pandas as pd

    from course_utils.registry.models import Model

GOLDEN_ROWS = 20
FOLDER = "golden"  # of a version that takes photos
TOLERANCE = 1e-6  # of a golden row's prediction, relative, at least absolute: float32 has no more


@dataclass(frozen=True)
class Verification:
    """What `verify` has looked at."""

    files: int
    """Whose digests are right."""
    rows: int
    """Golden rows that were predicted again."""
    difference: float
    """The largest, of a prediction from the registered one, relative to 1 or to its size."""


def verify(version: ModelVersion) -> Verification:
    """Check the digest of each file, then let the model predict its golden rows again.

    ``record.json`` itself is checked by `read`.

    Raises:
        ValueError: a file or a prediction differs; the message says which and what to do.
    """
    files = check_digests(version)
    before, after = _ask_again(version)
    apart = np.nan_to_num(np.abs(after - before) / np.maximum(1, np.abs(before)), nan=np.inf)
    row, output = np.unravel_index(np.argmax(apart), apart.shape)
    if apart[row, output] > TOLERANCE:
        raise ValueError(
            f"{version.name} {version.number} no longer predicts what it did: "
            f"{after[row, output]:g} instead of {before[row, output]:g} for golden row {row + 1}. "
            "The file is unchanged, so the runtime is another: compare `environment` in "
            "record.json with `course doctor`."
        )
    return Verification(files, len(before), float(apart[row, output]))


def _ask_again(version: ModelVersion) -> tuple[np.ndarray, np.ndarray]:
    """The answers to the golden examples when they were registered, and now: ``(n, outputs)``."""
    from course_utils.inference import Predictor

    rows = version.document["golden"]["rows"]
    before = np.array([row["prediction"] for row in rows], dtype=float).reshape(len(rows), -1)
    network = Predictor.load(version.model)
    if "file" in rows[0]:  # only then, since a container for mpg has no Pillow
        from course_utils.images import read_image
        from course_utils.inference.pixels import choose_pixels

        photos = [read_image((version.folder / row["file"]).read_bytes()) for row in rows]
        now = network.predict(choose_pixels(version.model).apply(np.stack(photos)))
    else:
        now = network.predict([row["features"] for row in rows])
    return before, now.astype(float)


def choose_golden(
    model: "Model", rows: "pd.DataFrame", answers: np.ndarray, draft: Path
) -> list[dict[str, Any]]:
    """Examples to predict again later, and the answers to them.

    They are spread evenly from the least answer to the greatest, of a classifier from the least
    certain one to the most certain. Photos are copied, as the network takes them.

    Args:
        model: that answered.
        rows: complete ones.
        answers: to the rows, shape ``(n, outputs)``.
        draft: the folder of the version.
    """
    from PIL import Image

    places = np.linspace(0, len(rows) - 1, min(GOLDEN_ROWS, len(rows))).astype(int)
    golden = rows.iloc[np.argsort(answers.max(axis=1), kind="stable")[places]]
    inputs = model.prepare(golden)
    if model.schema:
        given = [{"features": row.tolist()} for row in golden[model.features].to_numpy()]
    else:
        (draft / FOLDER).mkdir()
        files = [f"{FOLDER}/{number:02d}.png" for number in range(1, len(golden) + 1)]
        for file, pixels in zip(files, inputs, strict=True):
            Image.fromarray(pixels).save(draft / file)
        given = [{"file": file} for file in files]
    again = model.ask(inputs)  # by themselves, as in `verify`
    said = again[:, 0] if again.shape[1] == 1 else again
    return [row | {"prediction": answer} for row, answer in zip(given, said, strict=True)]
