"""The batches of each epoch as a function of (seed, epoch, number of the batch).

So an epoch can be entered in its middle, in another process, and goes on with the same batches.
"""

import hashlib
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from course_utils.environment import quiet_native_stderr
from course_utils.training.resume.exactness import check_pipeline, graph_of
from course_utils.training.resume.state import NotExact

with quiet_native_stderr():
    import keras
    import tensorflow as tf

# Constants in a pipeline's graph that only say where something lies in this process.
HANDLES = {tf.resource.as_datatype_enum, tf.variant.as_datatype_enum}


class Feed:
    """The training data. ``epoch`` says which epoch's batches are handed out."""

    steps: int  # batches in an epoch
    epoch: int = 0
    one_epoch_at_a_time = False  # whether `batches_from` gives batches for a single epoch only

    def batches_from(self, start: int) -> Any:
        """What ``model.fit`` takes: from batch ``start`` of this epoch; 0: this and later ones."""
        raise NotImplementedError

    def sample(self) -> Any:
        """One batch, to know its shapes and types."""
        raise NotImplementedError

    def fingerprint(self) -> Any:
        """What tells these data from others, as JSON can hold it."""
        raise NotImplementedError


class Numbered(Feed):
    """Data whose batches can be asked for by number: arrays and `keras.utils.PyDataset`."""

    def __init__(self, size: int, seed: int, shuffle: bool):
        self._size, self._seed, self._shuffle = size, seed, shuffle
        self._order: tuple[int, np.ndarray] = (-1, np.arange(size))

    def order(self) -> np.ndarray:
        """This epoch's order of what is shuffled."""
        epoch, order = self._order  # read at once: batches may be loaded by many threads
        if not self._shuffle:
            return order
        if epoch != self.epoch:
            epoch = self.epoch
            order = np.random.default_rng([self._seed, epoch]).permutation(self._size)
            self._order = epoch, order
        return order

    def batch(self, number: int) -> Any:
        raise NotImplementedError

    def batches_from(self, start: int) -> Any:
        return _Batches(self, start)

    def sample(self) -> Any:
        return self.batch(0)


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """The batches of a `Numbered` from one on, as Keras asks for them."""

    def __init__(self, feed: Numbered, start: int, **options: Any):
        super().__init__(**options)
        self._feed, self._start = feed, start

    def __len__(self) -> int:
        return self._feed.steps - self._start

    def __getitem__(self, number: int) -> Any:
        return self._feed.batch(self._start + number)


class Arrays(Numbered):
    """NumPy arrays, or anything NumPy reads as one, also several in a dict, list or tuple."""

    def __init__(self, parts: tuple[Any, ...], batch_size: int, seed: int, shuffle: bool):
        self._parts = keras.tree.map_structure(_as_array, parts)
        sizes = {len(array) for array in keras.tree.flatten(self._parts)}
        if len(sizes) != 1 or 0 in sizes:
            raise ValueError(
                f"The arrays must hold equally many examples, at least one; got {sorted(sizes)}."
            )
        super().__init__(sizes.pop(), seed, shuffle)
        self._batch_size = batch_size
        self.steps = math.ceil(self._size / batch_size)

    def batch(self, number: int) -> Any:
        rows = self.order()[number * self._batch_size :][: self._batch_size]
        return keras.tree.map_structure(lambda array: _as_fed(array[rows]), self._parts)

    def fingerprint(self) -> Any:
        return described(self._parts)


class Dataset(Numbered):
    """A `keras.utils.PyDataset`; its batches are shuffled, as Keras does it."""

    def __init__(self, dataset: Any, seed: int, shuffle: bool):
        check_numbered(dataset, "The PyDataset")
        super().__init__(len(dataset), seed, shuffle)
        self._dataset = dataset
        self.steps = self._size

    def batches_from(self, start: int) -> Any:
        inner = self._dataset
        return _Batches(
            self,
            start,
            workers=inner.workers,
            use_multiprocessing=inner.use_multiprocessing,
            max_queue_size=inner.max_queue_size,
        )

    def batch(self, number: int) -> Any:
        return self._dataset[int(self.order()[number])]

    def fingerprint(self) -> Any:
        return numbered_fingerprint(self._dataset)


class Pipeline(Feed):
    """A `tf.data.Dataset` of batches, or a function that makes one for each epoch."""

    def __init__(self, x: Any):
        self.one_epoch_at_a_time = not isinstance(x, tf.data.Dataset)
        self._of_epoch: Callable[[int], Any] = x if self.one_epoch_at_a_time else lambda epoch: x
        first = self._of_epoch(0)
        if not isinstance(first, tf.data.Dataset):
            raise ValueError("A function as x must return the tf.data.Dataset of an epoch.")
        check_pipeline(first, "The pipeline", anew_each_epoch=self.one_epoch_at_a_time)
        self.steps = int(first.cardinality())

    def batches_from(self, start: int) -> Any:
        dataset = self._of_epoch(self.epoch)
        if (steps := int(dataset.cardinality())) != self.steps:
            raise NotExact(
                f"Epoch {self.epoch + 1} has {steps} batches, others {self.steps}; they must "
                "have equally many."
            )
        return dataset.skip(start) if start else dataset

    def sample(self) -> Any:
        return next(iter(self._of_epoch(0).take(1)))

    def fingerprint(self) -> Any:
        return pipeline_fingerprint(self._of_epoch(0))


