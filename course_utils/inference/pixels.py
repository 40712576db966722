"""How a network wants the pixels of a photo, and what its file tells of that."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.inference.model_files import KERAS_SUFFIXES, read_layers


@dataclass(frozen=True)
class Pixels:
    """How pixels of 0 to 255 become what a network was trained on: ``pixel * scale + bias``.

    ``bias`` is one number or one for each channel, in the network's order of them; ``bgr`` means
    that this order is blue, green, red.
    """

    scale: float = 1.0
    bias: float | tuple[float, ...] = 0.0
    bgr: bool = False

    def biases(self, channels: int) -> list[float]:
        """One bias for each channel.

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

#: by the name that people choose it by
PIXELS = {"0..255": RAW, "-1..1": MINUS_ONE_TO_ONE, "0..1": ZERO_TO_ONE, "caffe": CAFFE}
#: Keras' networks that have no preprocessing inside, by the name of a layer that only they have,
#: with the pixels that they were trained on; DenseNet's are none of `PIXELS`
STOCK_NETWORKS: dict[str, tuple[str, str | None]] = {
    "conv_dw_1": ("MobileNet", "-1..1"),
    "expanded_conv_depthwise": ("MobileNet", "-1..1"),  # versions 2 and 3
    "mixed10": ("InceptionV3", "-1..1"),
    "conv_7b": ("InceptionResNetV2", "-1..1"),
    "block2_sepconv1": ("Xception", "-1..1"),
    "stem_conv1": ("NASNet", "-1..1"),
    "conv2_block1_preact_bn": ("ResNetV2", "-1..1"),
    "conv2_block1_add": ("ResNet", "caffe"),
    "block1_pool": ("VGG", "caffe"),
    "conv2_block1_concat": ("DenseNet", None),
}
#: kinds of layers that leave the range of pixels as it is
KEEPS_RANGE = ("InputLayer", "ZeroPadding2D", "Resizing", "CenterCrop", "Dropout", "Random")


def choose_pixels(model: Path, pixels: str | Pixels | None = None) -> Pixels:
    """How the network in a file wants its pixels.

    Args:
        model: the file.
        pixels: what is known of it: a name of `PIXELS`, or a `Pixels`. Without, the pixels stay as
            they are, 0 to 255.

    Raises:
        ValueError: there is no such name; or nothing is said, and the file holds one of Keras'
            own networks, which was trained on other pixels.
    """
    if isinstance(pixels, Pixels):
        return pixels
    if pixels is not None and pixels not in PIXELS:
        raise ValueError(f"pixels is one of {', '.join(PIXELS)}, not {pixels!r}.")
    found = None if pixels else _find_stock_network(model)
    if found:
        name, wanted = found
        remedy = (
            f'Say --pixels {wanted} (in Python pixels="{wanted}")'
            if wanted
            else "Put Keras' preprocess_input for it in front, and save it again"
        )
        raise ValueError(
            f"{model.name} is Keras' {name} without its preprocessing: photos have pixels from 0 "
            f"to 255, and it was trained on others. {remedy}; or --pixels 0..255, if you trained "
            "it on these."
        )
    return PIXELS[pixels or "0..255"]


def _find_stock_network(model: Path) -> tuple[str, str | None] | None:
    """The row of `STOCK_NETWORKS` that a Keras file begins with; None where that is not certain."""
    if model.suffix not in KERAS_SUFFIXES:
        return None
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        layers = list(_list_layers(read_layers(model)))
        kinds = [kind for kind, _ in layers if not kind.startswith(KEEPS_RANGE)]
        if kinds[:1] in (["Conv2D"], ["SeparableConv2D"]):  # else something may scale them first
            found = [STOCK_NETWORKS[name] for _, name in layers if name in STOCK_NETWORKS]
            return found[0] if found else None
    return None


def _list_layers(network: Any) -> Iterator[tuple[str, str]]:
    """Kind and name of the layers of a configuration, in order, with those of inner networks."""
    for layer in network["config"]["layers"]:
        if "layers" in layer["config"]:
            yield from _list_layers(layer)
        else:
            yield layer["class_name"], layer["config"]["name"]
