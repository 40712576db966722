"""The Keras network that is exported: its input, its output, and how pixels are scaled."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from course_utils.environment import quiet_native_stderr
from course_utils.inference.pixels import RAW as RAW
from course_utils.inference.pixels import Pixels as Pixels
from course_utils.inference.tracing import UnsupportedNetwork, check_network

BATCH_SIZE = 16  # examples that are computed at a time


class Source:
    """A network that can be exported.

    Attributes:
        model: the Keras network.
        pixels: what stands before it; `RAW` for a table.
        shape: of one example, ``(height, width, channels)`` or ``(features,)``.
        classes: number of values in its answer to an example.
        labels: the names of the classes, each only once; None without names.
    """

    def __init__(
        self, model: Any, preprocess: Pixels = RAW, labels: Sequence[str] | None = None
    ) -> None:
        """Check a network, and what was said about its input and its output.

        Raises:
            UnsupportedNetwork: it cannot be exported, or the labels are not as many as the outputs.
            TypeError: ``model`` is no Keras network, or ``preprocess`` no `Pixels`.
            ValueError: ``preprocess`` does not fit the input.
        """
        if not isinstance(preprocess, Pixels):
            raise TypeError(f"preprocess is a Pixels, such as MINUS_ONE_TO_ONE, not {preprocess!r}")
        self.model, self.pixels = model, preprocess
        self.shape = _input_shape(model)
        self.classes = _count_outputs(model)
        if self.is_image:
            preprocess.biases(self.shape[-1])
        elif preprocess != RAW:
            raise ValueError("preprocess is for photos; this network takes rows of numbers.")
        self.labels = None if labels is None else self._name_classes(labels)

    @property
    def is_image(self) -> bool:
        return len(self.shape) == 3

    @property
    def network(self) -> Any:
        """The network with its preprocessing in front, as a Keras network of its own."""
        if self.pixels == RAW:
            return self.model
        with quiet_native_stderr():
            import keras
        photos = keras.Input(self.shape, name="pixels")
        ordered = photos[..., ::-1] if self.pixels.bgr else photos
        biases = self.pixels.biases(self.shape[-1])
        scaled = keras.layers.Rescaling(self.pixels.scale, offset=biases)(ordered)
        return keras.Model(photos, self.model(scaled))

    def describe_input(self) -> str:
        """What goes in, for a person who sees the file only."""
        if not self.is_image:
            return f"One row of {self.shape[0]} numbers, as they are in the table"
        height, width, channels = self.shape
        colours = "RGB" if channels == 3 else "grey"
        return f"A photo of {width} x {height} pixels, {colours}, each from 0 to 255"

    def check_samples(self, samples: Any) -> np.ndarray:
        """Examples to compare on: photos in uint8, or rows in float32.

        Raises:
            ValueError: other shapes or types, or none at all.
        """
        array = np.asarray(samples)
        if array.shape[1:] != self.shape or not len(array):
            raise ValueError(
                f"the network takes examples of shape {self.shape}, at least one of them; "
                f"got an array of shape {array.shape}"
            )
        if self.is_image and array.dtype != np.uint8:
            raise ValueError(
                "photos are compared as a camera gives them: pixels from 0 to 255 in uint8, not "
                f"{array.dtype}. Do not prepare them; say by preprocess= what the network takes."
            )
        return array if self.is_image else array.astype(np.float32)

    def prepare(self, samples: np.ndarray) -> np.ndarray:
        """What the network takes for checked samples, in float32."""
        return self.pixels.apply(samples) if self.is_image else samples

    def predict(self, samples: np.ndarray) -> np.ndarray:
        """What Keras itself answers, ``(n, classes)`` in float32."""
        from keras.tree import flatten  # its output may be a dictionary of one

        return compute_in_batches(
            lambda batch: np.asarray(flatten(self.model(batch, training=False))[0], np.float32),
            self.prepare(samples),
        )

    def _name_classes(self, labels: Sequence[str]) -> list[str]:
        """The names of the classes; to a name that comes again, its number is added.

        CoreML answers with a dictionary, in which the second of two equal names (ImageNet has a
        bird and a machine called crane) would replace the first.
        """
        if len(labels) != self.classes:
            raise UnsupportedNetwork(
                f"{len(labels)} labels for {self.classes} classes: the output layer "
                f"{self.model.layers[-1].name!r} has {self.classes} outputs, and each needs its "
                "name."
            )
        names: list[str] = []
        for number, name in enumerate(map(str, labels)):
            while name in names:
                name = f"{name} ({number})"
            names.append(name)
        return names


def compute_in_batches(
    compute: Callable[[np.ndarray], np.ndarray], examples: np.ndarray
) -> np.ndarray:
    """The answers to all examples, of which only a few are in memory at a time."""
    starts = range(0, len(examples), BATCH_SIZE)
    return np.concatenate([compute(examples[i : i + BATCH_SIZE]) for i in starts])


def _input_shape(model: Any) -> tuple[int, ...]:
    """Shape of one example.

    Raises:
        TypeError: this is no Keras network.
        UnsupportedNetwork: a network of this kind is not exported.
    """
    with quiet_native_stderr():
        import keras
    if not isinstance(model, keras.Model):
        raise TypeError(f"model is a Keras network, not {type(model).__name__}")
    check_network(model)
    name, shape = model.inputs[0].name, tuple(model.inputs[0].shape[1:])
    if None in shape or not (len(shape) == 1 or (len(shape) == 3 and shape[-1] in (1, 3))):
        raise UnsupportedNetwork(
            f"The input layer {name!r} takes {shape}. Networks are exported that take a photo "
            "(height, width, 1 or 3 channels) or a row of numbers (features,), each size given: "
            "build the network again with a keras.Input such as keras.Input((224, 224, 3))."
        )
    return shape


def _count_outputs(model: Any) -> int:
    shape = tuple(model.outputs[0].shape[1:])
    if len(shape) != 1 or shape[0] is None:
        raise UnsupportedNetwork(
            f"The output layer {model.layers[-1].name!r} gives a tensor of shape {shape}; networks "
            "are exported that give a row of numbers, such as a probability for each class."
        )
    return int(shape[0])
