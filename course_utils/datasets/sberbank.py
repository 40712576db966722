"""The Sberbank data of the chapter, from the files that only a user's own account can bring."""

import zipfile
import zlib
from pathlib import Path

import pandas as pd

from course_utils.environment import output_folder

#: columns that tell Sberbank's tables from others
COLUMNS = ("id", "timestamp", "full_sq", "product_type", "sub_area")
REMEDY = Path(__file__).with_suffix(".txt").read_text("utf-8").rstrip()


def load_sberbank(folder: str | Path | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Flats sold in Moscow (Kaggle, Sberbank Russian Housing Market), the chapter's own data.

    Args:
        folder: where ``train.csv`` and ``test.csv`` lie, or ``train.csv.zip`` and
            ``test.csv.zip``; by default ``sberbank`` in the learner's own folder.

    Returns:
        ``train, test``: a row a sale, as Kaggle gives them, with ``timestamp`` (the day) as a
        date. ``train`` has 30,471 rows of August 2011 to June 2015 and ``price_doc`` (roubles),
        ``test`` 7,662 rows of July 2015 to May 2016 and no price.

    Raises:
        FileNotFoundError: a file is missing; the message says which and how to get it.
        ValueError: a file cannot be read, or is not Sberbank's.
    """
    place = output_folder() / "sberbank" if folder is None else Path(folder).expanduser()
    train = _read(_find(place, "train.csv"), (*COLUMNS, "price_doc"))
    return train, _read(_find(place, "test.csv"), COLUMNS)


def _find(place: Path, name: str) -> Path:
    """Find the file that holds a table, as it is or zipped."""
    for file in (place / name, place / f"{name}.zip"):
        if file.is_file():
            return file
    raise FileNotFoundError(
        f"The Sberbank data is not complete in {place}: {name} missing "
        f"(also looked for as {name}.zip).\n{REMEDY}"
    )


def _read(file: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        frame = pd.read_csv(file, low_memory=False)
        missing = [column for column in columns if column not in frame.columns]
        if missing:
            raise ValueError(f"it has no column {', '.join(missing)}")
        frame["timestamp"] = pd.to_datetime(frame["timestamp"], format="ISO8601")
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        reason = str(error).split(". ")[0]  # without pandas' advice to programmers
        raise ValueError(
            f"{file} is not the table that Kaggle hands out: {reason}. Download it again, signed "
            "in to Kaggle, and keep it unchanged: spreadsheets rewrite dates."
        ) from None
    return frame
