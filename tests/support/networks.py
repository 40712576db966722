"""Networks and photos for the tests and the benchmark of the exports."""

import json
import struct
from pathlib import Path

import numpy as np
from PIL import Image

from course_utils.datasets import load_auto_mpg, load_mnist
from course_utils.datasets.keras_cache import cache_folder
from course_utils.environment import data_folder, quiet_native_stderr
from course_utils.images import read_image
from course_utils.inference import shipped_model
from course_utils.inference.models import LABELS
from course_utils.inference.pixels import MINUS_ONE_TO_ONE
from tests.support.serving import FEATURES

# What part of a photo: its share of each side, and where it lies (0 left or top, 1 right or bottom)
CROPS = [
    (1, 0.5, 0.5),
    (0.9, 0.5, 0.5),
    (0.8, 0.5, 0.5),
    *((0.85, x, y) for x in (0, 1) for y in (0, 1)),
]

MORE_CROPS = [*CROPS, (0.7, 0.5, 0.5), *((0.92, x, y) for x, y in ((0, 0), (1, 0), (1, 1)))]


def quiet_keras():
    with quiet_native_stderr():
        import keras
    return keras


def photo_files() -> list[Path]:
    return sorted((data_folder() / "photos").glob("*.[jp][pn]g"))


def crops(size: int = 224, parts=CROPS, names=None) -> np.ndarray:
    """Parts of the photos, ``(n, size, size, 3)`` in uint8; by default the whole and six parts."""
    cut = []
    for file in photo_files():
        if names is not None and file.name not in names:
            continue
        photo = Image.fromarray(read_image(file.read_bytes()))
        width, height = photo.size
        for share, x, y in parts:
            left, top = (width - width * share) * x, (height - height * share) * y
            box = (left, top, left + width * share, top + height * share)
            small = photo.resize((size, size), Image.Resampling.BILINEAR, box=box)
            cut.append(np.asarray(small))
    return np.stack(cut)


def known_photos(model) -> list[str]:
    """The photos of which MobileNet, in Keras, says what `expected.json` says.

    The others show something that is no class of ImageNet, or is hard to make out there.
    """
    expected = json.loads((data_folder() / "photos" / "expected.json").read_text("utf-8"))
    whole = MINUS_ONE_TO_ONE.apply(crops(parts=CROPS[:1]))
    best = model(whole, training=False).numpy().argmax(axis=1)
    labels, files = imagenet_labels(), photo_files()
    return [
        file.name
        for file, number in zip(files, best, strict=True)
        if labels[number] in expected[file.name]
    ]


def mobilenet():
    return quiet_keras().applications.MobileNet(weights="imagenet")


def imagenet_labels() -> list[str]:
    return json.loads((cache_folder() / LABELS).read_text("utf-8"))


def mpg_network(epochs: int = 60):
    """The network of notebook 02 and its rows, all of Auto MPG."""
    keras = quiet_keras()
    layers = keras.layers
    cars = load_auto_mpg()
    table = cars[FEATURES].fillna({"horsepower": cars["horsepower"].median()})
    rows, mpg = table.to_numpy("float32"), cars["mpg"].to_numpy("float32")
    keras.utils.set_random_seed(42)
    scale = layers.Normalization()
    scale.adapt(rows)
    network = keras.Sequential(
        [
            keras.Input((len(FEATURES),)),
            scale,
            layers.Dense(64, activation="relu", kernel_regularizer=keras.regularizers.L2(0.3)),
            layers.Dense(64, activation="relu", kernel_regularizer=keras.regularizers.L2(0.3)),
            layers.Dense(1),
            layers.Rescaling(float(mpg.std()), float(mpg.mean())),
        ]
    )
    network.compile(keras.optimizers.Adam(0.01), "mean_squared_error")
    network.fit(rows, mpg, epochs=epochs, batch_size=32, verbose=0)
    return network, rows


def shipped_mpg_network():
    """The MPG network that the course ships, in Keras, and all rows."""
    trained, rows = mpg_network(epochs=0)
    keras = quiet_keras()
    network = keras.Sequential([keras.Input((rows.shape[1],)), *trained.layers])  # no optimizer
    network.load_weights(data_folder() / "models" / "mpg.weights.h5")
    return network, rows


def digit_layers():
    """The layers of notebook 09's network."""
    layers = quiet_keras().layers
    return [
        layers.Conv2D(16, 5, strides=2, activation="relu"),
        layers.Conv2D(32, 5, strides=2, activation="relu"),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]


def digit_network():
    """The network of notebook 09, trained for a short time."""
    keras = quiet_keras()
    (pictures, digits), _ = load_mnist()
    keras.utils.set_random_seed(9)
    network = keras.Sequential([keras.Input((28, 28, 1)), *digit_layers()])
    network.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    scaled = pictures[..., None] / np.float32(255)
    network.fit(scaled, digits, batch_size=128, epochs=2, verbose=0)
    return network


def shipped_digit_network():
    """The digit network that the course ships, in Keras."""
    keras = quiet_keras()
    before = [keras.Input((28, 28)), keras.layers.Reshape((28, 28, 1))]
    network = keras.Sequential([*before, *digit_layers()])
    set_shipped_weights(network, shipped_model("digit"))
    return network


def set_shipped_weights(network, file):
    """Give a Keras network the weights of a LiteRT file, which it was saved as."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file))
    tensors = interpreter.get_tensor_details()
    stored = [interpreter.get_tensor(t["index"]) for t in tensors if t["dtype"] is np.float16]
    by_shape = {weights.shape: weights for weights in stored}
    wanted = []
    for weights in network.get_weights():
        order = (3, 0, 1, 2) if weights.ndim == 4 else (1, 0)[: weights.ndim]
        order = order if weights.ndim > 1 else (0,)
        found = by_shape[tuple(weights.shape[axis] for axis in order)]
        wanted.append(found.astype(np.float32).transpose(np.argsort(order)))
    network.set_weights(wanted)


def weight_file(package: Path) -> Path:
    return package / "Data" / "com.apple.CoreML" / "weights" / "weight.bin"


def map_tensors(package: Path) -> dict[str, np.memmap]:
    """The tensors in float32 that a package keeps in its file of weights.

    What is written to one of the arrays is in the file, from ``offset`` on.
    """
    from course_utils.export.mil import Program

    content = weight_file(package).read_bytes()
    function = Program.load(package).spec.mlProgram.functions["main"]
    found = {}
    for op in next(iter(function.block_specializations.values())).operations:
        value = op.attributes["val"] if op.type == "const" else None
        if value is None or not value.HasField("blobFileValue"):
            continue
        offset = value.blobFileValue.offset
        mark, _, _, start = struct.unpack_from("<IIQQ", content, offset)
        assert mark == 0xDEADBEEF, "the layout of the file has changed"
        sizes = tuple(each.constant.size for each in value.type.tensorType.dimensions)
        name = op.outputs[0].name
        found[name] = np.memmap(weight_file(package), "<f4", "r+", start, sizes)
    return found


def flip_byte(file: Path, position: int, bits: int = 0xFF) -> None:
    with file.open("r+b") as content:
        content.seek(position)
        byte = content.read(1)[0]
        content.seek(position)
        content.write(bytes([byte ^ bits]))
