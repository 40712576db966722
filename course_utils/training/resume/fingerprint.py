"""What makes a training run this one: its data, model, callbacks and surroundings.

Compared before a run goes on, so that it never goes on as another one.
"""

import hashlib
import json
import os
import platform
import re
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from course_utils.training.resume.frameworks import keras, tf
from course_utils.training.resume.state import is_from_keras

# `fit` sets all seeds itself; how the model is compiled is compared apart.
NOT_COMPARED = {"seed", "build_config", "compile_config"}
CALLBACK_SETTINGS = ["monitor", "mode", "patience", "factor", "cooldown", "min_lr", "baseline"]
CALLBACK_SETTINGS += ["restore_best_weights", "start_from_epoch"]

# Callbacks change the learning rate; this is the one an optimizer was compiled with.
_compiled_rates: "weakref.WeakKeyDictionary[Any, Any]" = weakref.WeakKeyDictionary()


def describe_arrays(parts: Any) -> list[str]:
    """Give type, shape and SHA-256 of each array in a structure."""
    described = []
    for array in map(np.asarray, keras.tree.flatten(parts)):
        texts = _write_texts(array) if array.dtype == object else array
        data = np.ascontiguousarray(texts).reshape(-1).view(np.uint8)
        digest = hashlib.sha256(data).hexdigest()  # type: ignore[arg-type]
        described.append(f"{texts.dtype} {array.shape} {digest}")
    return described


def _write_texts(array: np.ndarray) -> np.ndarray:
    try:
        return array.astype(str)
    except UnicodeDecodeError:  # bytes that are not ASCII
        return np.array([repr(item) for item in array.ravel()])


def describe_model(model: Any) -> dict[str, Any]:
    """Describe layers with their arguments, variables, and how the model is compiled."""
    try:
        layers = _number_names(json.loads(model.to_json())["config"])
    except (NotImplementedError, TypeError, ValueError, KeyError):  # a subclass of Model
        layers = "not told by the model"
    compiled = model.get_compile_config()
    settings = compiled["optimizer"]["config"]
    del settings["name"]
    rate = settings.get("learning_rate")
    settings["learning_rate"] = _compiled_rates.setdefault(model.optimizer, rate)
    return {
        "layers": layers,
        "variables": [f"{list(v.shape)} {v.dtype} {v.trainable}" for v in model.variables],
        "compiled with": compiled,
    }


def _number_names(config: Any) -> Any:
    """Replace names by numbers: Keras gives each layer of a process another name."""
    text = json.dumps(config)
    for i, name in enumerate(dict.fromkeys(re.findall(r'"name": ("[^"]*")', text))):
        text = text.replace(name, f'"#{i}"')

    def simplify(part: dict[str, Any]) -> Any:
        if part.get("class_name") == "__lambda__":  # bytecode, with the file it came from
            return "lambda"
        return {key: value for key, value in part.items() if key not in NOT_COMPARED}

    return json.loads(text, object_hook=simplify)


def describe_callbacks(callbacks: Sequence[Any]) -> list[dict[str, Any]]:
    """Give the class of each callback and, of Keras' own, what decides when they act."""
    described = []
    for callback in callbacks:
        names = CALLBACK_SETTINGS if is_from_keras(callback) else []
        settings = {name: getattr(callback, name) for name in names if hasattr(callback, name)}
        if hasattr(callback, "min_delta") and names:  # Keras chooses its sign late
            settings["min_delta"] = abs(callback.min_delta)
        described.append({"class": type(callback).__name__, **settings})
    return described


def add_surroundings(identity: dict[str, Any]) -> dict[str, Any]:
    """Add what may change the last digits of results, all as it is read from a manifest."""
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    surroundings = {
        "TensorFlow": tf.__version__,
        "Keras": keras.__version__,
        "NumPy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "processor's extensions": np.show_config("dicts")["SIMD Extensions"].get("found"),
        "GPUs": [detail.get("device_name", "unknown") for detail in details],
    }
    about = {"identity": identity, "surroundings": surroundings}
    return json.loads(json.dumps(about, default=str))


def find_differences(before: Any, now: Any, where: str = "") -> Iterator[str]:
    """Yield a line for each difference between two descriptions.

    Keys that only one of them has are not compared: other versions of the course or of Keras
    describe more, or less.
    """
    if isinstance(before, list) and isinstance(now, list):
        if len(before) != len(now):
            yield f"{where}: had {len(before)} entries, has {len(now)} now"
        before, now = dict(enumerate(before)), dict(enumerate(now))
    if isinstance(before, dict) and isinstance(now, dict):
        for key in (key for key in now if key in before):
            inner = f"{where}, {key}" if where else str(key)
            yield from find_differences(before[key], now[key], inner)
    elif before != now:
        yield f"{where}: was {before}, is now {now}"
