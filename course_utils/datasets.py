"""One loader a data set; each returns a documented table and checks what it reads.

Sources, licences and digests stand in ``data/DATA.md``.
"""

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.environment import data_folder

if TYPE_CHECKING:
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
