"""The networks of the image and pets services, made from the weights that Keras downloads.

Notebooks 04 and 10 do the same step by step.
"""

import json
from collections.abc import Callable

from course_utils.common import atomic_files
from course_utils.datasets import check_data_file, keras_cache, originals, weights
from course_utils.inference import Predictor, models, to_litert
from course_utils.training.transfer import build_base, build_head, join_head, prepend_scaling


def fetch(
    report: keras_cache.Report = keras_cache.print_step, *, everything: bool = False
) -> dict[str, str]:
    """Bring what Keras downloads, and make what the image and pets services serve.

    What is there and unchanged is left as it is.

    Args:
        report: is called with each step as it begins; by default it is printed.
        everything: also bring what a single notebook needs, and loads when it runs: CIFAR-10.

    Returns:
        Where each file came from, by name.

    Raises:
        OSError: a file could be had from nowhere; or the cache cannot be written.
        ValueError: what the course ships does not fit what was in the cache.
    """
    weights.fetch(*(() if everything else originals.SHARED), report=report)
    if not all(map(_is_made, MAKERS)):
        with keras_cache.lock_cache(report) as scratch:
            for name, make in MAKERS.items():
                if not _is_made(name):
                    report(f"making {name}")
                    place, draft = keras_cache.cache_folder() / name, scratch / name
                    with atomic_files.open_draft(place, draft):
                        draft.write_bytes(make())
                    keras_cache.record_file(name, models.describe_source(name))
    return keras_cache.read_sources()


def _is_made(name: str) -> bool:
    return keras_cache.is_intact(name, source=models.describe_source(name))


def _read_class_index() -> bytes:
    """The names of ImageNet's classes, which Keras' `decode_predictions` would download."""
    return check_data_file(models.CLASS_INDEX).read_bytes()


def _make_labels() -> bytes:
    names = [name for _, name in json.loads(_read_class_index()).values()]
    return json.dumps(names, ensure_ascii=False).encode()


def _make_classifier() -> bytes:
    """MobileNet with its preprocessing within: pixels from 0 to 255 in, probabilities out."""
    file = keras_cache.cache_folder() / originals.MOBILENET
    with keras_cache.explain_damage(file):
        content = to_litert(prepend_scaling(originals.load_mobilenet(file)))
        originals.check_knows_cat(Predictor(content).predict(originals.load_cat_photo()))
    return content


def _make_pets() -> bytes:
    """MobileNet with the head that notebook 10 trained, which has to know a cat, too."""
    head_file = models.find_shipped_head()
    base = build_base()
    head = build_head(base.output_shape[-1], 2)
    head.load_weights(head_file)
    content = to_litert(join_head(base, head))
    if Predictor(content).predict(originals.load_cat_photo())[0, 0] < 0.5:
        raise ValueError(f"with {head_file.name} it takes a cat for a dog: another base's head")
    return content


MAKERS: dict[str, Callable[[], bytes]] = {
    models.CLASS_INDEX: _read_class_index,
    models.LABELS: _make_labels,
    models.CLASSIFIER: _make_classifier,
    models.PETS: _make_pets,
    models.PETS_LABELS: lambda: b'["cat", "dog"]',
}
