"""Exercises of notebook 07."""

from collections.abc import Callable
from typing import Any

from course_utils.exercises import Exercise, make_folder, open_client


def build_app(predict: Any, log: Any) -> Any:
    """An app whose ``POST /predict`` answers, and appends each accepted row to the file ``log``."""
    import json

    from flask import Flask, jsonify, request

    app = Flask("exercise")

    @app.post("/predict")
    def answer() -> Any:
        row = request.get_json(silent=True)
        if not isinstance(row, dict):
            return jsonify(error="Send a JSON object."), 400
        prediction = predict(row)
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        return jsonify(prediction=prediction)

    return app


def _test_log(answer: Callable[[Any, Any], Any]) -> None:
    import json

    with make_folder({}) as folder:
        client = open_client(answer(lambda row: 2 * row["x"], log := folder / "requests.jsonl"))
        for body, wanted in {'{"x": 1.5}': 200, "[1]": 400, "?": 400, '{"x": 4}': 200}.items():
            reply = client.post("/predict", data=body, content_type="application/json")
            assert (got := reply.status_code) == wanted, f"for {body} {wanted} is right, not {got}."
        assert reply.get_json() == {"prediction": 8}, "for x = 4 the prediction should be 8."
        assert log.is_file(), "there is no log: append a line to `log` for each accepted row."
        rows = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.strip()]
        assert rows == [{"x": 1.5}, {"x": 4}], f"the log should hold x = 1.5 and 4, not {rows}."


request_log = Exercise(
    _test_log,
    build_app,
    hints=(
        "request.get_json(silent=True) is None where the body is no JSON; check for a dict.",
        "Append to the file: with log.open('a') as file: file.write(json.dumps(row) + '\\n')",
    ),
)


def fill(train: Any, new: Any) -> tuple[Any, Any]:
    """Fill both tables with the medians of the training rows."""
    medians = train.median()
    return train.fillna(medians), new.fillna(medians)


def _test_filling(answer: Callable[[Any, Any], Any]) -> None:
    import pandas as pd

    train = pd.DataFrame({"a": [1.0, 2.0, None, 9.0], "b": [5.0, 5.0, 7.0, None]})
    new = pd.DataFrame({"a": [None, 30.0, 40.0], "b": [None, None, 6.0]})
    got = answer(train.copy(), new.copy())
    for before, after in zip((train, new), got, strict=True):
        assert not after.isna().any(axis=None), "there are still missing values."
        assert after.where(before.notna()).equals(before), "do not change the values that exist."
    assert got[1]["a"][0] != 35, "35 is the new table's own median; this makes drift."
    assert got[1]["a"][0] == got[0]["a"][2] == 2, "fill both with the training rows' median, 2."


filling = Exercise(
    _test_filling, fill, ("train.median() has a median for each column; fillna accepts it.",)
)


def find_changes(old: Any, new: Any) -> dict[str, float]:
    """D by column, where p times the number of columns is below 0.05 and D is at least 0.1."""
    from scipy import stats

    names = old.select_dtypes("number").columns
    tests = {name: stats.ks_2samp(old[name].dropna(), new[name].dropna()) for name in names}
    sizes = {name: float(t.statistic) for name, t in tests.items() if t.pvalue * len(tests) < 0.05}
    return {name: size for name, size in sizes.items() if size >= 0.1}


def _test_changes(answer: Callable[[Any, Any], dict[str, float]]) -> None:
    import numpy as np
    import pandas as pd

    noise = np.random.default_rng(0).normal(size=(2, 200, 20))
    old, new = (pd.DataFrame(half).add_prefix("x") for half in noise)
    many = pd.DataFrame({"x": np.arange(20_000.0), "city": "Rome"})
    few = pd.DataFrame({"a": [*range(100), None], "b": [*range(50, 150), None]})
    assert answer(old, new) == {}, "nothing changed in 20 columns of noise: adjust the p-values."
    assert answer(many, many.assign(x=many["x"] + 600)) == {}, "a D of 0.03 is below 0.1."
    got = answer(few, few.assign(a=few["a"] + 40))
    assert list(got) == ["a"], f"only a changed; leave missing values out. You found {list(got)}."
    assert abs(got["a"] - 0.4) < 1e-9, f"the D of column a is 0.4, not {got['a']}."


own_tables = Exercise(
    _test_changes,
    find_changes,
    hints=(
        "old.select_dtypes('number') has the columns of numbers; drop missing values by .dropna().",
        "Keep a column where test.pvalue * number_of_columns < 0.05 and test.statistic >= 0.1.",
    ),
)
