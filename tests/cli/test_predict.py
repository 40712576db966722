"""``course predict``."""

import functools
from pathlib import Path

import pytest

from tests.support.batch_files import (
    copy_model,
    one_by_one,
    read_csv,
    read_parquet,
    some,
    write_csv,
)
from tests.support.command import course
from tests.support.serving import MODEL

CARS = some(30)


predict = functools.partial(course, "predict", "mpg")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    rows = [dict(car) for car in CARS]
    rows[3]["weight"] = "heavy"
    return write_csv(tmp_path / "in.csv", rows)


def test_it_predicts_and_reports(source: Path) -> None:
    target = source.with_name("out.csv")
    result = predict("--input", source, "--output", target, "--chunk", 7)
    assert result.exit_code == 0, result.output
    assert str(MODEL) in result.output  # the shipped one: this learner has saved none
    assert f"{target}: 30 rows, in " in result.output
    assert "Rows without a prediction: 1;" in result.output
    assert "predicting" in result.output
    answers = [row["mpg"] for row in read_csv(target)]
    assert answers.pop(3) == ""
    expected = one_by_one(CARS[:3] + CARS[4:])
    assert [float(answer) for answer in answers] == pytest.approx(expected, rel=1e-5)


def test_the_learners_own_model_comes_first(source: Path, tmp_path: Path) -> None:
    copy_model(tmp_path / "home")
    result = predict("--input", source, "--output", tmp_path / "out.parquet")
    assert str(tmp_path / "home" / "mpg.tflite") in result.output
    assert len(read_parquet(tmp_path / "out.parquet")) == 30


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model", "in.csv"], "schema.json"),
        (["--chunk", "0"], "Invalid value"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    options: list[str], said: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.parent)
    options = [str(MODEL) if option == "MODEL" else option for option in options]
    result = predict("--input", source, "--output", "out.csv", *options)
    assert result.exit_code in (1, 2)
    assert said in result.output
    assert "Traceback" not in result.output
    assert not Path("out.csv").exists()
