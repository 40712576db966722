"""Exercises of notebook 02."""

from collections.abc import Callable, Mapping
from typing import Any

from course_utils.exercises import Exercise


def fill_by_cylinders(cars: Any) -> Any:
    """Fill a missing horsepower with the median of the cars with as many cylinders."""
    medians = cars.groupby("cylinders")["horsepower"].transform("median")
    return cars.assign(horsepower=cars["horsepower"].fillna(medians))


def _test_fill(answer: Callable[[Any], Any]) -> None:
    from course_utils.datasets import load_auto_mpg

    cars = load_auto_mpg()
    filled = answer(cars.copy())
    assert filled is not None, "your function returns nothing; it should return the filled table."
    assert len(filled) == len(cars), "no car may be lost: fill the gaps, do not drop the rows."
    assert not filled["horsepower"].isna().any(), "some horsepower is still missing."
    for row in cars.index[cars["horsepower"].isna()]:
        alike = cars[cars["cylinders"] == cars.loc[row, "cylinders"]]
        wanted, got = alike["horsepower"].median(), filled.loc[row, "horsepower"]
        assert got == wanted, f"the {cars.loc[row, 'name']} should get {wanted:g}, not {got:g}."
    known = cars["horsepower"].notna()
    same = (filled.loc[known, "horsepower"] == cars.loc[known, "horsepower"]).all()
    assert same, "a horsepower that was known has changed."


fill = Exercise(
    test=_test_fill,
    solve=fill_by_cylinders,
    hints=(
        "cars.groupby('cylinders')['horsepower'] splits the column by the number of cylinders.",
        ".transform('median') gives each car the median of its group; .fillna takes it.",
    ),
)


def litres_per_100_km(mpg: float) -> float:
    """Turn miles per US gallon into litres per 100 kilometres."""
    return 100 * 3.785411784 / (mpg * 1.609344)


def _test_litres(answer: Callable[[float], float]) -> None:
    for mpg, litres in ((23.5214583, 10.0), (47.0429167, 5.0)):
        got = answer(mpg)
        assert got is not None, "your function returns nothing."
        right = abs(got - litres) < 0.01
        assert right, f"{mpg:.2f} mpg are {litres:g} litres per 100 km, not {got:.2f}."


litres = Exercise(
    test=_test_litres,
    solve=litres_per_100_km,
    hints=(
        "A US gallon has 3.785411784 litres, a mile 1.609344 kilometres.",
        "Miles per gallon is distance over fuel; you want fuel over distance: it turns around.",
    ),
)


def faulty_features(schema: Any, example: Mapping[str, Any]) -> list[str]:
    """The names of the features that are wrong in ``example``."""
    from course_utils.inference import InvalidExample

    try:
        schema.validate(example)
    except InvalidExample as error:
        return [fault.pointer.removeprefix("/") for fault in error.faults]
    return []


def _test_faulty(answer: Callable[[Any, Mapping[str, Any]], list[str]]) -> None:
    from course_utils.inference import Feature, FeatureSchema

    features = [Feature("weight", False, 1613, 5140), Feature("year", True, 70, 82)]
    schema = FeatureSchema(features, target="mpg")
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"weight": 3000, "year": 75}, []),
        ({"weight": 30, "year": 75}, ["weight"]),
        ({"weight": "heavy", "year": 1975}, ["weight", "year"]),
    ]
    for example, wanted in cases:
        got = answer(schema, example)
        assert got is not None, "your function returns nothing; it should return a list of names."
        assert sorted(got) == wanted, f"for {example} it should return {wanted}, not {got}."


faulty = Exercise(
    test=_test_faulty,
    solve=faulty_features,
    hints=(
        "schema.validate raises InvalidExample (from course_utils.inference) if anything is wrong.",
        "The exception has a list .faults; each fault has a .pointer such as '/weight'.",
    ),
)
