"""What `check` says of an error, a value of the wrong kind, and a right answer; and progress."""

import linecache
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from flask import Flask
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from course_utils.exercises import (
    Exercise,
    coreml,
    drift,
    flask_hello_world,
    mpg_client,
    progress,
)
from course_utils.exercises.kinds import describe, find_wrong_kind
from tests.exercises.test_exercises import log_everything, without_adjustment
from tests.support.command import course


def learner(source):
    """A function as a notebook's cell defines it: with names of its own, and lines to show."""
    name = f"<cell {hash(source)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    space = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), space)
    return [value for value in space.values() if callable(value)][-1]


def test_an_error_in_the_learner_s_code_comes_with_their_line():
    answer = learner(
        "def helper(car):\n    return car['mgp']\n\n"
        "def predict_all(url, cars):\n    return [helper(car) for car in cars]\n"
    )
    assert mpg_client.predict.problem(answer) == (
        "your code raised KeyError: 'mgp'\nin line 2: return car['mgp']"
    )


def test_an_error_in_a_route_comes_with_its_line(capsys):
    answer = learner(
        "def adding_app():\n    from flask import Flask\n    app = Flask('mine')\n"
        "    @app.get('/add')\n    def add():\n        return {'sum': 1 / 0}\n    return app\n"
    )
    assert flask_hello_world.adding.problem(answer) == (
        "/add?a=2&b=40 answered 500, not 200.\n"
        "Your code raised ZeroDivisionError: division by zero\nin line 6: return {'sum': 1 / 0}"
    )
    assert capsys.readouterr() == ("", "")  # no traceback beside it


def test_arguments_that_do_not_fit_are_an_error_of_the_learner_s():
    said = mpg_client.predict.problem(learner("def predict_all(url):\n    return []\n"))
    assert said.startswith("your code raised TypeError: predict_all() takes 1 positional")


def solve_number() -> float:
    return 10.0


def solve_anything():
    return 10.0


def broken(answer):
    """A check with a fault of its own."""
    answer()
    raise ZeroDivisionError("in the check")


def rough(answer):
    """A check that computes with what it gets."""
    if answer() * 2 - 20:
        raise AssertionError("the number is not 10.")


@pytest.mark.parametrize("solve", [solve_number, solve_anything])
def test_an_error_inside_the_check_is_never_the_learner_s(solve):
    said = Exercise(broken, solve, ()).problem(learner("def answer():\n    return 10.0\n"))
    assert said == (
        "the check could not judge what your function returned, a number, 10.0. It stopped with "
        "an error of its own, ZeroDivisionError: in the check"
    )


def test_a_value_of_the_wrong_kind_is_named():
    exercise = Exercise(rough, solve_number, ())
    answer = learner("def answer():\n    return '10'\n")
    assert exercise.problem(answer) == (
        "your function returned a text, '10'; a number was asked for."
    )
    assert exercise.problem(learner("def answer():\n    return 11\n")) == "the number is not 10."
    assert exercise.problem(lambda: np.float32(10)) == ""


def with_steps_of_zero(weights, bits):
    steps = np.abs(weights).max(axis=0) / (2 ** (bits - 1) - 1)
    return np.round(weights / np.where(steps > 0, steps, 1)).astype(int), steps


@pytest.mark.parametrize(
    ("exercise", "answer", "said"),
    [
        (coreml.quantize, with_steps_of_zero, "mind the column of zeros"),
        (drift.own_tables, without_adjustment, "adjust the p-values"),
        (drift.request_log, log_everything, "the log should hold x = 1.5 and 4, not [{'x'"),
    ],
)
def test_a_frequent_mistake_is_named(exercise, answer, said):
    assert said in exercise.problem(answer)


def test_the_result_in_place_of_the_function_is_named():
    said = mpg_client.predict.problem([20.0])
    assert said == "give check the function itself, without brackets; it got a list, [20.0]."


