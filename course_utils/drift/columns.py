"""One column of two tables: its tests, each with the size of the change beside the p-value."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from scipy import stats

from course_utils.drift.ranks import Ranks, margin
from course_utils.drift.shares import ENOUGH, Share, Shares


@dataclass(frozen=True)
class ColumnTest:
    """One test of one column.

    ``effect`` is on one scale for all tests, from 0 to 1: the share of the rows that would have to
    move (KS D, total variation, difference of shares), or ``2 P - 1`` of a rank comparison.
    """

    column: str
    test: str
    statistic: float
    p_value: float
    effect: float
    margin: Callable[[float], float]
    """How far the true effect may fall short of the observed one, at confidence ``1 - alpha``."""
    note: str
    """What changed, in plain words."""
    shift: float | None = None
    """Numbers only: the mean's change in standard deviations of the reference."""
    novel: bool = False
    """A change in kind: the current rows have what the reference never had."""


def share_test(column: str, what: str, share: Share) -> list[ColumnTest]:
    """Rows that are ``what`` (missing, infinite) as a change of their own; no test without any."""
    if not share.reference and not share.current:
        return []
    note = f"{what} in {_percent(share.reference, share.n)} of the rows, now in "
    return [
        ColumnTest(
            column,
            f"{what} values",
            share.change(),
            share.p_value(),
            abs(share.change()),
            share.margin,
            note + _percent(share.current, share.m),
            novel=not share.reference,
        )
    ]


def number_tests(column: str, ranks: Ranks, shift: float) -> list[ColumnTest]:
    """Kolmogorov–Smirnov for any change, Ansari–Bradley for the spread, which KS is weak on.

    Args:
        column: its name.
        ranks: the column's values, all taken in.
        shift: change of the mean, in standard deviations of the reference.
    """
    old, new = ranks.shares
    z, p_value, spread = ranks.spread()
    tests = [
        ColumnTest(
            column,
            "Kolmogorov–Smirnov",
            ranks.distance,
            ranks.ks_p_value(),
            ranks.distance,
            partial(margin, ranks.n, ranks.m),
            f"{old:.1%} of the rows were at or below {ranks.where + 0.0:.4g}, now {new:.1%}",
            shift=shift,
        )
    ]
    if z:
        way = "farther from" if spread > 0 else "closer to"
        tests.append(
            ColumnTest(
                column,
                "Ansari–Bradley",
                z,
                p_value,
                abs(spread),
                partial(_normal_margin, abs(spread / z)),
                f"a value now lies {way} the middle than before in {_of_pairs(spread)} of pairs",
            )
        )
    return tests


def category_tests(column: str, shares: Shares, seed: int) -> list[ColumnTest]:
    """The whole distribution, the category that changed most, and what was never seen.

    Chi-squared is blind to a rare category among frequent ones, so Fisher's exact test looks at
    the one that changed most, its p-value multiplied by the number of categories it was chosen
    from. Where categories are too rare to be looked at one by one, those unseen are counted.
    """
    tests = unseen_test(column, shares, seed) if shares.pooled() is not shares else []
    return [
        *_whole_test(column, shares.pooled(ENOUGH)),
        *_one_test(column, shares.pooled()),
        *tests,
    ]


def _whole_test(column: str, pooled: Shares) -> list[ColumnTest]:
    if len(pooled.names) < 3:  # of two, Fisher's test says the same exactly
        return []
    statistic, p_value = pooled.chi_squared()
    return [
        ColumnTest(
            column,
            "chi-squared",
            statistic,
            p_value,
            pooled.total_variation(),
            pooled.total_variation_margin,
            f"{pooled.total_variation():.1%} of the rows would have to change their category",
        )
    ]


def _one_test(column: str, pooled: Shares) -> list[ColumnTest]:
    if len(pooled.names) < 2:
        return []
    n, m = int(pooled.reference.sum()), int(pooled.current.sum())
    at = pooled.most_changed()
    one = Share(int(pooled.reference[at]), n, int(pooled.current[at]), m)
    choices = len(pooled.names) if len(pooled.names) > 2 else 1
    note = f"{pooled.names[at]!r}: {_percent(one.reference, n)} of the rows, now "
    test = ColumnTest(
        column,
        "one category" if choices > 1 else "Fisher’s exact",
        one.change(),
        min(1.0, one.p_value() * choices),
        abs(one.change()),
        lambda alpha: one.margin(alpha / choices),
        note + _percent(one.current, m),
        novel=one.reference == 0,
    )
    return [test]


def unseen_test(column: str, shares: Shares, seed: int) -> list[ColumnTest]:
    """Whether more rows than before have a category that the reference has not."""
    share = shares.unseen_by_half(seed)
    note = f"{_percent(share.current, share.m)} of the rows have a category that half of the "
    note += f"reference has not; of its other half {_percent(share.reference, share.n)}"
    return [
        ColumnTest(
            column,
            "unseen categories",
            share.change(),
            share.p_value(),
            max(0.0, share.change()),
            share.margin,
            note,
            novel=True,
        )
    ]


def come_and_gone(column: str, shares: Shares) -> list[str]:
    """Name the categories that a model of the reference has never seen, and those it waits for."""
    said = []
    for names, what in (
        (shares.unseen, "categories that the reference has not"),
        (shares.vanished, "no longer the categories"),
    ):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            said.append(f"{column} has {what}: {', '.join(map(repr, names[:5]))}{more}.")
    return said


def _normal_margin(deviation: float, alpha: float) -> float:
    return float(deviation * stats.norm.isf(alpha / 2))


def _of_pairs(effect: float) -> str:
    return f"{(1 + abs(effect)) / 2:.1%}"


def _percent(count: int, rows: int) -> str:
    return f"{count / rows:.1%}"
