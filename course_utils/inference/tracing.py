"""A Keras network as it leaves Keras: its graph for predictions, and why it cannot leave.

Every conversion starts here, so that none computes a layer as in training: augmentation and noise
pass their input on, batch normalization uses the statistics that it has learnt.
"""

import io
import logging
import re
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

from course_utils.environment import quiet_native_stderr

#: how the converters name an operation that does not exist in their format
MISSING_OPERATION = r"TF op '(\w+)' not|'tf\.(\w+)' op|No Op registered for (\w+)"
#: operations whose result differs from call to call; of the stateless ones the seed may do so
RANDOM_OPERATION = r"Random|Multinomial|TruncatedNormal|^Rng|^Stateful(?!Partitioned)"
#: operations that a seed does not depend on if it stays the same
CHANGING_OPERATION = r"Placeholder|ReadVariableOp"
MAX_REASON_LENGTH = 200
OTHER_PRECISIONS = ("float16", "bfloat16", "float64", "float8", "int8", "int4")


class UnsupportedNetwork(ValueError):
    """A network that cannot be converted; the message names the layer and says what to do."""


def check_network(model: Any) -> None:
    """Refuse what no format can hold, before a converter starts.

    Raises:
        UnsupportedNetwork: the network has no input yet, has several inputs or outputs, keeps a
            state from call to call, or computes in another precision than float32.
    """
    if not model.built or not getattr(model, "inputs", None):
        raise UnsupportedNetwork(
            f"The network {model.name!r} has no input yet: build it as a Sequential or functional "
            "network that begins with a keras.Input."
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UnsupportedNetwork(
            f"The network {model.name!r} has {len(model.inputs)} inputs and {len(model.outputs)} "
            "outputs; networks with one of each are exported."
        )
    for layer in walk_layers(model):
        if getattr(layer, "stateful", False):
            raise UnsupportedNetwork(
                f"The layer {layer.name!r} is stateful: its answer depends on the calls before. "
                "Build the network again with stateful=False, and give it these weights."
            )
        computing = getattr(layer, "quantization_mode", None) or layer.compute_dtype
        if computing in OTHER_PRECISIONS:
            raise UnsupportedNetwork(
                f"The network {model.name!r} computes in {computing}: its layer {layer.name!r} has "
                f"the policy {layer.dtype_policy.name}, and networks are exported in float32. "
                'Build it again after keras.config.set_dtype_policy("float32") and give it these '
                "weights, or those from before quantize(): new.set_weights(old.get_weights())."
            )


def trace_network(
    network: Any,
    shape: Sequence[int | None],
    name: str,
    examples: int | None = None,
    dtype: str = "float32",
) -> Any:
    """A network, as it predicts, as a TensorFlow function.

    Args:
        network: of Keras, of one input and one output.
        shape: of one example.
        name: of the function's argument, a tensor of shape ``(examples, *shape)``.
        examples: None for any number of them.
        dtype: of the argument.

    Returns:
        The function, traced once.

    Raises:
        UnsupportedNetwork: its answer depends on random numbers even so.
    """
    with quiet_native_stderr():
        import keras
        import tensorflow as tf

    def predict(examples: Any) -> Any:
        # Some layers draw random numbers that they do not use when they predict. In this scope
        # they leave the states of their generators alone, which no format could hold.
        with keras.StatelessScope():
            return network(examples, training=False)

    signature = tf.TensorSpec((examples, *shape), dtype, name=name)
    function = tf.function(predict, input_signature=[signature])
    for operation, place in _walk_back(function.get_concrete_function().outputs):
        if _is_random(operation):
            subject = _name_subject(network, find_layer(network, place))
            raise UnsupportedNetwork(
                f"{subject} answers with random numbers when it predicts, too: two answers to one "
                "example would differ. Build the network again without it, and give it these "
                "weights."
            )
    return function


def _walk_back(tensors: Sequence[Any]) -> Iterator[tuple[Any, str]]:
    """The operations of a graph that tensors depend on, those in the functions it calls included.

    Each comes with its name in the graph; of one in a function, with that of the call.
    """
    waiting, seen = [(tensor.op, "") for tensor in tensors], set()
    while waiting:
        operation, call = waiting.pop()
        if operation in seen:
            continue
        seen.add(operation)
        yield operation, call or operation.name
        waiting += [(tensor.op, call) for tensor in operation.inputs]
        for value in operation.node_def.attr.values():
            for called in filter(None, [value.func.name, *(each.name for each in value.list.func)]):
                body = operation.graph._get_function(called).graph
                waiting += [(tensor.op, call or operation.name) for tensor in body.outputs]


def _is_random(operation: Any) -> bool:
    """Whether the result of an operation differs from call to call."""
    if not re.search(RANDOM_OPERATION, operation.type):
        return False
    seed = operation.inputs[-1:] if operation.type.startswith("Stateless") else []
    return not seed or any(
        re.search(CHANGING_OPERATION, before.type) for before, _ in _walk_back(seed)
    )


def write_savedmodel(network: Any, folder: str | Path, dtype: str | None = None) -> None:
    """Write a network, as it predicts, as a SavedModel.

    Args:
        network: of Keras, of one input and one output.
        folder: to write; it is not there yet, or empty.
        dtype: that the SavedModel takes; by default that of the network's input.

    Raises:
        UnsupportedNetwork: as `trace_network`.
    """
    with quiet_native_stderr():
        import keras
    (entry,) = network.inputs
    archive = keras.export.ExportArchive()
    archive.track(network)
    function = trace_network(network, entry.shape[1:], entry.name, dtype=dtype or entry.dtype)
    archive.add_endpoint("serve", function)
    archive.write_out(str(folder), verbose=False)


@contextmanager
def explain_failure(model: Any, format_name: str) -> Iterator[None]:
    """Silence a converter, and put what it raises in one sentence that names the layer.

    Raises:
        UnsupportedNetwork: the converter raised something; what the disk or missing memory
            raises is passed on, as is a missing package.
    """
    # A failed converter's frames keep its temporary folders alive. They are cleared here, so
    # that Python deletes the folders while the warnings about it are still off.
    with quiet_native_stderr(), quiet_converters():
        try:
            yield
        except (ImportError, MemoryError, OSError, UnsupportedNetwork):
            raise
        except Exception as error:  # a converter raises what the operation makes it raise
            traceback.clear_frames(error.__traceback__)
            said = str(error).strip() or type(error).__name__
            raise UnsupportedNetwork(_explain(model, format_name, said)) from None


@contextmanager
def quiet_converters() -> Iterator[None]:
    """Drop what the converters log, warn of and draw while they work; what fails raises.

    coremltools warns that it was not tested with a TensorFlow this new, and that it cannot predict
    on this system: `export.coreml.verify` makes up for both.
    """
    before = logging.root.manager.disable
    logging.disable()
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _explain(model: Any, format_name: str, said: str) -> str:
    """Why a network cannot be converted: the layer, the converter's words, and the way out."""
    # Of recurrent layers it is the loop that converters fail at, at times without naming it.
    loops = [each.name for each in walk_layers(model) if getattr(each, "unroll", None) is False]
    layer = find_layer(model, said) or next(iter(loops), "")
    way_out = (
        "with unroll=True" if layer in loops else "from other layers, or choose another format"
    )
    operation = re.search(MISSING_OPERATION, said)
    uses = f"uses the operation {operation[operation.lastindex or 0]}, which " if operation else ""
    reason = "" if operation else f": {_find_reason(said)}"
    return (
        f"{_name_subject(model, layer)} {uses}cannot be translated to {format_name}{reason}. "
        f"Build it {way_out}."
    )


def _find_reason(said: str) -> str:
    """The line of a converter's message that names the cause."""
    if re.search(r"loc\(|<unknown>", said):  # what LiteRT's compiler prints is not for people
        return "the converter refuses it"
    text = re.sub(r"\x1b\[\d*m", "", said).partition("Arguments received by")[0]  # no colours
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # What Python raises while the network is traced ends in its cause.
    return lines[-1 if lines[0] == "in user code:" else 0][:MAX_REASON_LENGTH].rstrip(". ")


def _name_subject(model: Any, layer: str) -> str:
    return f"The layer {layer!r}" if layer else f"The network {model.name!r}"


def walk_layers(model: Any) -> list[Any]:
    """The layers of a network, those of networks and wrappers within it included."""
    return list(model._flatten_layers(include_self=False))


def find_layer(model: Any, text: str) -> str:
    """The layer that a text names by a node of the graph.

    Args:
        model: a Keras network.
        text: such as ``... network_1/dense_2_1/MatMul ...``, which is about the layer ``dense_2``.

    Returns:
        The layer's name; empty where the text names none.
    """
    layers = walk_layers(model)
    names = {layer.name for layer in layers}
    for kind in re.findall(r"when calling (\w+)\.call", text):  # what a layer raises itself
        alike = [layer.name for layer in layers if type(layer).__name__ == kind]
        if len(alike) == 1:
            return alike[0]
    for path in re.findall(r"[\w.-]+(?:/[\w.-]+)+", text):
        for piece in reversed(path.split("/")):
            stem = re.sub(r"_\d+$", "", piece)  # TensorFlow numbers the calls of a layer
            if stem in names or piece in names:
                return stem if stem in names else piece
    return ""
