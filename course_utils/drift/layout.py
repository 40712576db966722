"""Which columns two tables have in common, and which of them can be compared at all."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from course_utils.drift.tables import CATEGORY, EMPTY, NUMBER, SIDES, TIME, Tables, to_floats

MIN_ROWS = 20
MAX_SAMPLE_ROWS = 10_000
MAX_SAMPLE_VALUES = 10_000_000  # so that of very many columns there are fewer rows
IDENTIFIER_NAME = re.compile(r"(^|[_\W])(?i:id|uid|uuid|guid|key|index|rowid)$|[a-z]I[dD]$")
ISO_DATE = r"\d{4}-\d{2}-\d{2}(?:$|[ T]\d{2}:\d{2})"
MIN_DISTINCT_SHARE = 0.9  # of a column's values, from which on they tell rows apart


@dataclass
class Layout:
    """What to do with each column."""

    numbers: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)
    """Columns whose form has changed between the tables, with what has."""
    warnings: list[str] = field(default_factory=list)
    samples: tuple[pd.DataFrame, ...] = ()
    """Rows of both tables, drawn at random: what is looked at and shown to the classifier."""

    @property
    def features(self) -> list[str]:
        """The columns that are compared."""
        return self.numbers + self.categories


def arrange(tables: Tables, keep: Sequence[str], seed: int) -> Layout:
    """Sort the columns into numbers, categories and what is left out.

    Args:
        tables: two of them.
        keep: columns to compare even though they look like identifiers.
        seed: for the rows that are looked at.

    Raises:
        ValueError: too few rows, duplicated names, no column that can be compared, or ``keep``
            names one that is not in both tables.
    """
    _check_tables(tables)
    old, new = (dict.fromkeys(names) for names in tables.names)
    layout = Layout()
    for name in keep:
        if name not in old or name not in new:
            raise ValueError(f"keep names {name!r}, which is not a column of both tables.")
    layout.changed |= {name: "missing in the current table" for name in old if name not in new}
    layout.changed |= {name: "new in the current table" for name in new if name not in old}
    for name in old:
        if name in new:
            _place(tables, name, layout)
    if layout.features:
        most = max(MIN_ROWS, min(MAX_SAMPLE_ROWS, MAX_SAMPLE_VALUES // len(layout.features)))
        layout.samples = tuple(
            tables.draw_sample(side, layout.features, most, seed) for side in (0, 1)
        )
        _leave_out_identifiers(layout, keep, tables.rows)
        layout.samples = tuple(sample[layout.features] for sample in layout.samples)
    if not layout.features:
        changed = [f"{name} {what}." for name, what in layout.changed.items()]
        raise ValueError(" ".join(["No column could be compared.", *changed, *layout.warnings]))
    return layout


def _check_tables(tables: Tables) -> None:
    for side, rows, names in zip(SIDES, tables.rows, tables.names, strict=True):
        if rows < MIN_ROWS:
            raise ValueError(
                f"The {side} table has {rows} row{'s' * (rows != 1)}; "
                f"a comparison needs at least {MIN_ROWS} a side. Gather more first."
            )
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise ValueError(
                f"The {side} table has several columns named {', '.join(map(repr, twice))}. "
                "Rename or drop them, so that it is clear which is compared with which."
            )


def _place(tables: Tables, name: str, layout: Layout) -> None:
    """Put a column that both tables have where it belongs."""
    kinds = [tables.find_kind(name, side) for side in (0, 1)]
    known = [kind for kind in kinds if kind != EMPTY]
    other = [kind for kind in known if kind not in (NUMBER, CATEGORY, TIME)]
    if not known:
        layout.warnings.append(f"{name} has no values in either table: nothing to compare.")
    elif other:
        layout.warnings.append(f"{name} {other[0]} and was left out.")
    elif len(set(known)) > 1:
        layout.changed[name] = f"was a {kinds[0]} column and is now a {kinds[1]} column"
    elif known[0] == TIME:
        layout.warnings.append(
            f"{name} holds points in time, would tell old rows from new by itself, and was left "
            "out."
        )
    else:
        (layout.numbers if known[0] == NUMBER else layout.categories).append(name)


def _leave_out_identifiers(layout: Layout, keep: Sequence[str], rows: tuple[int, int]) -> None:
    """Leave out what tells rows apart, and move numbers of two values to the categories."""
    for name in [name for name in layout.features if name not in keep]:
        sides = [sample[name].dropna() for sample in layout.samples]
        numeric = name in layout.numbers
        kind = layout.numbers if numeric else layout.categories
        what = _recognise_numbers(name, sides, rows) if numeric else _recognise_texts(sides)
        if what:
            kind.remove(name)
            layout.warnings.append(
                f"{name} looks like {what}, would tell old rows from new by itself, and was left "
                f'out. If it is a feature, compare with keep=("{name}",).'
            )
        elif numeric and pd.concat(sides).nunique() <= 2:
            kind.remove(name)
            layout.categories.append(name)


def _recognise_numbers(name: str, sides: list[pd.Series], rows: tuple[int, int]) -> str:
    """What a column of numbers is instead of a feature, if it is."""
    old, new = (pd.Series(to_floats(side)) for side in sides)
    old, new = old[np.isfinite(old)], new[np.isfinite(new)]
    if min(len(old), len(new)) < MIN_ROWS:
        return ""
    ordered = all(s.is_monotonic_increasing and s.nunique() >= MIN_ROWS for s in (old, new))
    if ordered and (old.max() <= new.min() or new.max() <= old.min()):
        return "a clock or a counter"
    if not all(((side % 1) == 0).all() for side in (old, new)):
        return ""
    if IDENTIFIER_NAME.search(name) and _are_distinct([old, new]):
        return "an identifier"
    dense = all(
        side.is_unique and side.max() - side.min() < 1.5 * count
        for side, count in zip((old, new), rows, strict=True)
    )
    return "a row number" if dense else ""


def _recognise_texts(sides: list[pd.Series]) -> str:
    """What a column of categories is instead of a feature, if it is."""
    if min(map(len, sides)) < MIN_ROWS:
        return ""
    texts = [side.astype(str) for side in sides]
    if all(text.str.match(ISO_DATE).all() for text in texts):
        return "points in time"
    return "an identifier or free text" if _are_distinct(texts) else ""


def _are_distinct(sides: list[pd.Series]) -> bool:
    return all(side.nunique() > MIN_DISTINCT_SHARE * len(side) for side in sides)
