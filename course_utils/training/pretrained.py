"""The networks of the image and pets services, made from the weights that Keras downloads.

Notebooks 04 and 10 do the same step by step.
"""

import json

from course_utils.datasets import keras_cache, weights
from course_utils.datasets.originals import (
    CLASS_INDEX,
    MOBILENET,
    SIZE,
    Report,
    cat,
    load_mobilenet,
    must_know_a_cat,
)
from course_utils.environment import quiet_native_stderr
from course_utils.inference import Predictor, models, to_litert
from course_utils.training.transfer import cats_or_dogs


def fetch(*, host: str = weights.KERAS_HOST, report: Report | None = None) -> dict[str, str]:
    """Bring all that Keras downloads, and make what the image and pets services serve.

    What is there and unchanged is left as it is.

    Args:
        host: URL of Keras' host, with the slash at its end.
        report: is called as the work goes on; by default each step is printed as it begins.

    Returns:
        Where each file came from, by name.

    Raises:
        WeightsUnavailable: a file could be had from nowhere.
        OSError: the cache cannot be written.
        ValueError: what the course ships does not fit what was brought.
    """
    report = report or keras_cache.PrintedReport()
    weights.fetch(host=host, report=report)
    if not _are_made(models.LABELS, models.CLASSIFIER, models.PETS, models.PETS_LABELS):
        with keras_cache.workshop(report) as place:
            if not _are_made(models.LABELS):
                _make_labels(place)
            if not _are_made(models.CLASSIFIER):
                _make_classifier(place, report)
            if not _are_made(models.PETS, models.PETS_LABELS):
                _make_pets(place, report)
    return keras_cache.sources()


def _are_made(*files: str) -> bool:
    return all(keras_cache.is_intact(file, source=models.source_of(file)) for file in files)


def _make_labels(place: keras_cache.Workshop) -> None:
    index = json.loads((place.cache / CLASS_INDEX).read_bytes())
    names = [index[str(number)][1] for number in range(len(index))]
    _write(place, models.LABELS, json.dumps(names, ensure_ascii=False).encode())


def _make_classifier(place: keras_cache.Workshop, report: Report) -> None:
    """MobileNet with its preprocessing within: pixels from 0 to 255 in, probabilities out."""
    report("converting MobileNet for the image service", 0, None)
    model = load_mobilenet(place.cache / MOBILENET)
    with quiet_native_stderr():
        import keras

        pixels = keras.Input((*SIZE, 3), name="pixels")
        scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)
        content = to_litert(keras.Model(pixels, model(scaled)))
    must_know_a_cat(Predictor(content).predict(cat()))
    _write(place, models.CLASSIFIER, content)


def _make_pets(place: keras_cache.Workshop, report: Report) -> None:
    report("converting MobileNet for the pets service", 0, None)
    content = cats_or_dogs(place.cache / MOBILENET, models.shipped_head())
    _write(place, models.PETS, content)
    _write(place, models.PETS_LABELS, b'["cat", "dog"]')


def _write(place: keras_cache.Workshop, name: str, content: bytes) -> None:
    file = place.folder / name
    file.write_bytes(content)
    place.put(file, name, models.source_of(name))
