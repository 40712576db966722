"""The Sberbank data of the chapter, from the files that only a user's own account can bring."""

import io
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from course_utils.environment import output_folder

if TYPE_CHECKING:
    import pandas as pd

FILES = ("train.csv", "test.csv")
ARCHIVE = "sberbank-russian-housing-market.zip"
#: columns that tell Sberbank's tables from others, and that the notebook names
COLUMNS = (
    "id", "timestamp", "full_sq", "life_sq", "floor", "max_floor", "material", "build_year",
    "num_room", "kitch_sq", "state", "product_type", "sub_area",
)  # fmt: skip
REMEDY = """\
Kaggle hands them to everyone with an account, but nobody may pass them on:
1. Sign in at https://www.kaggle.com/c/sberbank-russian-housing-market and accept the rules of the
   competition "Sberbank Russian Housing Market".
2. On its page "Data", download train.csv and test.csv, or all in one sberbank-russian-housing-\
market.zip.
3. Put them, zipped as they come or unpacked, into that folder."""


def load_sberbank(folder: str | Path | None = None) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Flats sold in Moscow (Kaggle, Sberbank Russian Housing Market), the chapter's own data.

    Args:
        folder: where ``train.csv`` and ``test.csv`` lie, or ``train.csv.zip`` and
            ``test.csv.zip``, or ``sberbank-russian-housing-market.zip``; by default ``sberbank``
            in the learner's own folder.

    Returns:
        ``train, test``: a row a sale, as Kaggle gives them, with ``timestamp`` (the day) as a
        date. ``train`` has 30,471 rows of August 2011 to June 2015 and ``price_doc`` (roubles),
        ``test`` 7,662 rows of July 2015 to May 2016 and no price.

    Raises:
        FileNotFoundError: a file is missing; the message says which and how to get it.
        ValueError: a file cannot be read, or is not Sberbank's.
    """
    place = output_folder() / "sberbank" if folder is None else Path(folder).expanduser()
    found = {name: _find(place, name) for name in FILES}
    missing = [name for name, file in found.items() if file is None]
    if missing:
        raise FileNotFoundError(
            f"The Sberbank data is not complete in {place}: {' and '.join(missing)} missing "
            f"(also looked for as .csv.zip, and in {ARCHIVE}).\n{REMEDY}"
        )
    train, test = (_read(*file, name) for name, file in found.items() if file)
    return train, test


def _find(place: Path, name: str) -> tuple[Path, bytes] | None:
    """The first file that holds the table, and the table's own bytes."""
    for path in (place / name, place / f"{name}.zip", place / ARCHIVE):
        if path.is_file() and (content := _unpacked(path, path.read_bytes(), name)) is not None:
            return path, content
    return None


def _unpacked(path: Path, content: bytes, name: str) -> bytes | None:
    """The table in a zip file, or in a zip file in it; what is not zipped, as it is."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        if path.suffix == ".zip":
            raise ValueError(f"{path} is no zip file, or not a whole one. Download it again.")
        return content
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                inner = PurePosixPath(member).name
                if inner in {name, f"{name}.zip"}:
                    return _unpacked(Path(inner), archive.read(member), name)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ValueError(f"{path} cannot be unpacked ({error}). Download it again.") from None
    return None


def _read(path: Path, content: bytes, name: str) -> "pd.DataFrame":
    import pandas as pd

    required = COLUMNS + (("price_doc",) if name == "train.csv" else ())
    try:
        frame = pd.read_csv(io.BytesIO(content), low_memory=False)
    except ValueError as error:  # of which pandas' own errors are kinds
        reason = str(error).strip()
        raise ValueError(f"{path} is not Sberbank's {name}: it is no table ({reason}).") from None
    missing = [column for column in required if column not in frame.columns]
    if missing:
        raise ValueError(
            f"{path} is not Sberbank's {name}: it has no column {', '.join(missing)}. "
            "Download it again, signed in to Kaggle, and keep it unchanged."
        )
    try:
        frame["timestamp"] = pd.to_datetime(frame["timestamp"], format="ISO8601")
    except ValueError:
        raise ValueError(
            f"{path} is not Sberbank's {name}: its timestamps are no dates like 2015-06-30. "
            "Download it again and keep it unchanged: spreadsheets rewrite dates."
        ) from None
    return frame
