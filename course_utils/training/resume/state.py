"""All that a Keras training run has in memory, taken out and put back bit for bit.

That is: the model's weights, the statistics of its normalizations, the states of its random
layers and metrics, the optimizer's slots, and what callbacks remember.
"""

import inspect
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.training.resume.checkpoints import ResumeError

Arrays = dict[str, np.ndarray]

# What a callback is given or keeps besides what it remembers: the model, how talkative it is,
# and for Keras' monitoring ones the comparison, which flips the sign of min_delta when chosen.
NOT_STATE = {"model", "_model", "params", "_params", "verbose", "monitor_op", "min_delta"}


class NotExact(ResumeError):
    """Going on exactly cannot be promised for this training; the message says what to change."""


def variables(model: Any) -> list[Any]:
    """All variables that training changes, each once, in an order that building fixes."""
    found = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    return list({id(variable): variable for variable in found}.values())


def capture(model: Any) -> Arrays:
    """Copies of the values of all `variables`."""
    return {
        f"variable-{i:05d}": np.array(variable.numpy(), copy=True)
        for i, variable in enumerate(variables(model))
    }


def restore(model: Any, arrays: Arrays) -> None:
    """Give all `variables` the values that `capture` found."""
    for i, variable in enumerate(variables(model)):
        array = arrays[f"variable-{i:05d}"]
        if array.dtype.kind == "V":  # NumPy's files know no bfloat16, but keep its bits
            array = array.view(np.asarray(variable.numpy()).dtype)
        variable.assign(array)


def seed_random_layers(model: Any, seed: int) -> None:
    """Set the random layers to a state that depends on ``seed`` alone.

    Layers made without a seed have drawn one from nowhere, another one in each process.
    """
    states = [v for v in model.variables if v.name == "seed_generator_state"]
    for i, state in enumerate(states):
        drawn = np.random.SeedSequence([seed, i]).generate_state(1, np.uint32)[0]
        state.assign(np.array([drawn, 0], np.uint32))


class Memories:
    """What a list of callbacks remembers."""

    def __init__(self, callbacks: Iterable[Any]):
        self._callbacks = list(callbacks)

    def capture(self) -> tuple[list[Any], Arrays]:
        """As JSON can hold it, one entry a callback; and the arrays that the entries name.

        Raises:
            NotExact: a callback remembers what cannot be saved.
        """
        arrays: Arrays = {}
        entries = []
        for callback in self._callbacks:
            name = type(callback).__name__
            state = _state(callback)
            entry = {key: _packed(value, f"{name}.{key}", arrays) for key, value in state.items()}
            entries.append({"callback": name, "state": entry})
        return entries, arrays

    def restore(self, entries: list[Any], arrays: Arrays) -> None:
        """Give the callbacks back what `capture` found."""
        for callback, entry in zip(self._callbacks, entries, strict=True):
            state = {key: _unpacked(value, arrays) for key, value in entry["state"].items()}
            if hasattr(callback, "set_state"):
                callback.set_state(state)
            else:
                vars(callback).update(state)


def _state(callback: Any) -> dict[str, Any]:
    if hasattr(callback, "get_state") and hasattr(callback, "set_state"):
        return dict(callback.get_state())
    chosen = arguments_of(callback)
    keras_own = of_keras(callback)
    state = {}
    for key, value in vars(callback).items():
        text = isinstance(value, str | Path)
        # A path, or another choice of the user's: not remembered, as the folder may be moved.
        if key in NOT_STATE or _is_code(value) or (text and (keras_own or key in chosen)):
            continue
        if keras_own and not _packable(value):  # open files, progress bars
            continue
        state[key] = value
    return state


def of_keras(callback: Any) -> bool:
    """Whether the callback is one of Keras' own."""
    return type(callback).__module__.partition(".")[0] == "keras"


def arguments_of(callback: Any) -> set[str]:
    """Names of the arguments with which a callback is made."""
    return set(inspect.signature(type(callback).__init__).parameters) - {"self"}


def _is_code(value: Any) -> bool:
    kinds = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType)
    return isinstance(value, (*kinds, types.ModuleType))


def _packable(value: Any) -> bool:
    try:
        _packed(value, "", {})
    except NotExact:
        return False
    return True


def _packed(value: Any, where: str, arrays: Arrays) -> Any:
    """``value`` as JSON can hold it; arrays go into ``arrays``, with their name in their place."""
    if value is None or isinstance(value, bool | str) or type(value) in (int, float):
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        name = f"callback-{len(arrays):05d}"
        arrays[name] = np.asarray(value)
        return {"array": name, "scalar": isinstance(value, np.generic)}
    if type(value) in (list, tuple, set):
        return {type(value).__name__: [_packed(item, where, arrays) for item in value]}
    if isinstance(value, dict):
        items = [[_packed(part, where, arrays) for part in item] for item in value.items()]
        return {"dict": items}
    raise NotExact(
        f"The callback's {where} is a {type(value).__name__}, which cannot be saved, so what it "
        "remembers would be lost when training is interrupted. Keep numbers, texts, arrays, "
        "lists and dicts in it; or give the callback get_state(), which returns such a dict, "
        "and set_state(dict), which takes it back."
    )


def _unpacked(value: Any, arrays: Arrays) -> Any:
    if not isinstance(value, dict):
        return value
    if "array" in value:
        array = arrays[value["array"]]
        return array[()] if value["scalar"] else array
    ((kind, items),) = value.items()
    if kind == "dict":
        return {_unpacked(key, arrays): _unpacked(item, arrays) for key, item in items}
    make: Callable[[Any], Any] = {"list": list, "tuple": tuple, "set": set}[kind]
    return make(_unpacked(item, arrays) for item in items)
