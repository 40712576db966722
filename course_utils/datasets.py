"""One loader a data set; each returns a documented table and checks what it reads.

Sources, licences and digests stand in ``data/DATA.md``.
"""

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.environment import data_folder

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def load_auto_mpg() -> "pd.DataFrame":
    """398 cars of 1970 to 1982 and their fuel economy (Auto MPG, UCI).

    Returns:
        Row for row the original, columns ``mpg`` (miles per US gallon), ``cylinders``,
        ``displacement`` (cubic inches), ``horsepower`` (missing for 6 cars), ``weight``
        (pounds), ``acceleration`` (seconds to 60 mph), ``year`` (70 to 82), ``origin`` (1 USA,
        2 Europe, 3 Japan) and ``name``.

    Raises:
        ValueError: the file has been changed.
    """
    import pandas as pd

    return pd.read_csv(verified("auto-mpg.csv"), na_values="?")


def load_mnist() -> "tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]":
    """70,000 handwritten digits (MNIST; LeCun, Cortes and Burges), downloaded once.

    In the place of ``keras.datasets.mnist.load_data()``, which accepts no file but the one on
    Keras' host, byte for byte, and so needs that host.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: images uint8 of shape ``(60000, 28, 28)`` and
        ``(10000, 28, 28)``, 0 paper to 255 ink; labels uint8, 0 to 9.

    Raises:
        OSError: it is not here and could be had from nowhere; the message says what to do.
        ValueError: the file has been changed.
    """
    from course_utils.originals import MNIST, read_mnist
    from course_utils.weights import cache_folder, fetch

    file = cache_folder() / MNIST
    if not file.is_file():
        fetch(MNIST)
    try:
        arrays = read_mnist(file)
    except ValueError as error:
        raise ValueError(f"{file}: {error}. Delete it and run `course fetch`.") from None
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


def digests() -> dict[str, str]:
    """SHA-256 of each file in the data folder, as ``data/DATA.md`` states them."""
    text = (data_folder() / "DATA.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", text, re.MULTILINE))


def verified(name: str) -> Path:
    """The path of a file in the data folder, once its digest was found right.

    Raises:
        KeyError: no such file is part of the course.
        ValueError: its content is not what the course shipped.
    """
    digest, path = digests()[name], data_folder() / name
    if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise ValueError(
            f"{path} is not the file the course shipped (its SHA-256 differs). "
            "Install the course again to get it back; keep your own changes in another file."
        )
    return path
