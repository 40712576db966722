"""What stands in the way of repeating a computation bit for bit, found in TensorFlow's graphs."""

import weakref
from typing import Any

from course_utils.environment import quiet_native_stderr
from course_utils.training.resume.state import NotExact, variables

with quiet_native_stderr():
    import keras
    import tensorflow as tf

# Operations with a memory of their own that nothing can read out or set (all others whose name
# holds "Random" as well, but for the stateless ones).
RANDOM = {"Multinomial", "ParameterizedTruncatedNormal", "TruncatedNormal", "RngReadAndSkip"}
RANDOM |= {"RngSkip", "SampleDistortedBoundingBox", "SampleDistortedBoundingBoxV2"}
# Models that `check_model` has passed, with the training step and batch it looked at.
_passed: "weakref.WeakKeyDictionary[Any, Any]" = weakref.WeakKeyDictionary()
PYTHON = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "GeneratorDataset"}
# In a pipeline also a variable that counts on, such as that of a random layer of Keras.
WRITES = {"AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"}


def check_model(model: Any, batch: Any) -> None:
    """See that nothing but the known variables decides what a training step computes.

    The step is traced, which also creates all variables that are not there yet.

    Args:
        model: a compiled Keras model.
        batch: ``(x, y)`` or ``(x, y, sample_weight)`` of a few examples.

    Raises:
        ValueError: the model is not compiled.
        NotExact: there is randomness or memory in it that cannot be saved; named.
    """
    _check_surroundings(model)
    specs = keras.tree.map_structure(_spec, batch)
    step = (id(model.optimizer), id(model.loss), repr(specs))
    if _passed.get(model) == step:  # tracing takes about as long as Keras takes to begin
        return
    with quiet_native_stderr():
        graph = tf.function(model.train_step, autograph=False).get_concrete_function(specs).graph
    found = {name for name, _ in _operations(graph.as_graph_def())}
    if culprits := _random(found) | found & PYTHON:
        raise NotExact(
            f"The model uses {', '.join(sorted(culprits))} of TensorFlow, whose state cannot be "
            "saved. Draw random numbers with keras.random and a keras.random.SeedGenerator that "
            "the layer keeps as an attribute."
        )
    known = {id(variable.value) for variable in variables(model)}
    if hidden := sorted({v.name for v in graph.variables if id(v) not in known}):
        raise NotExact(
            f"Training changes or reads what the model does not hold as its own: "
            f"{', '.join(hidden)}. Give each random layer a keras.random.SeedGenerator of its "
            "own as an attribute, and make other variables attributes of a layer."
        )
    _passed[model] = step


def _check_surroundings(model: Any) -> None:
    if keras.backend.backend() != "tensorflow":
        raise NotExact(
            f"Keras runs on {keras.backend.backend()} here; exact resuming is proved for "
            "TensorFlow only. Set KERAS_BACKEND=tensorflow before Python starts."
        )
    if not model.compiled:
        raise ValueError("The model is not compiled: call model.compile(...) first.")
    if model.run_eagerly:
        raise NotExact(
            "With run_eagerly=True the training step is Python, which may remember anything. "
            "Compile the model without it."
        )
    if tf.distribute.has_strategy() or model.distribute_strategy.num_replicas_in_sync > 1:
        raise NotExact(
            "The model is trained under a tf.distribute strategy; the order in which replicas "
            "are summed is not fixed. Train on one device."
        )


def check_pipeline(dataset: Any, what: str, *, anew_each_epoch: bool) -> None:
    """See that a `tf.data.Dataset` yields the same batches each time it is iterated.

    Args:
        dataset: the pipeline.
        what: how messages call it.
        anew_each_epoch: a new one is made for each epoch, so only its first pass counts.

    Raises:
        NotExact: it does not, or nobody can tell; with the remedy.
    """
    size = int(dataset.cardinality())
    if size <= 0:
        kind = "endless" if size == tf.data.INFINITE_CARDINALITY else "of unknown length"
        raise NotExact(
            f"{what} is {kind}, so its epochs have no fixed end. Use take(n), or "
            "apply(tf.data.experimental.assert_cardinality(n)) where you know the length."
        )
    if dataset.options().deterministic is False:
        raise NotExact(f"{what} may change the order of its elements: deterministic=False is set.")
    graph = graph_of(dataset)
    nodes = _operations(graph)
    found = {name for name, _ in nodes}
    if any(node.attr["deterministic"].s == b"false" for _, node in nodes):
        raise NotExact(f"{what} may change the order of its elements: deterministic=False is set.")
    if culprits := found & PYTHON:
        raise NotExact(
            f"{what} calls Python ({', '.join(sorted(culprits))}), and nobody can tell whether "
            "that yields the same again. Make it a keras.utils.PyDataset, whose batches are "
            "asked for by their number."
        )
    if culprits := _random(found) | found & WRITES:
        raise NotExact(
            f"{what} draws random numbers that go on from pass to pass "
            f"({', '.join(sorted(culprits))}). Put random layers into the model, or use "
            "tf.random.stateless_* with seeds taken from the element's number."
        )
    _check_shuffles(graph, what, anew_each_epoch)


def _check_shuffles(graph: Any, what: str, anew_each_epoch: bool) -> None:
    by_name = {node.name: node for node in graph.node}
    shuffles = [node for _, node in _operations(graph) if node.op.startswith("Shuffle")]
    for node in shuffles:
        outer = node.name in by_name and by_name[node.name] is node
        if not outer or not any(_constant(by_name, name) for name in node.input[2:4]):
            raise NotExact(
                f"{what} is shuffled without a seed, differently in each process. "
                "Write shuffle(n, seed=..., reshuffle_each_iteration=False)."
            )
        if node.attr["reshuffle_each_iteration"].b and not anew_each_epoch:
            raise NotExact(
                f"{what} is shuffled anew in each epoch, in an order that depends on how many "
                "came before it in this process. Hand over a function that makes the pipeline "
                "of an epoch: lambda epoch: dataset.shuffle(n, seed=seed + epoch). Or write "
                "reshuffle_each_iteration=False, or hand over arrays, which are shuffled exactly."
            )


def graph_of(dataset: Any) -> Any:
    """The pipeline as a GraphDef, with the values of all that it was made of."""
    variant = tf.data.experimental.to_variant(dataset)
    try:
        text = tf.raw_ops.DatasetToGraphV2(input_dataset=variant, external_state_policy=1)
        return tf.compat.v1.GraphDef.FromString(text.numpy())
    except (tf.errors.OpError, ValueError) as error:
        raise NotExact(
            f"A tf.data pipeline could not be looked into ({type(error).__name__}): perhaps it "
            "holds more than 2 GB. Read the data from files in it, or hand over arrays."
        ) from error


def _constant(nodes: Any, name: str) -> int:
    tensor = nodes[name.partition(":")[0]].attr["value"].tensor
    return int(tf.make_ndarray(tensor)) if tensor.ByteSize() else 0


def _operations(graph: Any) -> list[tuple[str, Any]]:
    """Kind and node of each operation, those of functions included."""
    inner = [node for function in graph.library.function for node in function.node_def]
    return [(node.op, node) for node in [*graph.node, *inner]]


def _random(names: set[str]) -> set[str]:
    return {n for n in names if n in RANDOM or ("Random" in n and not n.startswith("Stateless"))}


def _spec(array: Any) -> Any:
    return tf.TensorSpec((None, *array.shape[1:]), array.dtype)
