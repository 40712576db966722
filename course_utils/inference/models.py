"""Where the models lie that are served, and the files beside them.

A learner's own model comes first, else the one that the course brings.

The models of mpg and digit are in the data folder. Those of image and pets are made from pretrained
weights by `training.pretrained`, and lie in Keras' cache with their labels beside them.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from course_utils.common import hash_file
from course_utils.datasets import keras_cache
from course_utils.datasets.originals import CLASS_INDEX, MOBILENET
from course_utils.environment import data_folder, output_folder

#: which notebook saves a learner's own model of a service
NOTEBOOKS = {"mpg": "02", "image": "04", "digit": "09", "pets": "10"}
SHIPPED_MODELS = ("mpg", "digit")  # in data/models
CLASSIFIER = "mobilenet_imagenet.tflite"
LABELS = "mobilenet_imagenet.labels.json"
PETS = "mobilenet_pets.tflite"
PETS_LABELS = "mobilenet_pets.labels.json"
CACHED_FILES = {"image": (CLASSIFIER, LABELS), "pets": (PETS, PETS_LABELS)}  # in Keras' cache
LABELS_FORM = 'the names of its classes as a JSON list, in the order of its outputs: ["cat", "dog"]'
HEAD_FILE = "pets.weights.h5"  # in data/models: what notebook 10 trained


def find_model(name: str) -> Path:
    """The model of a service: the learner's, saved by a notebook, else the course's.

    Args:
        name: ``mpg``, ``image``, ``digit`` or ``pets``.

    Raises:
        FileNotFoundError: neither is there.
        ValueError: no model has this name.
    """
    own = output_folder() / f"{name}.tflite"
    return own if os.path.lexists(own) else shipped_model(name)


@contextlib.contextmanager
def name_faulty_model(path: Path) -> Iterator[None]:
    """Add the file's name to any error raised while a model is loaded and tried.

    Of a learner's own model in the output folder it says, too, what to do.

    Raises:
        FileNotFoundError: what was raised was one.
        ValueError: for all else that a file makes its loader raise.
    """
    try:
        yield
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        said = str(error).strip() or type(error).__name__
        if isinstance(error, OSError) and error.filename:  # such as of the labels beside the model
            said = f"{Path(error.filename).name}: {error.strerror}"
        if not said.startswith((f"{path.stem} ", f"{path.stem}.", str(path.parent))):
            said = f"{path.name} cannot be served: {said}"
        if path.parent == output_folder() and path.stem in NOTEBOOKS:
            said += (
                f"\nThis is your own model, {path}: run notebook {NOTEBOOKS[path.stem]} again to "
                "replace it, or remove it. Without it and without --model, the course's is served."
            )
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        raise kind(said) from error


def shipped_model(name: str) -> Path:
    """The model of a service that the course brings, a LiteRT file.

    ``mpg`` takes a car's seven features, ``digit`` a picture of shape ``(28, 28)``; notebooks 02
    and 09 made them. ``image`` is MobileNet with ImageNet's 1000 classes, ``pets`` MobileNet with
    the head of notebook 10, which tells cats from dogs: both take float32 pixels from 0 to 255 of
    shape ``(n, 224, 224, 3)`` and answer probabilities.

    Args:
        name: ``mpg``, ``image``, ``digit`` or ``pets``.

    Raises:
        FileNotFoundError: it is not there, or no longer as it was made.
        ValueError: no model has this name.
    """
    if name in SHIPPED_MODELS:
        return data_folder() / "models" / f"{name}.tflite"
    if name not in CACHED_FILES:
        names = ", ".join([*SHIPPED_MODELS, *CACHED_FILES])
        raise ValueError(f"no model is called {name!r}; there are {names}.")
    files, folder = CACHED_FILES[name], keras_cache.cache_folder()
    if not all(keras_cache.is_intact(file, source=describe_source(file)) for file in files):
        raise FileNotFoundError(
            f"The pretrained network is not in {folder}, or has been changed there. "
            "Run `course fetch` to bring it."
        )
    return folder / files[0]


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


def describe_source(file: str) -> str:
    """What the record of Keras' cache says of one of the files in `CACHED_FILES`."""
    if file == LABELS:
        return f"made from {CLASS_INDEX}"
    if file == CLASSIFIER:
        return f"made from {MOBILENET}"
    return f"made from {MOBILENET} and {HEAD_FILE} {hash_file(find_shipped_head())[:12]}"


def find_shipped_head() -> Path:
    """The weights of the layer on top of MobileNet that tells cats from dogs."""
    return data_folder() / "models" / HEAD_FILE
