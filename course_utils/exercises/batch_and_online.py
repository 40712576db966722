"""Exercises of notebook 15."""

import json
from collections.abc import Callable
from typing import Any
from unittest import mock

from course_utils.exercises import Exercise, make_folder


def predict_parts(rows: Any, folder: Any, predict: Any, size: int) -> Any:
    """Predict a table in chunks, each a file that is whole or absent; the whole table."""
    import pandas as pd

    files = []
    for first in range(0, len(rows), size):
        files.append(folder / f"part-{first:06d}.csv")
        if not files[-1].exists():
            chunk, draft = rows.iloc[first : first + size], folder / "draft"
            chunk.assign(prediction=predict(chunk)).to_csv(draft, index=False)
            draft.replace(files[-1])
    return pd.concat(map(pd.read_csv, files), ignore_index=True)


def _test_parts(answer: Callable[..., Any]) -> None:
    import pandas as pd

    steps: list[str] = []
    write = pd.DataFrame.to_csv

    def fail(table: Any, *args: Any, **kwargs: Any) -> Any:
        if 3 not in table["a"].to_numpy():
            return write(table, *args, **kwargs)
        write(table.iloc[:1], *args, **kwargs)
        raise OSError("the disk is full")

    def predict(chunk: Any) -> Any:
        steps.append(f"predict {list(chunk['a'])}")
        return chunk["a"] * 10

    with make_folder({}) as folder:
        try:
            with mock.patch.object(pd.DataFrame, "to_csv", fail):
                answer(pd.DataFrame({"a": [1, 2, 3, 4, 5]}), folder, predict, 2)
        except OSError as error:
            steps.append(str(error))
        got = answer(pd.DataFrame({"a": [1, 2, 3, 4, 5]}), folder, predict, 2)
    wanted = ["predict [1, 2]", "predict [3, 4]", "the disk is full"]
    wanted += ["predict [3, 4]", "predict [5]"]  # half a file is no finished chunk
    assert steps == wanted, f"the steps should be {wanted}; yours are {steps}."
    found = [list(got[name]) for name in ("a", "prediction")]
    both = [[1, 2, 3, 4, 5], [10, 20, 30, 40, 50]]
    assert found == both, f"the columns a and prediction should be {both}, not {found}."


parts = Exercise(
    test=_test_parts,
    solve=predict_parts,
    hints=(
        "for first in range(0, len(rows), size): the chunk is rows.iloc[first : first + size]. "
        "Name its file after `first`, and go on if the file exists.",
        "Write to another name, folder / 'draft', and rename it: draft.replace(file).",
        "At the end: pd.concat(map(pd.read_csv, files), ignore_index=True). Written with "
        "index=False, the files have no row numbers.",
    ),
)


def learn_late(labels: Any, delay: int, predict: Any, learn: Any) -> list[float]:
    """Test, then train, where each label comes ``delay`` rows late; the errors."""
    errors = []
    for row in range(len(labels)):
        if row >= delay:
            learn(row - delay)
        errors.append(predict(row) - labels[row])
    return errors


def _test_stream(answer: Callable[..., Any]) -> None:
    for delay in (1, 3, 10):
        steps: list[str] = []
        got = answer(
            [10.0, 20.0, 30.0, 40.0],
            delay,
            lambda row, steps=steps: steps.append(f"predict {row}") or 12.0,
            lambda row, steps=steps: steps.append(f"learn {row}"),
        )
        wanted = [f"learn {row - delay}, predict {row}" for row in range(4)]
        wanted[:delay] = [f"predict {row}" for row in range(4)][:delay]
        assert steps == ", ".join(wanted).split(", "), (
            f"delay {delay}: the steps should be {', '.join(wanted)}; yours are {', '.join(steps)}."
        )
        assert got == [2.0, -8.0, -18.0, -28.0], "an error is prediction minus label."


stream = Exercise(
    test=_test_stream,
    solve=learn_late,
    hints=(
        "When row 7 is to be predicted and labels come 3 rows late, row 4 has just got its label.",
        "So learn(row - delay) comes before predict(row), from row `delay` on.",
    ),
)


def join_labels(log: Any, labels: Any) -> Any:
    """The features of each logged request that has a label, with its newest label."""
    import json

    import pandas as pd

    requests = [json.loads(line) for line in log.read_text().splitlines()]
    features = pd.DataFrame([{"id": each["id"]} | each["features"] for each in requests])
    newest = labels.drop_duplicates("id", keep="last")[["id", "label"]]
    return features.merge(newest, on="id").drop(columns="id")


def _test_own_log(answer: Callable[..., Any]) -> None:
    import pandas as pd

    lines = [{"id": f"r{n}", "features": {"a": n, "b": -n}, "prediction": 9.0} for n in range(4)]
    late = pd.DataFrame({"id": ["r2", "r0", "r9", "r2"], "label": [5.0, 3.0, 1.0, 6.0]})
    with make_folder({"log.jsonl": "\n".join(map(json.dumps, lines)).encode()}) as folder:
        got = answer(folder / "log.jsonl", late)
    assert sorted(got) == ["a", "b", "label"], (
        f"the columns should be a, b and label, not {', '.join(got)}: a model must learn neither "
        "from an id nor from a prediction."
    )
    found = sorted(got[["a", "b", "label"]].to_numpy().tolist())
    assert found == [[0, 0, 3], [2, -2, 6]], (
        "request r0 has the label 3, r2 first 5 and then 6 (the correction counts), the others "
        f"have none; your rows of a, b and label are {found}."
    )


own_log = Exercise(
    test=_test_own_log,
    solve=join_labels,
    hints=(
        "json.loads reads one line; log.read_text().splitlines() gives them all.",
        "labels.drop_duplicates('id', keep='last') keeps the corrected label.",
        "features.merge(newest, on='id') keeps the ids that both tables have; then drop the id.",
    ),
)
