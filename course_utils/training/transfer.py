"""Transfer learning: what a large network has learnt to see, put to another use.

The base, a pretrained network without its last layer, stays frozen: it turns a picture into a row
of numbers, its features, once and for all. Only a new head on top of them is trained. So the
pictures go through the base a single time (`features`), and training takes seconds.
"""

import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from course_utils.common import atomic_files
from course_utils.environment import data_folder, quiet_native_stderr
from course_utils.images import BadImage, read_image

BASES = ("mobilenet", "vgg16")
SIZE = 224  # pixels a side
BATCH = 16
STEPS = 20  # of a progress bar
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")

#: arrays (height, width, 3) in uint8 or image files
Pictures: TypeAlias = "np.ndarray | Sequence[str | Path | np.ndarray]"
#: is told how many pictures are done, and of how many
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True)
class Base:
    """A frozen base: ``model`` takes pixels from 0 to 255 and gives features.

    ``model`` has its preprocessing within: shapes ``(n, size, size, 3)`` and ``(n, width)``.
    """

    name: str
    size: int
    model: Any

    @property
    def width(self) -> int:
        """How many features a picture has."""
        return int(self.model.output_shape[-1])

    @functools.cached_property
    def step(self) -> Callable[[Any], Any]:
        """It as a step of a tf.data pipeline: on a GPU by TensorFlow, else by LiteRT.

        LiteRT takes half the time on a CPU, and many threads may call it at once.
        """
        with quiet_native_stderr():
            import tensorflow as tf
        if tf.config.list_physical_devices("GPU"):
            return lambda batch: self.model(tf.cast(batch, tf.float32), training=False)
        from course_utils.inference import Predictor, to_litert

        predict = Predictor(to_litert(self.model)).predict
        return lambda batch: tf.numpy_function(predict, [batch], tf.float32, stateful=False)


def frozen_base(
    name: str = "mobilenet", *, size: int = SIZE, weights: str | Path | None = "imagenet"
) -> Base:
    """A network of Keras' applications without its last layers, frozen, its features pooled.

    Args:
        name: ``"mobilenet"`` (Howard et al., arXiv:1704.04861) or ``"vgg16"`` (Simonyan and
            Zisserman, arXiv:1409.1556).
        size: pixels a side of what it takes, at least 32.
        weights: ``"imagenet"`` (MobileNet's are in Keras' cache, VGG16's Keras downloads),
            a file with those of the whole MobileNet, or None: untrained.

    Returns:
        The base: 1024 features of MobileNet, 512 of VGG16.

    Raises:
        ValueError: no such base, or no such size.
    """
    if name not in BASES:
        raise ValueError(f"{name!r} is no base that is known here; there are {', '.join(BASES)}.")
    if size < 32:
        raise ValueError(f"pictures of {size} pixels are too small; give at least 32.")
    with quiet_native_stderr():
        import keras

        pixels = keras.Input((size, size, 3), name="pixels")
        make = _mobilenet if name == "mobilenet" else _vgg16
        network, prepared = make(keras, pixels, size, weights)
        network.trainable = False
        # training=False: the statistics of its batch normalization stay as they are, too
        model = keras.Model(pixels, network(prepared, training=False), name=f"{name}_base")
    model.trainable = False
    return Base(name, size, model)


def _mobilenet(keras: Any, pixels: Any, size: int, weights: Any) -> tuple[Any, Any]:
    shape = (size, size, 3)
    network = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=shape, pooling="avg"
    )
    if weights is not None:
        # Of the whole network, which is in the cache; without a top, Keras asks for another file.
        given = str(weights) if isinstance(weights, Path) else weights
        whole = keras.applications.MobileNet(weights=given)
        network.set_weights(whole.get_weights()[: len(network.weights)])
    return network, keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)


def _vgg16(keras: Any, pixels: Any, size: int, weights: Any) -> tuple[Any, Any]:
    network = keras.applications.VGG16(
        include_top=False, weights=weights, input_shape=(size, size, 3), pooling="avg"
    )
    # As its authors did: blue first, and the mean colour of ImageNet taken off.
    means = [-103.939, -116.779, -123.68]
    blue_first = keras.ops.flip(pixels, axis=-1)
    return network, keras.layers.Rescaling(1.0, offset=means)(blue_first)


def new_head(width: int, classes: int, *, dropout: float = 0.5) -> Any:
    """The part that is trained: features ``(n, width)`` in, probabilities ``(n, classes)`` out."""
    import keras

    return keras.Sequential(
        [
            keras.Input((width,), name="features"),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(classes, activation="softmax", name="head"),
        ],
        name="head",
    )


def joined(base: Base, head: Any) -> Any:
    """Base and head as one network: pixels from 0 to 255 in, probabilities out."""
    import keras

    pixels = keras.Input((base.size, base.size, 3), name="pixels")
    return keras.Model(pixels, head(base.model(pixels, training=False), training=False))


def cats_or_dogs(weights: Path, head_file: Path) -> bytes:
    """MobileNet with a trained head as the pets service serves it: a LiteRT file's content.

    Args:
        weights: of the whole MobileNet.
        head_file: of the head, as notebook 10 saved them (``.weights.h5``).

    Raises:
        ValueError: they do not fit together; with them it does not know a cat.
    """
    from course_utils.inference import Predictor, to_litert

    base = frozen_base(weights=weights)
    head = new_head(base.width, 2)
    head.load_weights(head_file)
    content = to_litert(joined(base, head))
    cat = read_picture(data_folder() / "photos" / "cat.png", base.size)
    if Predictor(content).predict(cat[None])[0, 0] < 0.5:
        raise ValueError(f"with {head_file.name} it takes a cat for a dog: another base's head")
    return content


