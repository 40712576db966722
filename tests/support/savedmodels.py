"""Run a SavedModel as TensorFlow Serving does, by its signature."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.environment import quiet_native_stderr

SIGNATURE = "serving_default"  # used for a request that names none


def load_savedmodel(path: Path) -> Callable[[Any], np.ndarray]:
    """What runs a SavedModel of one input and one output."""
    with quiet_native_stderr():
        import tensorflow as tf

        loaded = tf.saved_model.load(str(path))
    function = loaded.signatures[SIGNATURE]
    ((entry, given),) = function.structured_input_signature[1].items()
    (answer,) = function.structured_outputs

    def run(rows: Any) -> np.ndarray:
        # Holds `loaded`, without which its variables would be gone.
        wanted = tf.constant(np.asarray(rows), given.dtype)
        return np.asarray(loaded.signatures[SIGNATURE](**{entry: wanted})[answer])

    return run
