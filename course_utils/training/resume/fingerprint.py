"""What makes a training run this one: its model, its arguments, its surroundings.

Compared before a run goes on, so that it never goes on as another one.
"""

import inspect
import json
import os
import platform
import types
import weakref
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.environment import __version__, quiet_native_stderr
from course_utils.training.resume.state import NOT_STATE, arguments_of, of_keras

with quiet_native_stderr():
    import keras
    import tensorflow as tf

# Without meaning for what is computed: seeds are set by `resume.fit`, the rest are places.
MEANINGLESS = {"seed", "build_config", "compile_config"}
PLACES = {"filepath", "filename", "log_dir", "embeddings_metadata", "root", "path"}
SHOWN = 8  # differences that a message lists

# Callbacks change the learning rate; this is the one an optimizer was compiled with.
_first_rates: "weakref.WeakKeyDictionary[Any, Any]" = weakref.WeakKeyDictionary()


def of_model(model: Any) -> Any:
    """Layers with their arguments, variables, and how it is compiled; without layers' names."""
    try:
        config = json.loads(model.to_json())["config"]
    except (NotImplementedError, TypeError, ValueError, KeyError):  # a subclass of Model
        config = "not told by the model"
    return {
        "class": type(model).__name__,
        "layers": _nameless(config),
        "variables": [f"{list(v.shape)} {v.dtype} {v.trainable}" for v in model.variables],
        "compiled with": _compiled(model),
    }


def _nameless(config: Any) -> Any:
    """With names replaced by numbers: Keras counts on with each layer of a process."""
    names = {name: f"#{i}" for i, name in enumerate(dict.fromkeys(_names(config)))}

    def clean(part: Any) -> Any:
        if isinstance(part, dict):
            if part.get("class_name") == "__lambda__":  # bytecode, with the file it came from
                return "lambda"
            return {key: clean(value) for key, value in part.items() if key not in MEANINGLESS}
        if isinstance(part, list):
            return [clean(item) for item in part]
        return names.get(part, part) if isinstance(part, str) else part

    return clean(config)


def _names(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        if isinstance(name := config.get("name"), str):
            yield name
        for part in config.values():
            yield from _names(part)
    elif isinstance(config, list):
        for part in config:
            yield from _names(part)


def _compiled(model: Any) -> Any:
    config = json.loads(json.dumps(model.get_compile_config(), default=str))
    optimizer = config.get("optimizer")
    if isinstance(optimizer, dict):
        settings = optimizer["config"]
        settings.pop("name", None)
        rate = settings.get("learning_rate")
        settings["learning_rate"] = _first_rates.setdefault(model.optimizer, rate)
    return config


def of_callbacks(callbacks: list[Any]) -> list[Any]:
    """Class of each callback and, of Keras' own, the arguments it was made with."""
    return [_of_callback(callback) for callback in callbacks]


def _of_callback(callback: Any) -> Any:
    found: dict[str, Any] = {"class": type(callback).__name__}
    if of_keras(callback):
        hidden = (NOT_STATE - {"min_delta"}) | PLACES
        for name in sorted(arguments_of(callback) - hidden):
            value = getattr(callback, name, None)
            if isinstance(value, types.FunctionType):
                found[name] = _of_function(value)
            elif isinstance(value, bool | str) or value is None:
                found[name] = value
            elif isinstance(value, int | float | np.number):
                found[name] = abs(value) if name == "min_delta" else float(value)
    return found


def _of_function(function: types.FunctionType) -> Any:
    """What a function names and the numbers in it: enough to notice another step of decay."""
    code = function.__code__
    numbers = [part for part in code.co_consts if isinstance(part, int | float | str)]
    outside = inspect.getclosurevars(function).nonlocals
    return {
        "names": list(code.co_names),
        "constants": [part for part in numbers if part != function.__doc__],
        "from outside": {k: v for k, v in outside.items() if isinstance(v, int | float | str)},
    }


def surroundings() -> dict[str, Any]:
    """What may change the last digits of results: versions and the machine."""
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return {
        "course": __version__,
        "Python": platform.python_version(),
        "TensorFlow": tf.__version__,
        "Keras": keras.__version__,
        "NumPy": version("numpy"),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "GPUs": [detail.get("device_name", "unknown") for detail in details],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")


def differences(before: Any, now: Any) -> list[str]:
    """What differs between two fingerprints, a line each; at most `SHOWN` of them."""
    old, new = (dict(_leaves(json.loads(json.dumps(part)), "")) for part in (before, now))
    lines = [
        f"{key}: was {old.get(key, 'absent')}, is now {new.get(key, 'absent')}"
        for key in dict.fromkeys([*old, *new])
        if old.get(key, "absent") != new.get(key, "absent")
    ]
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return lines[:SHOWN] + more


def _leaves(part: Any, where: str) -> Iterator[tuple[str, Any]]:
    if isinstance(part, dict | list) and part:
        items = part.items() if isinstance(part, dict) else enumerate(part)
        for key, value in items:
            yield from _leaves(value, f"{where}, {key}" if where else str(key))
    else:
        yield where, part
