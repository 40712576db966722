"""Where the models lie that are served.

A learner's own model comes first, else the one that the course brings.

The models of mpg and digit are in the data folder. Those of image and pets are made from pretrained
weights by `training.pretrained`, and lie in Keras' cache with their labels beside them.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from course_utils.common import hash_file
from course_utils.datasets import keras_cache
from course_utils.datasets.originals import MOBILENET
from course_utils.environment import data_folder, output_folder

#: which notebook saves a learner's own model of a service
NOTEBOOKS = {"mpg": "02", "image": "04", "digit": "09", "pets": "10"}
SHIPPED_MODELS = ("mpg", "digit")  # in data/models
CLASS_INDEX = "imagenet_class_index.json"  # in the data folder; Keras looks for it in its cache
CLASSIFIER = "mobilenet_imagenet.tflite"
LABELS = "mobilenet_imagenet.labels.json"
PETS = "mobilenet_pets.tflite"
PETS_LABELS = "mobilenet_pets.labels.json"
CACHED_FILES = {"image": (CLASSIFIER, LABELS), "pets": (PETS, PETS_LABELS)}  # in Keras' cache
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


def describe_source(file: str) -> str:
    """What the record of Keras' cache says of a file that `training.pretrained` puts there."""
    if file == CLASS_INDEX:
        return "came with the course"
    if file == LABELS:
        return f"made from {CLASS_INDEX}"
    if file == CLASSIFIER:
        return f"made from {MOBILENET}"
    return f"made from {MOBILENET} and {HEAD_FILE} {hash_file(find_shipped_head())[:12]}"


def find_shipped_head() -> Path:
    """The weights of the layer on top of MobileNet that tells cats from dogs."""
    return data_folder() / "models" / HEAD_FILE
