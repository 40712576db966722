"""Exercises of notebook 02."""

from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise, open_client


def fill_by_cylinders(cars: Any) -> Any:
    """Fill a missing horsepower with the median of the cars with as many cylinders."""
    medians = cars.groupby("cylinders")["horsepower"].transform("median")
    return cars.assign(horsepower=cars["horsepower"].fillna(medians))


def _test_fill(answer: Callable[[Any], Any]) -> None:
    from course_utils.datasets import load_auto_mpg

    cars = load_auto_mpg()
    filled = answer(cars.copy())
    assert len(filled) == len(cars), "no car may be lost: fill the gaps, do not drop the rows."
    assert not filled["horsepower"].isna().any(), "some horsepower is still missing."
    wanted, got = fill_by_cylinders(cars)["horsepower"], filled["horsepower"]
    for row in cars.index[cars["horsepower"].isna()]:
        name, power = cars.loc[row, "name"], wanted[row]
        assert got[row] == power, f"the {name} should get {power:g}, not {got[row]:g}."
    assert (got == wanted).all(), "a horsepower that was known has changed."


fill = Exercise(
    test=_test_fill,
    solve=fill_by_cylinders,
    hints=(
        "cars.groupby('cylinders')['horsepower'] splits the column by the number of cylinders.",
        ".transform('median') gives each car the median of its group; .fillna takes it.",
    ),
)


def make_litre_service() -> Any:
    """A service that converts miles per gallon into litres per 100 kilometres."""
    from flask import Flask, request

    app = Flask("litres")

    @app.post("/api/litres")
    def convert() -> Any:
        body = request.get_json(silent=True)
        mpg = body.get("mpg") if isinstance(body, dict) else None
        if not isinstance(mpg, (int, float)) or isinstance(mpg, bool) or not 1 <= mpg <= 100:
            return {"errors": ["mpg must be a number from 1 to 100"]}, 400
        return {"litres": round(235.215 / mpg, 1)}

    return app


def _test_litre_service(answer: Callable[[], Any]) -> None:
    client = open_client(answer())
    for mpg, litres in ((20, 11.8), (23.5, 10.0), (1, 235.2), (100, 2.4)):
        reply = client.post("/api/litres", json={"mpg": mpg})
        assert reply.status_code == 200, f"{mpg} mpg gets status {reply.status_code}, not 200."
        got = reply.get_json()
        assert got == {"litres": litres}, f"{mpg} mpg are {litres} litres; you answer {got}."
    bad = [b'{"mpg": "20"}', b'{"mpg": true}', b'{"mpg": 0}', b'{"mpg": 101}', b'{"mpg": NaN}']
    for body in [*bad, b'{"mpg": null}', b"{}", b"[20]", b"7", b"hello"]:
        reply = client.post("/api/litres", data=body, content_type="application/json")
        said = f"{body.decode()} gets status {reply.status_code}, not 400."
        assert reply.status_code == 400, said
        errors = (reply.get_json(silent=True) or {}).get("errors")
        assert errors, f"{body.decode()} gets no list of errors in JSON."


litre_service = Exercise(
    test=_test_litre_service,
    solve=make_litre_service,
    hints=(
        "app = Flask('litres'), a function under @app.post('/api/litres'), and return app.",
        "request.get_json(silent=True) returns None for what is no JSON, and does not answer.",
        "Ask for the type first, bool apart, then for 1 <= mpg <= 100, which NaN does not pass.",
    ),
)


def find_ranges(table: Any) -> dict[str, tuple[float, float]]:
    """The smallest and the largest value of each numeric column without gaps."""
    numbers = table.select_dtypes("number").dropna(axis="columns")
    return {name: (column.min(), column.max()) for name, column in numbers.items()}


def _test_own_ranges(answer: Callable[[Any], Any]) -> None:
    import pandas as pd

    from course_utils.datasets import load_auto_mpg

    mixed = pd.DataFrame(
        {
            "room": ["A", "B", "C"],
            "heated": [True, False, True],
            "degrees": [19.5, -2.0, 21.0],
            "people": [3, 0, 12],
            "noise": [40.0, None, 55.0],
        }
    )
    for table in (mixed, load_auto_mpg()):
        got = answer(table)
        wanted, numbers = find_ranges(table), table.select_dtypes("number")
        for name in table:
            if name in wanted:
                low, high = wanted[name]
                assert name in got, f"{name} is missing."
                assert tuple(got[name]) == (low, high), f"{name} is from {low} to {high}."
            else:
                why = "a gap" if name in numbers else "no numbers"
                assert name not in got, f"{name} has {why}: leave it out."


own_ranges = Exercise(
    test=_test_own_ranges,
    solve=find_ranges,
    hints=(
        "table.select_dtypes('number') keeps the columns of numbers; bool is not among them.",
        ".dropna(axis='columns') drops the columns with gaps; .items() gives names and columns.",
    ),
)