def feed(x: Any, y: Any, sample_weight: Any, *, batch_size: int, seed: int, shuffle: bool) -> Feed:
    """The training data as batches that depend on nothing but their number.

    Raises:
        NotExact: they cannot be repeated exactly; with the remedy.
        ValueError: the arrays do not fit each other.
    """
    if not _brings_targets(x):
        if y is None:
            raise ValueError("y is missing: arrays as x need their targets.")
        parts = (x, y) if sample_weight is None else (x, y, sample_weight)
        return Arrays(parts, batch_size, seed, shuffle)
    if y is not None or sample_weight is not None:
        raise ValueError("A tf.data.Dataset or PyDataset brings targets and weights itself.")
    return Dataset(x, seed, shuffle) if isinstance(x, keras.utils.PyDataset) else Pipeline(x)


def _brings_targets(x: Any) -> bool:
    kinds = (keras.utils.PyDataset, tf.data.Dataset)
    if isinstance(x, kinds) or callable(x):
        return True
    if hasattr(x, "__next__"):
        raise NotExact(
            "A generator cannot be entered in its middle, nor started again. Hand over arrays, "
            "a keras.utils.PyDataset or a tf.data.Dataset."
        )
    return False


def validation_fingerprint(data: Any) -> Any:
    """Check validation data as `feed` does training data; what tells them from others.

    Raises:
        NotExact: they cannot be repeated exactly.
    """
    if data is None:
        return None
    if isinstance(data, tf.data.Dataset):
        check_pipeline(data, "The validation pipeline", anew_each_epoch=False)
        return pipeline_fingerprint(data)
    if isinstance(data, keras.utils.PyDataset):
        check_numbered(data, "The validation PyDataset")
        return numbered_fingerprint(data)
    if _brings_targets(data):
        raise ValueError("validation_data: expected (x, y), a tf.data.Dataset or a PyDataset.")
    return described(keras.tree.map_structure(_as_array, tuple(data)))


def check_numbered(dataset: Any, what: str) -> None:
    """See that a PyDataset gives the same batch for a number each time, as far as can be seen.

    Raises:
        NotExact: it does not.
    """
    plain = keras.utils.PyDataset
    hooks = ("on_epoch_begin", "on_epoch_end")
    if any(getattr(type(dataset), hook) is not getattr(plain, hook) for hook in hooks):
        raise NotExact(
            f"{what} changes between epochs (it has on_epoch_begin or on_epoch_end), which "
            "another process cannot repeat. Leave them out: batches are shuffled for you, the "
            "same way in each process; random changes of images belong into the model as layers."
        )
    if dataset.num_batches is None:
        raise NotExact(f"{what} is endless, so its epochs have no fixed end: give it __len__.")
    if described(dataset[0]) != described(dataset[0]):
        raise NotExact(
            f"{what} gave two different batches for the number 0. Let a batch depend on its "
            "number alone; random changes of images belong into the model as layers."
        )


def numbered_fingerprint(dataset: Any) -> Any:
    """Of a PyDataset: its class, length, first and last batch (all would take an epoch)."""
    size = len(dataset)
    return {
        "kind": type(dataset).__name__,
        "batches": size,
        "first": described(dataset[0]),
        "last": described(dataset[size - 1]),
    }


def pipeline_fingerprint(dataset: Any) -> Any:
    """Of a tf.data pipeline: its steps with all constants (file names, arrays), its first batch."""
    graph = graph_of(dataset)
    inner = [node for function in graph.library.function for node in function.node_def]
    nodes = [*graph.node, *inner]
    digest = hashlib.sha256(json.dumps([node.op for node in nodes]).encode())
    for node in nodes:
        if node.op == "Const" and node.attr["dtype"].type not in HANDLES:
            digest.update(node.attr["value"].tensor.SerializeToString(deterministic=True))
    first = keras.tree.map_structure(lambda tensor: tensor.numpy(), next(iter(dataset.take(1))))
    return {
        "batches": int(dataset.cardinality()),
        "steps, file names and seeds (tf.random.set_seed counts, too)": digest.hexdigest(),
        "first": described(first),
    }


def described(parts: Any) -> Any:
    """Type, shape and SHA-256 of each array in a structure."""
    return [_described(np.asarray(array)) for array in keras.tree.flatten(parts)]


def _described(array: np.ndarray) -> str:
    if array.dtype == object:  # texts of pandas
        array = array.astype(str)
    data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return f"{array.dtype} {array.shape} {hashlib.sha256(data).hexdigest()}"  # type: ignore[arg-type]


def _as_array(data: Any) -> np.ndarray:
    return np.asarray(data)


def _as_fed(array: np.ndarray) -> np.ndarray:
    """As Keras feeds arrays: float64 in its own precision."""
    return array.astype(keras.config.floatx()) if array.dtype == np.float64 else array