@pytest.mark.parametrize(
    ("value", "asked", "said"),
    [
        ("10", float, "a text, '10'; a number was asked for"),
        (True, float, "a truth value, True; a number was asked for"),
        (np.bool_(1), bool, ""),
        (2, float, ""),
        (np.int64(2), int, ""),
        (2.5, int, "a number, 2.5; a whole number was asked for"),
        (None, list[int], "nothing; a list was asked for"),
        ([1, None], list[int | None], ""),
        (
            {"red": "0.5"},
            dict[str, float],
            "a dictionary in which the value of 'red' is a text, '0.5'; a number was asked for",
        ),
        (
            {"200": 3},
            dict[int | str, int],
            "",
        ),
        (
            {200.0: 3},
            dict[str, int],
            "a dictionary in which a key is a number, 200.0; a text was asked for",
        ),
        ((1, 2, 3), tuple[int, int], "a tuple of 3; one of 2 was asked for"),
        (
            ("epoch", "10"),
            tuple[str, int],
            "a tuple in which value 2 is a text, '10'; a whole number was asked for",
        ),
        (
            "x",
            float | None,
            "a text, 'x'; a number or nothing was asked for",
        ),
    ],
)
def test_wrong_kinds_are_found_at_any_depth(value, asked, said):
    assert find_wrong_kind(value, asked) == said


def test_an_object_is_described_by_its_type():
    assert describe(Flask("x")) == "an object of the type Flask"


CELL = """
from course_utils.exercises.start_here import ready
{}
ready.check(is_ready)
"""


@pytest.mark.thorough
def test_jupyter_shows_a_coloured_word_and_the_same_text_as_a_terminal(home):
    stub = "def is_ready(url):\n    return ..."
    solved = "from course_utils.exercises.start_here import is_ready"
    notebook = new_notebook(cells=[new_code_cell(CELL.format(part)) for part in (stub, solved)])
    NotebookClient(notebook).execute()
    (not_yet,), (right,) = (cell.outputs for cell in notebook.cells)
    assert not_yet.data["text/plain"].startswith("Not yet: the three dots are still there")
    assert "background-color: #9a6700" in not_yet.data["text/html"]
    assert ">Not yet:</strong> the three dots" in not_yet.data["text/html"]
    assert right.data["text/plain"] == "Right! That is what was asked for."
    assert "background-color: #1a7f37" in right.data["text/html"]
    command = [sys.executable, "-c", CELL.format(solved)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "Right! That is what was asked for.\n"
    nbformat.validate(notebook)


def test_progress_shows_what_has_been_solved(home):
    lookup = flask_hello_world.lookup
    lookup.check(flask_hello_world.greeting_app)  # wrong
    assert not (home / "progress.json").exists()
    lookup.check(flask_hello_world.lookup_app)
    lookup.check(flask_hello_world.lookup_app)
    (entry,) = [one for one in progress.list_progress() if one.number == "01"]
    assert (entry.solved, entry.unsolved) == (["lookup"], ["greeting", "adding"])
    assert [path.name for path in home.iterdir()] == ["progress.json"]  # and no draft of it


def test_a_folder_that_cannot_be_written_to_does_not_make_an_answer_wrong(
    home, monkeypatch, capsys
):
    (home / "file").touch()
    monkeypatch.setenv("COURSE_HOME", str(home / "file"))
    flask_hello_world.greeting.check(flask_hello_world.greeting_app)
    assert capsys.readouterr().out == "Right! That is what was asked for.\n"


def test_a_damaged_file_of_progress_counts_nothing_as_solved(home):
    (home / "progress.json").write_text("[1")
    assert not any(entry.solved for entry in progress.list_progress())
    flask_hello_world.greeting.check(flask_hello_world.greeting_app)
    assert sum(len(entry.solved) for entry in progress.list_progress()) == 1


def test_the_command_shows_progress(home):
    flask_hello_world.greeting.check(flask_hello_world.greeting_app)
    result = course("progress")
    assert result.exit_code == 0, result.output
    (row,) = [line for line in result.output.splitlines() if "flask hello world" in line]
    assert "1 of 3" in row
    assert "adding, lookup" in row
