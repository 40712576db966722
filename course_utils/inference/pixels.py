"""How a network wants the pixels of a photo, and what its file tells of that."""

import contextlib
import json
import re
import tomllib
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
#: Keras' networks, and the layers that leave the range of pixels as it is
LAYERS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
MAX_RAW_SCALE = 0.02  # a smaller factor is for pixels up to 255


def pixels_path(model: Path) -> Path:
    """The file beside a LiteRT file that names its pixels, as a JSON string."""
    return model.with_name(f"{model.stem}.pixels.json")


def write_pixels(network: Any, copy: Path) -> None:
    """Name beside a LiteRT file the pixels that it takes, where its network scales them itself.

    The file alone may not tell: its converter can make the factor a part of the weights.

    Args:
        network: that it was made from, as `find_range` takes it.
        copy: the LiteRT file.
    """
    pixels_path(copy).unlink(missing_ok=True)
    name, wanted = find_range(network)
    if wanted and not name:
        pixels_path(copy).write_text(json.dumps(wanted), encoding="utf-8")


def choose_pixels(
    model: Path, pixels: str | Pixels | None = None, default: str = "0..255"
) -> Pixels:
    """How the network in a file wants its pixels.

    Args:
        model: the file.
        pixels: what is known of it: a name of `PIXELS`, or a `Pixels`.
        default: what is taken where neither ``pixels`` nor the file says anything.

    Raises:
        ValueError: there is no such name; the file says something else; or nothing is said, and
            the file holds one of Keras' own networks, which was trained on other pixels.
    """
    if isinstance(pixels, Pixels):
        return pixels
    if pixels is not None and pixels not in PIXELS:
        raise ValueError(f"pixels is one of {', '.join(PIXELS)}, not {pixels!r}.")
    name, wanted = find_range(model)
    if name and not pixels:
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
    if wanted and not name and pixels not in (None, wanted):
        raise ValueError(
            f"{model.name} begins with a layer that scales pixels of {wanted}, and would scale "
            f"them twice. Leave out --pixels {pixels}."
        )
    return PIXELS[pixels or wanted or default]


def find_range(model: Any) -> tuple[str, str]:
    """What the layers of a network tell of the pixels that it takes.

    Args:
        model: a Keras network, or the path of a model file.

    Returns:
        The name of the network where it is one of Keras' in ``pixels.toml``, and the name of its
        pixels in `PIXELS`; each an empty text where the layers do not tell.
    """
    layers: list[tuple[str, dict[str, Any]]] = []
    with contextlib.suppress(Exception):  # what is wrong with a file is told when it is loaded
        if not isinstance(model, Path):
            layers = list(_list_layers({"config": model.get_config()}))
        elif model.suffix in KERAS_SUFFIXES:
            layers = list(_list_layers(read_layers(model)))
        elif pixels_path(model).is_file():
            return "", json.loads(pixels_path(model).read_text(encoding="utf-8"))
        else:
            layers = list(_list_operations(model.read_bytes()))
    inside = (layer for layer in layers if not layer[0].startswith(tuple(LAYERS["keeps_range"])))
    kind, config = next(inside, ("", {}))
    scale = config.get("scale")
    if kind in ("Rescaling", "MUL") and isinstance(scale, float) and 0 < scale < MAX_RAW_SCALE:
        return "", "0..255"
    stock = LAYERS["stock_networks"]
    found = [stock[name] for _, config in layers if (name := config.get("name")) in stock]
    # Where something else comes first, it may scale the pixels.
    certain = kind.upper().endswith(("CONV2D", "CONV_2D"))
    return found[0] if found and certain else ("", "")


def _list_layers(network: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Kind and configuration of a network's layers, in order, with those of inner networks."""
    for layer in network["config"]["layers"]:
        if "layers" in layer["config"]:
            yield from _list_layers(layer)
        else:
            yield layer["class_name"], layer["config"]


def _list_operations(content: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """The operations of a LiteRT file as layers, once for each name that is part of theirs."""
    from ai_edge_litert import schema_py_generated as schema

    kinds = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    model = schema.Model.GetRootAs(content)
    graph = model.Subgraphs(0)
    for operation in map(graph.Operators, range(graph.OperatorsLength())):
        code = model.OperatorCodes(operation.OpcodeIndex())
        kind = kinds[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        second = max(operation.Inputs(operation.InputsLength() > 1), 0)  # -1: left out
        constant = np.asarray(model.Buffers(graph.Tensors(second).Buffer()).DataAsNumpy())
        scale = constant.view(np.float32).item() if constant.nbytes == 4 else None
        for name in re.split("[/;]", graph.Tensors(operation.Outputs(0)).Name().decode()):
            for each in (name, re.sub(r"_\d+$", "", name)):  # TensorFlow numbers a layer's calls
                yield kind, {"name": each, "scale": scale}
