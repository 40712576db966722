"""Which columns two tables have in common, and which of them can be compared at all."""

import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from course_utils.drift.frames import CATEGORY, EMPTY, NUMBER, TIME, Tables, floats, rows_to_see
from course_utils.drift.ranks import Floats

FEWEST_ROWS = 20
NAMED_IDENTIFIER = re.compile(r"(^|[_\W])(?i:id|uid|uuid|guid|key|index|rowid)$|[a-z]I[dD]$")
ISO_DATE = r"\d{4}-\d{2}-\d{2}(?:$|[ T]\d{2}:\d{2})"
UNIQUE = 0.95  # share of distinct values from which on a text column tells rows apart


@dataclass
class Layout:
    """What to do with each column."""

    numbers: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    gone: dict[str, str] = field(default_factory=dict)
    """Columns whose form has changed between the tables, with what has."""
    warnings: list[str] = field(default_factory=list)

    @property
    def features(self) -> list[str]:
        """The columns that are compared."""
        return self.numbers + self.categories


def check(tables: Tables) -> None:
    """Refuse what cannot be compared at all.

    Raises:
        ValueError: too few rows, duplicated names, or no column in common.
    """
    for side, rows, names in zip(("reference", "current"), tables.rows, tables.names, strict=True):
        if rows < FEWEST_ROWS:
            raise ValueError(
                f"The {side} table has {rows} row{'s' * (rows != 1)}; "
                f"a comparison needs at least {FEWEST_ROWS} a side. Gather more first."
            )
        if not names:
            raise ValueError(f"The {side} table has no columns.")
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise ValueError(
                f"The {side} table has several columns named {', '.join(map(repr, twice))}. "
                "Rename or drop them, so that it is clear which is compared with which."
            )
    if not set(tables.names[0]) & set(tables.names[1]):
        raise ValueError(
            f"The tables have no column in common: {_some(tables.names[0])} in the reference, "
            f"{_some(tables.names[1])} in the current one."
        )


def arrange(tables: Tables, keep: tuple[str, ...], seed: int) -> Layout:
    """Sort the columns into numbers, categories and what is left out.

    Args:
        tables: checked ones.
        keep: columns to compare even though they look like identifiers.
        seed: for the rows that are looked at.

    Raises:
        ValueError: ``keep`` names a column that is not in both tables.
    """
    old, new = tables.names
    there = set(new)
    layout = Layout()
    for name in keep:
        if name not in old or name not in there:
            raise ValueError(f"keep names {name!r}, which is not a column of both tables.")
    layout.gone |= {name: "missing in the current table" for name in old if name not in there}
    known = set(old)
    layout.gone |= {name: "new in the current table" for name in new if name not in known}
    for name in (name for name in old if name in there):
        _place(tables, name, keep, layout)
    _leave_out_identifiers(tables, keep, layout, seed)
    return layout


def _place(tables: Tables, name: str, keep: tuple[str, ...], layout: Layout) -> None:
    kinds = [tables.kind(name, side) for side in (0, 1)]
    known = [kind for kind in kinds if kind != EMPTY]
    other = [kind for kind in known if kind not in (NUMBER, CATEGORY, TIME)]
    if not known:
        layout.warnings.append(f"{name} has no values in either table: nothing to compare.")
    elif other:
        layout.warnings.append(f"{name} {other[0]} and was left out.")
    elif len(set(known)) > 1:
        layout.gone[name] = f"was a {kinds[0]} column and is now a {kinds[1]} column"
    elif known[0] == TIME:
        reason = "cannot be compared" if name in keep else "would tell old rows from new by itself"
        layout.warnings.append(f"{name} holds points in time, {reason}, and was left out.")
    else:
        (layout.numbers if known[0] == NUMBER else layout.categories).append(name)


def _leave_out_identifiers(
    tables: Tables, keep: tuple[str, ...], layout: Layout, seed: int
) -> None:
    """Move what tells rows apart out of the way, and numbers of two values to the categories."""
    features = [name for name in layout.features if name not in keep]
    if not features:
        return
    most = rows_to_see(len(features), 10_000)
    samples = [tables.sample(side, features, most, seed) for side in (0, 1)]
    for name in features:
        numeric = name in layout.numbers
        sides = [sample[name].dropna() for sample in samples]
        look = _number_looks_like if numeric else _text_looks_like
        what = look(name, sides, tables.rows)
        if what:
            (layout.numbers if numeric else layout.categories).remove(name)
            layout.warnings.append(
                f"{name} looks like {what}, would tell old rows from new by itself, and was left "
                f'out. If it is a feature, compare with keep=("{name}",).'
            )
        elif numeric and pd.concat(sides).nunique() <= 2:
            layout.numbers.remove(name)
            layout.categories.append(name)


def _number_looks_like(name: str, sides: list[pd.Series], rows: tuple[int, int]) -> str:
    old, new = (pd.Series(_finite(floats(side))) for side in sides)
    if min(len(old), len(new)) < FEWEST_ROWS:
        return ""
    unique = old.is_unique and new.is_unique
    ordered = all(
        side.is_monotonic_increasing and side.nunique() >= FEWEST_ROWS for side in (old, new)
    )
    if ordered and (old.max() <= new.min() or new.max() <= old.min()):
        return "a clock or a counter"
    whole = bool(((old % 1) == 0).all() and ((new % 1) == 0).all())
    if whole and NAMED_IDENTIFIER.search(name) and _distinct(old) > 0.9 and _distinct(new) > 0.9:
        return "an identifier"
    dense = all(
        side.max() / 2 - side.min() / 2 < 0.75 * count  # halves: the whole may be too large
        for side, count in zip((old, new), rows, strict=True)
    )
    return "a row number" if whole and unique and dense else ""


def _text_looks_like(name: str, sides: list[pd.Series], rows: tuple[int, int]) -> str:
    if min(map(len, sides)) < FEWEST_ROWS:
        return ""
    texts = [side.astype(str) for side in sides]
    if all(text.str.match(ISO_DATE).all() for text in texts):
        return "points in time"
    named = NAMED_IDENTIFIER.search(name)
    if all(_distinct(text) > (0.9 if named else UNIQUE) for text in texts):
        return "an identifier or free text"
    return ""


def _finite(values: Floats) -> Floats:
    return values[np.isfinite(values)]


def _distinct(column: pd.Series) -> float:
    return column.nunique() / len(column)


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
