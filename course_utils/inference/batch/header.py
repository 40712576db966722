"""What can be said of a table before a row of it is read: its columns."""

import csv
import difflib
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from course_utils.common.duckdb_session import FOLD
from course_utils.inference.schema import FeatureSchema

CSV, PARQUET = ".csv", ".parquet"
LONGEST = 2**20  # characters in which the line of names has to end
LISTED, LONGEST_NAME = 12, 40  # names of columns in a message, and characters of one
NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)")


def csv_names(file: Path) -> list[str]:
    """The first line of a CSV file.

    Raises:
        ValueError: it is no line of names, so this is no CSV file with one.
    """
    with file.open("rb") as content:
        start = content.read(4)
    if not start:
        raise ValueError(f"{file.name} is empty: it needs a line with the names of the columns.")
    if start == b"PAR1":
        raise ValueError(f"{file.name} is a Parquet file: give it a name that ends in .parquet.")
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            names = next(csv.reader(io.StringIO(text.read(LONGEST), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error, StopIteration):
        names = ["\0"]
    if any("\0" in name for name in names):
        raise ValueError(
            f"{file.name} is no CSV file in UTF-8. Where it comes from Excel, save it again as "
            '"CSV UTF-8".'
        )
    if not any(names):
        raise ValueError(f"{file.name}: the first line has no names of columns.")
    if "" in names:
        raise ValueError(
            f"{file.name}: column {names.index('') + 1} has no name. Name it or leave it out "
            "(pandas writes such a column unless told `to_csv(..., index=False)`)."
        )
    if len(names) == 1 and (mark := re.search("[;\t|]", names[0])):
        raise ValueError(
            f"{file.name}: the columns seem to be separated by {mark[0]!r}; only commas are read."
        )
    return names


def check_names(file: Path, names: Sequence[str], schema: FeatureSchema) -> None:
    """See that every feature is there, and no column twice.

    Raises:
        ValueError: with all that is wrong.
    """
    folded = Counter(name.translate(FOLD) for name in names)
    faults = [
        f"the column {name!r} is there twice"
        for name in dict.fromkeys(names)
        if folded[name.translate(FOLD)] > 1
    ]
    if faults:
        faults[-1] += " (capitals do not count): rename or drop one"
    for name in schema.names:
        if name not in names:
            near = difflib.get_close_matches(name.lower(), {n.lower(): n for n in names}, n=1)
            meant = next((n for n in names if near and n.lower() == near[0]), None)
            faults.append(f"no column {name!r}" + (f" (did you mean {meant!r}?)" if meant else ""))
    if faults:
        raise ValueError(f"{file.name}: {'; '.join(faults)}. It has {_listed(names)}.")


def check_types(file: Path, types: Mapping[str, str]) -> None:
    """See that features in a Parquet file are numbers.

    Raises:
        ValueError: with the names of those that are not.
    """
    others = [f"{name!r} holds {kind}" for name, kind in types.items() if not _is_number(kind)]
    if others:
        raise ValueError(
            f"{file.name}: the model takes numbers, but the column {' and '.join(others)}."
        )


def new_name(file: Path, names: Sequence[str], *wished: str) -> str:
    """The first of the wished names that no column has.

    Raises:
        ValueError: all are taken.
    """
    taken = {name.translate(FOLD) for name in names}
    for name in wished:
        if name.translate(FOLD) not in taken:
            return name
    raise ValueError(
        f"{file.name} has columns named {' and '.join(map(repr, wished))}, names that the output "
        "needs: rename or drop one."
    )


def _is_number(kind: str) -> bool:
    return NUMBERS.fullmatch(kind) is not None


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(name[:LONGEST_NAME] for name in names[:LISTED])
    return shown + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
