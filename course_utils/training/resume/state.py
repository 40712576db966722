"""Everything a training holds in memory, copied out and put back bit for bit.

That is: the model's weights, the statistics of its normalizations, the states of its random
layers and metrics, the optimizer's slots, and what callbacks remember. `check_model` sees that
nothing else decides what comes next.
"""

import inspect
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.environment import quiet_native_stderr
from course_utils.training.resume.errors import ResumeError
from course_utils.training.resume.frameworks import keras, tf

Arrays = dict[str, np.ndarray]

# What a callback holds besides its memory: the model, how much it prints, and the comparison
# that Keras' monitoring callbacks choose late, at which the sign of min_delta may change.
NOT_STATE = {"model", "_model", "params", "_params", "verbose", "monitor_op", "min_delta"}
SEQUENCES: dict[str, Any] = {"list": list, "tuple": tuple, "set": set}
CODE = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType)

# Operations whose state nothing can read or set, besides those with "Random" in their names.
UNSAVED_OPERATIONS = {"Multinomial", "TruncatedNormal", "PyFunc", "PyFuncStateless", "EagerPyFunc"}


def list_variables(model: Any) -> list[Any]:
    """List all variables that training changes, each once, in an order that building fixes."""
    found = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    return list({id(variable): variable for variable in found}.values())


def check_model(model: Any, batch: Any) -> None:
    """See that nothing but the model's own variables decides what a training step computes.

    The step is traced, which also creates all variables that are not there yet.

    Args:
        model: a Keras model.
        batch: ``(x, y)`` of a few examples.

    Raises:
        ValueError: the model is not compiled.
        ResumeError: there is randomness or memory in it that cannot be saved. The message
            names it.
    """
    if not model.compiled:
        raise ValueError("The model is not compiled: call model.compile(...) first.")
    specs = keras.tree.map_structure(
        lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype), batch
    )
    with quiet_native_stderr():
        graph = tf.function(model.train_step, autograph=False).get_concrete_function(specs).graph
    definition = graph.as_graph_def()
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    operations = {node.op for node in nodes}
    random = {name for name in operations if "Random" in name and not name.startswith("Stateless")}
    known = {id(variable.value) for variable in list_variables(model)}
    hidden = {variable.name for variable in graph.variables if id(variable) not in known}
    if culprits := random | (operations & UNSAVED_OPERATIONS) | hidden:
        raise ResumeError(
            f"The model uses what it does not hold as its own: {', '.join(sorted(culprits))}. "
            "Draw random numbers with keras.random and a keras.random.SeedGenerator that the "
            "layer keeps as an attribute, and make other variables attributes of a layer, too."
        )


def capture_variables(model: Any) -> Arrays:
    """Copy the values of all variables."""
    return {
        f"variable-{i:05d}": np.array(variable.numpy(), copy=True)
        for i, variable in enumerate(list_variables(model))
    }


def restore_variables(model: Any, arrays: Arrays) -> None:
    """Give all variables the values that `capture_variables` copied."""
    for i, variable in enumerate(list_variables(model)):
        array = arrays[f"variable-{i:05d}"]
        if array.dtype.kind == "V":  # NumPy's files keep the bits of a bfloat16, not its name
            array = array.view(np.asarray(variable.numpy()).dtype)
        variable.assign(array)


def seed_random_layers(model: Any, seed: int) -> None:
    """Set the random layers to a state that depends on ``seed`` alone.

    Layers made without a seed have drawn one that is different in each process.
    """
    states = [v for v in model.variables if v.name == "seed_generator_state"]
    for i, state in enumerate(states):
        drawn = np.random.SeedSequence([seed, i]).generate_state(1, np.uint32)[0]
        state.assign(np.array([drawn, 0], np.uint32))


def check_callbacks(callbacks: Sequence[Any]) -> None:
    """See that no callback works against going on.

    Raises:
        ResumeError: one does. The message says what to do.
    """
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            raise ResumeError(
                "BackupAndRestore and this function would both restore: leave it out."
            )
        if isinstance(callback, keras.callbacks.CSVLogger) and not callback.append:
            raise ResumeError(
                "CSVLogger would begin its file anew: write CSVLogger(..., append=True)."
            )


def capture_callbacks(callbacks: Sequence[Any]) -> tuple[list[Any], Arrays]:
    """Copy what callbacks remember.

    Returns:
        An entry per callback, as JSON can hold it, and the arrays that the entries name.

    Raises:
        ResumeError: a callback remembers what cannot be saved.
    """
    arrays: Arrays = {}
    entries = []
    for callback in callbacks:
        name = type(callback).__name__
        state = {}
        for key, value in _select_state(callback).items():
            try:
                state[key] = _pack(value, arrays)
            except TypeError:
                if is_from_keras(callback):  # an open file, a progress bar
                    continue
                raise ResumeError(
                    f"The callback's {name}.{key} is a {type(value).__name__}, which cannot be "
                    "saved, so it would be lost when the training is interrupted. Keep numbers, "
                    "texts, arrays, lists, tuples and dicts in it."
                ) from None
        entries.append({"callback": name, "state": state})
    return entries, arrays


def restore_callbacks(callbacks: Sequence[Any], entries: list[Any], arrays: Arrays) -> None:
    """Give callbacks back what `capture_callbacks` copied."""
    for callback, entry in zip(callbacks, entries, strict=True):
        state = {key: _unpack(value, arrays) for key, value in entry["state"].items()}
        vars(callback).update(state)


def is_from_keras(callback: Any) -> bool:
    """Say whether the callback is one of Keras' own."""
    return type(callback).__module__.partition(".")[0] == "keras"


def _select_state(callback: Any) -> dict[str, Any]:
    arguments = inspect.signature(type(callback).__init__).parameters
    keras_own = is_from_keras(callback)
    return {
        key: value
        for key, value in vars(callback).items()
        if key not in NOT_STATE and not isinstance(value, CODE)
        # A path that the caller chose is not restored, because the run's folder may be moved.
        if not (isinstance(value, str | Path) and (keras_own or key in arguments))
    }


def _pack(value: Any, arrays: Arrays) -> Any:
    """Turn ``value`` into JSON; its arrays go into ``arrays``, with their names in their place."""
    if value is None or isinstance(value, bool | str) or type(value) in (int, float):
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        name = f"callback-{len(arrays):05d}"
        arrays[name] = np.asarray(value)
        return {"array": name, "scalar": isinstance(value, np.generic)}
    kind = type(value).__name__
    if type(value) is SEQUENCES.get(kind):
        return {kind: [_pack(item, arrays) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[_pack(part, arrays) for part in item] for item in value.items()]}
    raise TypeError(kind)


def _unpack(value: Any, arrays: Arrays) -> Any:
    if not isinstance(value, dict):
        return value
    if "array" in value:
        array = arrays[value["array"]]
        return array[()] if value["scalar"] else array
    ((kind, items),) = value.items()
    if kind == "dict":
        return {_unpack(key, arrays): _unpack(item, arrays) for key, item in items}
    return SEQUENCES[kind](_unpack(item, arrays) for item in items)
