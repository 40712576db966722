"""The Keras network that is exported: what it takes, what is refused, and the pixels before it."""

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.environment import quiet_native_stderr

#: is told what is being done, how many steps of it are done, and of how many
Report = Callable[[str, int, int], None]

CHANNELS = (1, 3)


class Unsupported(ValueError):
    """A network that cannot be exported; the message names the layer and says what to do."""


@dataclass(frozen=True)
class Pixels:
    """What a network was trained on, from pixels of 0 to 255: ``pixel * scale + bias``.

    ``bias`` is one number or one to each channel, in the network's order of them; ``bgr`` means
    that this order is blue, green, red.
    """

    scale: float = 1.0
    bias: float | tuple[float, ...] = 0.0
    bgr: bool = False

    def biases(self, channels: int) -> list[float]:
        """One to each channel.

        Raises:
            ValueError: there are more or fewer of them.
        """
        values = [self.bias] * channels if isinstance(self.bias, (int, float)) else [*self.bias]
        if len(values) != channels:
            raise ValueError(f"preprocess has {len(values)} biases for {channels} channels.")
        return [float(value) for value in values]

    def apply(self, photos: np.ndarray) -> np.ndarray:
        """What the network takes for ``photos``: float32 of the same shape."""
        ordered = photos[..., ::-1] if self.bgr else photos
        scaled = ordered.astype(np.float64) * self.scale + self.biases(photos.shape[-1])
        return scaled.astype(np.float32)


#: the network scales pixels itself, or was trained on 0 to 255
RAW = Pixels()
#: from -1 to 1: MobileNet, MobileNetV2, Inception, Xception (``mode="tf"`` in Keras)
MINUS_ONE_TO_ONE = Pixels(1 / 127.5, -1.0)
#: from 0 to 1
ZERO_TO_ONE = Pixels(1 / 255)
#: ImageNet's mean taken off, blue first: VGG16, VGG19, ResNet50 (``mode="caffe"`` in Keras)
CAFFE = Pixels(1.0, (-103.939, -116.779, -123.68), bgr=True)


@dataclass(frozen=True)
class About:
    """What an exported file says about itself to a person; empty texts are left out."""

    author: str = ""
    licence: str = ""
    version: str = ""
    summary: str = ""
    input: str = ""
    output: str = ""


class Source:
    """A network that can be exported.

    Attributes:
        model: the Keras network.
        shape: of one example, ``(height, width, channels)`` or ``(features,)``.
        classes: numbers in its answer.
        pixels: what stands before it; `RAW` for a table.
    """

    def __init__(self, model: Any, preprocess: Pixels = RAW, *, allow_custom: bool = False):
        """Look at a network.

        Raises:
            Unsupported: it cannot be exported; with the name of the layer.
            TypeError: it is no Keras model, or ``preprocess`` no `Pixels`.
        """
        if not isinstance(preprocess, Pixels):
            raise TypeError(f"preprocess is a Pixels, such as MINUS_ONE_TO_ONE, not {preprocess!r}")
        _must_be_plain(model, allow_custom)
        self.model, self.pixels = model, preprocess
        self.shape = _input_shape(model)
        self.classes = _outputs(model)
        if self.is_image:
            preprocess.biases(self.shape[-1])
        elif preprocess != RAW:
            raise ValueError("preprocess is for photos; this network takes rows of numbers.")

    @property
    def is_image(self) -> bool:
        return len(self.shape) == 3

    @property
    def output_layer(self) -> str:
        return str(self.model.layers[-1].name)

    def describe_input(self) -> str:
        """What goes in, for a person who sees the file only."""
        if not self.is_image:
            return f"One row of {self.shape[0]} numbers, as they are in the table"
        height, width, channels = self.shape
        colours = "RGB" if channels == 3 else "grey"
        return f"A photo of {width} x {height} pixels, {colours}, each from 0 to 255"

    def check_labels(self, labels: Sequence[str] | None) -> list[str] | None:
        """The names of the classes, each only once: to a name that comes again its number is added.

        CoreML answers with a dictionary, in which the second of two equal names (ImageNet has a
        bird and a machine called crane) would replace the first.

        Raises:
            Unsupported: there are more or fewer than the network has outputs.
            TypeError: a label is no text.
        """
        if labels is None:
            return None
        names = list(labels)
        if isinstance(labels, str) or not all(isinstance(name, str) for name in names):
            raise TypeError("labels is a list of texts: the names of the classes in their order.")
        if len(names) != self.classes:
            raise Unsupported(
                f"{len(names)} labels for {self.classes} classes: the output layer "
                f"{self.output_layer!r} has {self.classes} outputs, and each needs its name."
            )
        seen: Counter[str] = Counter()
        for number, name in enumerate(names):
            seen[name] += 1
            if seen[name] > 1:
                names[number] = f"{name} ({number})"
        return names

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

    def expected(self, samples: np.ndarray, batch: int = 16) -> np.ndarray:
        """What Keras itself answers, ``(n, classes)`` in float32."""
        prepared = self.pixels.apply(samples) if self.is_image else samples
        parts = range(0, len(samples), batch)
        answers = [self.model(prepared[i : i + batch], training=False) for i in parts]
        return np.concatenate([np.asarray(answer, np.float32) for answer in answers])

    def with_pixels(self) -> Any:
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