def features(
    base: Base,
    pictures: Pictures,
    *,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """What the base sees in pictures, each resized to what it takes.

    A pipeline keeps all cores busy: while some pictures are read and resized, others are in the
    network, which LiteRT runs, one picture-batch a core (a GPU, where there is one, takes them
    all).

    Args:
        base: from `frozen_base`.
        pictures: an array ``(n, height, width, 3)`` of uint8, or a sequence of such pictures of
            any size or of image files.
        cache: a folder that keeps the features; the same pictures through the same base are
            then looked up. By default nothing is kept.
        progress: is called as the work goes on (see `Bar`).

    Returns:
        float32 array of shape ``(n, base.width)``.

    Raises:
        ValueError: there are no pictures, or one of the files cannot be read; with its name.
        OSError: a file is not there, or the cache cannot be written.
    """
    if not len(pictures):
        raise ValueError("there are no pictures to look at; give at least one.")
    progress = progress or (lambda done, total: None)
    kept = Path(cache) / f"features-{_digest(base, pictures)}.npy" if cache else None
    found = _kept(kept, (len(pictures), base.width)) if kept else None
    if found is None:
        found = np.concatenate(list(_computed(base, pictures, progress)))
        if kept:
            _keep(kept, found)
    progress(len(pictures), len(pictures))
    return found


def _computed(base: Base, pictures: Pictures, progress: Progress) -> Iterable[np.ndarray]:
    with quiet_native_stderr():
        import tensorflow as tf

    def read(number: int) -> np.ndarray:
        return read_picture(pictures[number], base.size)

    def load(number: Any) -> Any:
        picture = tf.numpy_function(read, [number], tf.uint8, stateful=False)
        return tf.ensure_shape(picture, (base.size, base.size, 3))

    several = tf.data.AUTOTUNE
    rows = tf.data.Dataset.range(len(pictures)).map(load, several).batch(BATCH)
    done = 0
    try:
        for part in rows.map(base.step, os.cpu_count() or 1).prefetch(2).as_numpy_iterator():
            done += len(part)
            progress(done, len(pictures))
            yield part
    except tf.errors.OpError as error:  # it wraps what reading a picture raised
        for picture in pictures:  # so read them again, to raise just that
            read_picture(picture, base.size)
        raise ValueError(f"the pictures could not be looked at: {error.message}") from error


def read_picture(picture: Any, size: int) -> np.ndarray:
    """A picture as the base takes it: uint8, ``(size, size, 3)``, its proportions not kept.

    Args:
        picture: an array ``(height, width, 3)`` of uint8, or an image file.
        size: pixels a side.

    Raises:
        ValueError: the file cannot be read; with its name.
        OSError: it is not there.
    """
    if isinstance(picture, str | Path):
        try:
            return read_image(Path(picture).read_bytes(), size=(size, size))
        except BadImage as error:
            raise ValueError(f"{Path(picture).name}: {error}") from None
    image = Image.fromarray(np.asarray(picture, np.uint8))
    # What is small stays as crisp as may be: so are the photos that a service is sent.
    return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))


def _digest(base: Base, pictures: Pictures) -> str:
    """What the features depend on, in short."""
    content = hashlib.sha256(f"{base.name} {base.size} {len(pictures)}".encode())
    for array in base.model.get_weights():
        content.update(np.ascontiguousarray(array).tobytes())
    for picture in pictures:
        if isinstance(picture, str | Path):
            content.update(hashlib.sha256(Path(picture).read_bytes()).digest())
        else:
            content.update(repr(picture.shape).encode() + np.ascontiguousarray(picture).tobytes())
    return content.hexdigest()[:20]


def _kept(file: Path, shape: tuple[int, int]) -> np.ndarray | None:
    try:
        found = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there, or half of it
        return None
    return found if found.shape == shape else None


def _keep(file: Path, found: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    # Two notebooks may compute the same features at the same time.
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    with atomic_files.open_draft(file, draft), draft.open("wb") as content:
        np.save(content, found)


def labelled_folder(folder: str | Path, classes: Sequence[str]) -> tuple[list[Path], np.ndarray]:
    """The pictures in a folder with a sub-folder, or several, for each class.

    Args:
        folder: whose sub-folders' names begin with a class: ``cats``, ``Dogs 2``.
        classes: their names, such as ``("cat", "dog")``.

    Returns:
        The files, sorted, and for each the number of its class, shape ``(n,)``.

    Raises:
        ValueError: there are no pictures of a class; says which.
    """
    files: list[Path] = []
    labels: list[int] = []
    for number, name in enumerate(classes):
        mine = [
            file
            for file in sorted(Path(folder).glob("*/*"))
            if file.suffix.lower() in SUFFIXES and file.parent.name.lower().startswith(name)
        ]
        if not mine:
            raise ValueError(
                f"there are no pictures of {name} in {folder}; put some into a sub-folder whose "
                f"name begins with {name} ({', '.join(SUFFIXES)})."
            )
        files += mine
        labels += [number] * len(mine)
    return files, np.array(labels)


class Bar:
    """A progress bar in plain text: the same in a terminal, in a notebook and on paper.

    A callable for `features`: ``Bar("looking")`` prints twenty blocks as the work goes on, then
    how many pictures there were.
    """

    def __init__(self, label: str):
        self._label, self._shown, self._over = label, 0, False

    def __call__(self, done: int, total: int) -> None:
        if self._over:
            return
        if not self._shown:
            print(f"{self._label} ", end="")
        steps = max(1, STEPS * done // total)
        print("█" * (steps - self._shown), end="", flush=True)
        self._shown = steps
        if done == total:
            self._over = True
            print(f" {total:,}")
