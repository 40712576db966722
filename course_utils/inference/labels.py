"""The names of the classes of a LiteRT model, in a file beside it."""

import json
from collections.abc import Sequence
from pathlib import Path

from course_utils.inference.models import labels_path


def write_labels(model: Path, labels: Sequence[str]) -> None:
    """Put the names of a model's classes beside it, in the order of its outputs."""
    labels_path(model).write_text(json.dumps(list(labels), ensure_ascii=False), encoding="utf-8")


def load_labels(model: Path) -> list[str]:
    """The names of a model's classes, in the order of its outputs.

    Raises:
        FileNotFoundError: they are not beside it.
        ValueError: the file is not a JSON list of names.
    """
    path = labels_path(model)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: a JSON list of the model's class names has to stand beside it."
        )
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name} is not JSON: {error}") from None
    if not isinstance(labels, list) or not all(isinstance(name, str) for name in labels):
        raise ValueError(f"{path.name} is not a JSON list of names.")
    return labels
