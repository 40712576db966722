"""The classes of a classifier: the file that names them, and the networks that fit them."""

import contextlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

LABELS_FORM = 'the names of its classes as a JSON list, in the order of its outputs: ["cat", "dog"]'


def labels_path(model: Path) -> Path:
    """The file that lies beside a classifier: the names of its classes, as a JSON list."""
    return model.with_name(f"{model.stem}.labels.json")


def write_labels(model: Path, labels: Sequence[str]) -> None:
    """Put the names of a model's classes beside it, in the order of its outputs."""
    labels_path(model).write_text(json.dumps(list(labels), ensure_ascii=False), encoding="utf-8")


def find_labels(model: Path) -> Path:
    """The file beside a model that names its classes.

    Ours is ``NAME.labels.json``. Where it is not there, ``NAME.labels.txt`` or ``labels.txt`` is
    taken, as Teachable Machine writes it.

    Raises:
        FileNotFoundError: none of them is there.
    """
    ours = labels_path(model)
    for path in (ours, ours.with_suffix(".txt"), model.with_name("labels.txt")):
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"{ours} is missing: {LABELS_FORM}. A labels.txt of Teachable Machine's will do as well."
    )


def load_labels(model: Path) -> list[str]:
    """The names of a model's classes, in the order of its outputs.

    Raises:
        FileNotFoundError: they are not beside it.
        ValueError: the file is not a JSON list of names, or a text that names one in each line.
    """
    path = find_labels(model)
    fault = "is not UTF-8"
    with contextlib.suppress(ValueError, RecursionError):
        text = path.read_text(encoding="utf-8-sig")
        fault = "is not a list of class names, in order"
        labels = json.loads(text) if path.suffix == ".json" else _split_lines(text)
        if isinstance(labels, list) and labels and all(isinstance(name, str) for name in labels):
            return labels
    raise ValueError(f"{path.name} {fault}. Write {labels_path(model).name}: {LABELS_FORM}.")


def _split_lines(text: str) -> list[str] | None:
    """The names in a text of one a line, which may all be numbered ("0 Cat"); None in disorder."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    numbered = [re.fullmatch(r"(\d+)\s+(.+)", line) for line in lines]
    if not all(numbered):
        return lines
    parts = [match.groups() for match in numbered if match]
    in_order = [int(number) for number, _ in parts] == list(range(len(parts)))
    return [name for _, name in parts] if in_order else None


def fits_labels(outputs: tuple[int, ...], labels: Sequence[str]) -> bool:
    """Whether a network with this shape of an answer tells these classes apart.

    It has an output for each, or of two classes only that of the second.
    """
    return outputs == (len(labels),) or (outputs, len(labels)) == ((1,), 2)


def check_photo_network(
    file: Path, takes: tuple[int, ...], answers: tuple[int, ...], labels: Sequence[str]
) -> None:
    """Check that a network classifies photos.

    Args:
        file: of the network, its class names beside it.
        takes: the shape of an example.
        answers: the shape of an answer.
        labels: the class names.

    Raises:
        ValueError: it takes no RGB pictures, or does not tell these classes apart.
    """
    if takes[2:] != (3,) or 1 in takes:
        raise ValueError(
            f"{file.stem} takes examples of shape {takes}; a model of RGB pictures is needed, "
            "(height, width, 3) and both given, as keras.Input((224, 224, 3)). To register one "
            f"that takes rows of numbers, put {file.stem}.schema.json beside it."
        )
    if not fits_labels(answers, labels):
        raise ValueError(
            f"{file.stem} answers with shape {answers}; it has to return a probability for each of "
            f"the {len(labels)} class names in {find_labels(file).name}. Correct these, or end the "
            f'network with Dense({len(labels)}, activation="softmax").'
        )
