"""Transfer learning: a pretrained network with a new last layer, for a task of one's own.

The base, a pretrained network without its last layer, stays frozen: it turns a picture into a row
of numbers, its features, which never change. Only a new head on top of them is trained. So the
pictures pass through the base a single time (`compute_features`), and training takes seconds.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from course_utils.datasets import originals
from course_utils.environment import quiet_native_stderr
from course_utils.images import BadImage, read_image
from course_utils.inference import Predictor, to_litert

BATCH_SIZE = 16  # pictures
BAR_BLOCKS = 20  # of a progress bar
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")


def build_base(*, size: int = originals.PHOTO_SIZE[0]) -> Any:
    """Build MobileNet without its last layer, frozen, with preprocessing and average pooling.

    MobileNet: Howard et al., arXiv:1704.04861. The weights, those of ImageNet, are in Keras' cache.

    Args:
        size: pixels per side of its input, at least 32.

    Returns:
        A Keras network: pixels from 0 to 255 in, ``(n, size, size, 3)``, features out,
        ``(n, 1024)``.

    Raises:
        ValueError: the size is too small.
    """
    with quiet_native_stderr():
        import keras

        network = keras.applications.MobileNet(
            include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg"
        )
        # Of the whole network, which is in the cache: without a top, Keras downloads another file.
        whole = keras.applications.MobileNet(weights="imagenet")
        network.set_weights(whole.get_weights()[: len(network.weights)])
        base = prepend_scaling(network)
    base.trainable = False
    return base


def prepend_scaling(network: Any) -> Any:
    """Put the scaling from 0 to 255, which pixels have, to MobileNet's -1 to 1 into a network."""
    import keras

    pixels = keras.Input(network.input_shape[1:], name="pixels")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    # training=False: the statistics of its batch normalization stay as they are, too
    return keras.Model(pixels, network(scaled, training=False))


def build_head(width: int, classes: int) -> Any:
    """Build the part that is trained, from features ``(n, width)`` to ``(n, classes)``."""
    import keras

    features = keras.Input((width,), name="features")
    dense = keras.layers.Dense(classes, activation="softmax", name="head")
    return keras.Sequential([features, keras.layers.Dropout(0.5), dense], name="head")


def join_head(base: Any, head: Any) -> Any:
    """Join base and head into one network, from pixels of 0 to 255 to probabilities."""
    import keras

    pixels = keras.Input(base.input_shape[1:], name="pixels")
    return keras.Model(pixels, head(base(pixels, training=False), training=False))


def compute_features(
    base: Any,
    pictures: np.ndarray | Sequence[str | Path | np.ndarray],
    *,
    bar_title: str = "",
) -> np.ndarray:
    """Compute the features of pictures, each resized to the input of the base.

    All cores work: some threads read and resize pictures while others run the network. LiteRT
    runs it, which takes half the time of TensorFlow on a CPU.

    Args:
        base: from `build_base`.
        pictures: an array ``(n, height, width, 3)`` of uint8, or a sequence of such pictures of
            any size or of image files.
        bar_title: a few words, before a progress bar that is printed; by default there is none.

    Returns:
        float32 array of shape ``(n, 1024)``.

    Raises:
        ValueError: one of the files cannot be read; with its name.
        OSError: a file is not there.
    """
    predict, size = Predictor(to_litert(base)).predict, base.input_shape[1]

    def compute_batch(start: int) -> np.ndarray:
        batch = [read_picture(picture, size) for picture in pictures[start : start + BATCH_SIZE]]
        return predict(np.stack(batch))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        batches = pool.map(compute_batch, range(0, len(pictures), BATCH_SIZE))
        if bar_title:
            batches = _show_progress(batches, len(pictures), bar_title)
        return np.concatenate(list(batches))


def _show_progress(batches: Iterator[np.ndarray], total: int, title: str) -> Iterator[np.ndarray]:
    """Pass batches on, and print twenty blocks meanwhile, then how many pictures there were.

    Plain text looks the same in a terminal, in a notebook and on paper.
    """
    print(title, end=" ")
    done = 0
    for batch in batches:
        before, done = BAR_BLOCKS * done // total, done + len(batch)
        print("█" * (BAR_BLOCKS * done // total - before), end="", flush=True)
        yield batch
    print(f" {total:,}")


def read_picture(picture: Any, size: int | None = None) -> np.ndarray:
    """Read and resize a picture: uint8, ``(size, size, 3)``, its proportions not kept.

    Args:
        picture: an array ``(height, width, 3)`` of uint8, or an image file.
        size: pixels per side; by default the picture's own size.

    Raises:
        ValueError: the file cannot be read; with its name.
        OSError: it is not there.
    """
    square = (size, size) if size else None
    if isinstance(picture, str | Path):
        try:
            return read_image(Path(picture).read_bytes(), size=square)
        except BadImage as error:
            raise ValueError(f"{Path(picture).name}: {error}") from None
    image = Image.fromarray(np.asarray(picture, np.uint8))
    # The sharpest filter: enlarged small pictures should resemble the photos a service gets.
    return np.asarray(image.resize(square or image.size, Image.Resampling.LANCZOS))


def list_pictures(folder: str | Path, classes: Sequence[str]) -> tuple[list[Path], np.ndarray]:
    """List the pictures in a folder with one or more sub-folders per class.

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
    pictures = [p for p in sorted(Path(folder).glob("*/*")) if p.suffix.lower() in IMAGE_SUFFIXES]
    for number, name in enumerate(classes):
        of_class = [p for p in pictures if p.parent.name.lower().startswith(name)]
        if not of_class:
            raise ValueError(
                f"there are no pictures of {name} in {folder}; put some into a sub-folder whose "
                f"name begins with {name} ({', '.join(IMAGE_SUFFIXES)})."
            )
        files += of_class
        labels += [number] * len(of_class)
    return files, np.array(labels)
