"""The batches of each epoch as a function of seed, epoch and number.

So another process can enter an epoch in its middle and goes on with the same batches.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.training.resume.errors import ResumeError
from course_utils.training.resume.fingerprint import describe_arrays
from course_utils.training.resume.frameworks import keras, tf

COMPARED_BATCHES = 5  # of a pipeline, read twice


@dataclass(frozen=True)
class Data:
    """Training or validation data whose batches depend on nothing but epoch and number."""

    steps: int  # batches per epoch
    sample: Any  # one batch
    fingerprint: Any  # what tells these data from others, as JSON can hold it
    batches: Callable[[int, int], Any]  # of an epoch, from a batch on, as ``model.fit`` takes them


Order = Callable[[int, int], np.ndarray]  # (epoch, size) -> the numbers below size


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """The rest of an epoch, as Keras asks for it."""

    def __init__(self, load: Callable[[Any], Any], keys: list[Any], **options: Any):
        super().__init__(**options)
        self._load, self._keys = load, keys

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, number: int) -> Any:
        return self._load(self._keys[number])


def open_data(x: Any, y: Any, *, batch_size: int, seed: int | None) -> Data:
    """Open training or validation data.

    Args:
        x: as of `course_utils.training.resume.fit`.
        y: the same.
        batch_size: for arrays.
        seed: of the order, which is another one in each epoch; None for the data's own.

    Raises:
        ResumeError: the data cannot be repeated exactly. The message says what to do.
        ValueError: arrays do not fit each other, or targets are missing or given twice.
    """

    def order(epoch: int, size: int) -> np.ndarray:
        if seed is None:
            return np.arange(size)
        return np.random.default_rng([seed, epoch]).permutation(size)

    is_numbered = isinstance(x, keras.utils.PyDataset)
    if is_numbered or isinstance(x, tf.data.Dataset) or callable(x):
        if y is not None:
            raise ValueError("The data set brings its targets itself: leave out y.")
        return _open_numbered(x, order) if is_numbered else _open_pipeline(x)
    if y is None:
        raise ValueError(
            "y is missing: arrays as x need their targets. A generator cannot be entered in its "
            "middle: hand over arrays, a keras.utils.PyDataset or a tf.data.Dataset."
        )
    return _open_arrays((x, y), batch_size, order)


def open_validation(data: Any, batch_size: int) -> Data | None:
    """Open validation data, which stay in their own order."""
    if data is None:
        return None
    pair = data if isinstance(data, tuple | list) else (data, None)
    if len(pair) != 2:
        raise ValueError(f"validation_data is (x, y) or a data set; this has {len(pair)} parts.")
    x, y = pair
    return open_data(x, y, batch_size=batch_size, seed=None)


def _open_arrays(parts: Any, batch_size: int, order: Order) -> Data:
    parts = keras.tree.map_structure(np.asarray, parts)
    sizes = {len(array) for array in keras.tree.flatten(parts)}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(
            f"The arrays must hold equally many examples, at least one; got {sorted(sizes)}."
        )
    size = sizes.pop()
    starts = range(0, size, batch_size)

    def load(rows: Any) -> Any:
        return keras.tree.map_structure(lambda array: _cast(array[rows]), parts)

    def batches(epoch: int, first: int) -> Any:
        rows = order(epoch, size)
        return _Batches(load, [rows[start : start + batch_size] for start in starts[first:]])

    return Data(len(starts), load(slice(batch_size)), describe_arrays(parts), batches)


def _cast(array: np.ndarray) -> np.ndarray:
    """Turn float64 into Keras' own precision, as Keras does with arrays."""
    return array.astype(keras.config.floatx()) if array.dtype == np.float64 else array


def _open_numbered(dataset: Any, order: Order) -> Data:
    """Open a PyDataset; its batches are shuffled, as Keras does it."""
    plain, hooks = keras.utils.PyDataset, ("on_epoch_begin", "on_epoch_end")
    if own := [hook for hook in hooks if getattr(type(dataset), hook) is not getattr(plain, hook)]:
        raise ResumeError(
            f"The PyDataset changes between epochs (it has an {own[0]}), which another "
            "process cannot repeat. Leave it out: batches are shuffled for you, the same way in "
            "each process. Random changes of images belong into the model as layers."
        )
    steps = len(dataset)
    first, again, last = (describe_arrays(dataset[number]) for number in (0, 0, steps - 1))
    if first != again:
        raise ResumeError(
            "The PyDataset gave two different batches for the number 0. Let a batch depend on "
            "its number alone. Random changes of images belong into the model as layers."
        )
    fingerprint = {"kind": type(dataset).__name__, "batches": steps, "first": first, "last": last}
    names = ("workers", "use_multiprocessing", "max_queue_size")
    options = {name: getattr(dataset, name) for name in names}

    def batches(epoch: int, start: int) -> Any:
        return _Batches(dataset.__getitem__, order(epoch, steps)[start:].tolist(), **options)

    return Data(steps, dataset[0], fingerprint, batches)


def _open_pipeline(x: Any) -> Data:
    """Open a tf.data.Dataset of batches, or a function that makes one for each epoch."""
    options = tf.data.Options()
    options.deterministic = True

    def batches(epoch: int, start: int) -> Any:
        return (x(epoch) if callable(x) else x).with_options(options).skip(start)

    steps = int(batches(0, 0).cardinality())
    if steps <= 0:
        raise ResumeError(
            "The pipeline is endless or of unknown length, so its epochs have no fixed end. Use "
            "take(n), or apply(tf.data.experimental.assert_cardinality(n)) for a known length."
        )
    once, again = (list(batches(0, 0).take(COMPARED_BATCHES).as_numpy_iterator()) for _ in range(2))
    if describe_arrays(once) != describe_arrays(again):
        raise ResumeError(
            "The pipeline gave different batches when it was read twice. If it shuffles anew in "
            "each epoch, hand over a function that makes the pipeline of an epoch: "
            "lambda epoch: dataset.shuffle(n, seed=seed + epoch). Put random layers into the "
            "model, or use tf.random.stateless_* with seeds taken from the element's number."
        )
    fingerprint = {"batches": steps, "first": describe_arrays(once[0])}
    return Data(steps, once[0], fingerprint, batches)