def all_layers(model: Any) -> Iterator[Any]:
    """The layers of a network, those of networks within it included."""
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from all_layers(layer)


def layer_of(model: Any, text: str) -> str:
    """The layer that a converter means: it writes ``network_1/dense_2_1/MatMul`` for ``dense_2``.

    Returns:
        The layer's name; empty where the text names none.
    """
    names = {layer.name for layer in all_layers(model)}
    for piece in reversed(text.split("/")):
        word = piece.split('"')[-1].split()[-1:] or [""]
        stem, _, number = word[0].rpartition("_")
        if number.isdigit() and stem in names:
            return str(stem)
        if word[0] in names:
            return str(word[0])
    return ""


def layer_in(model: Any, text: str) -> str:
    """The layer that a converter's message is about: the longest name in it; empty without one."""
    names = sorted((layer.name for layer in all_layers(model)), key=len, reverse=True)
    ends = r"(?=_\d|\W|$)"
    found = (name for name in names if re.search(rf"(?<![\w]){re.escape(name)}{ends}", text))
    return next(found, "")


def _must_be_plain(model: Any, allow_custom: bool) -> None:
    """A model whose parts Keras itself brings."""
    with quiet_native_stderr():
        import keras
    if not isinstance(model, keras.Model):
        raise TypeError(f"model is a Keras network, not {type(model).__name__}")
    if not (isinstance(model, keras.Sequential) or type(model).__name__ == "Functional"):
        raise Unsupported(
            f"The network {model.name!r} is a {type(model).__name__}, a class of its own. "
            "Sequential and functional networks are exported: build it as one of these."
        )
    for layer in () if allow_custom else all_layers(model):
        if type(layer).__module__.partition(".")[0] != "keras":
            raise Unsupported(
                f"The layer {layer.name!r} is a custom layer ({type(layer).__name__}): what it "
                "computes may not exist in the other format. Use Keras' own layers; or try it with "
                "allow_custom=True, and let verify say whether it came through."
            )


def _input_shape(model: Any) -> tuple[int, ...]:
    if not model.built or not getattr(model, "inputs", None):
        raise Unsupported(f"The network {model.name!r} has no input yet: give it a keras.Input.")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise Unsupported(
            f"The network {model.name!r} has {len(model.inputs)} inputs and {len(model.outputs)} "
            "outputs; networks with one of each are exported."
        )
    name, shape = model.inputs[0].name, tuple(model.inputs[0].shape[1:])
    if None in shape:
        raise Unsupported(
            f"The input layer {name!r} takes a dynamic shape, {shape}. A phone needs to know it: "
            "build the network again with each size given, such as keras.Input((224, 224, 3))."
        )
    if not (len(shape) == 1 or (len(shape) == 3 and shape[-1] in CHANNELS)):
        raise Unsupported(
            f"The input layer {name!r} takes {shape}. Networks are exported that take a photo "
            "(height, width, 1 or 3 channels) or a row of numbers (features,)."
        )
    return shape


def _outputs(model: Any) -> int:
    shape = tuple(model.outputs[0].shape[1:])
    if len(shape) != 1 or shape[0] is None:
        raise Unsupported(
            f"The output layer {model.layers[-1].name!r} gives a tensor of shape {shape}; networks "
            "are exported that give a row of numbers, such as a probability for each class."
        )
    return int(shape[0])


def printed(step: str, done: int, total: int) -> None:
    """A report for notebooks: a line for each step, the same in every run."""
    if done < total:
        print(f"{done + 1}/{total} {step} ...", flush=True)


def check_path(path: str | Path, suffix: str, overwrite: bool) -> Path:
    """Where an export is to be written.

    Raises:
        ValueError: the name ends otherwise.
        FileExistsError: something is there already, and ``overwrite`` was not said.
        FileNotFoundError: the folder is not there.
    """
    path = Path(path)
    if path.suffix != suffix:
        raise ValueError(f"{path.name}: the name has to end in {suffix}")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} is there already; say overwrite=True to replace it.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"The folder {path.parent} is not there.")
    return path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place to write to; what is there at the end, and whole, replaces ``path``."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        draft = Path(folder) / path.name
        yield draft
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        draft.replace(path)
