"""Run folders are never shared, and the log holds what was printed."""

import logging
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from course_utils.training import runs


def run_python(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", f"from course_utils.training.runs import *\n{code}"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


def test_numbers_rise_and_gaps_are_not_filled(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    assert runs.new_run(folder, "first try").name == "00000-first-try"
    (folder / "00041-from-elsewhere").mkdir()
    (folder / "notes").mkdir()
    (folder / "00099.txt").touch()
    assert runs.new_run(folder).name == "00100"
    assert (folder / "00100").is_dir()


@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("lr=0.01, Adam", "00000-lr-0.01-Adam"),
        ("../a\\c:d*e?f", "00000-a-c-d-e-f"),
        ("ends in a dot. ", "00000-ends-in-a-dot"),  # which Windows would drop
        ("größer", "00000-größer"),
        ("x" * 500, "00000-" + "x" * runs.MAX_DESCRIPTION_CHARS),
    ],
)
def test_any_description_makes_a_name_that_every_system_takes(
    tmp_path: Path, description: str, name: str
) -> None:
    run = runs.new_run(tmp_path, description)
    assert run.name == name
    assert run.parent == tmp_path


@pytest.mark.thorough
def test_a_hundred_processes_get_a_hundred_folders(tmp_path: Path) -> None:
    def ask(number: int) -> str:
        code = "import sys; print(new_run(*sys.argv[1:]).name)"
        return run_python(code, str(tmp_path), f"d{number % 3}").stdout.strip()

    with ThreadPoolExecutor(16) as pool:
        names = list(pool.map(ask, range(100)))
    assert sorted(name[:5] for name in names) == [f"{i:05d}" for i in range(100)]
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == set(names)


def test_both_streams_go_to_the_file_and_still_to_the_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sys.stdout, sys.stderr
    with runs.tee(tmp_path) as log:
        print("to output")
        print("to error: ä", file=sys.stderr)
        print("no newline", end="")
    assert (sys.stdout, sys.stderr) == before
    assert log == tmp_path / "log.txt"
    assert log.read_text("utf-8") == "to output\nto error: ä\nno newline\n"
    assert capsys.readouterr() == ("to output\nno newline", "to error: ä\n")


def test_what_was_printed_is_in_the_file_before_the_end(tmp_path: Path) -> None:
    code = f"import os\nwith tee({str(tmp_path / 'log')!r}): print('so far'); os._exit(9)"
    assert run_python(code).returncode == 9
    assert (tmp_path / "log").read_text() == "so far\n"


def test_an_exception_passes_and_its_traceback_is_logged(tmp_path: Path) -> None:
    before = sys.stdout

    def fails() -> None:
        print("half a line", end="")
        _ = 1 / 0

    with pytest.raises(ZeroDivisionError), runs.tee(tmp_path / "log"):
        fails()
    assert sys.stdout is before
    text = (tmp_path / "log").read_text()
    assert text.startswith("half a line\nTraceback (most recent call last):\n")
    assert text.endswith("ZeroDivisionError: division by zero\n")


def test_nested_logs_each_hold_what_was_printed_within(tmp_path: Path) -> None:
    with runs.tee(tmp_path / "outer"):
        print("one")
        with runs.tee(tmp_path / "inner"):
            print("two")
        print("three")
    with runs.tee(tmp_path / "outer"):  # a run that goes on: appended
        sys.stdout.writelines(["four\n"])
    assert (tmp_path / "outer").read_text() == "one\ntwo\nthree\nfour\n"
    assert (tmp_path / "inner").read_text() == "two\n"


def test_who_kept_the_stream_can_go_on_writing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("test_runs")
    with runs.tee(tmp_path / "log"):
        handler = logging.StreamHandler(sys.stderr)
        logger.addHandler(handler)
        logger.warning("within")
    logger.warning("after")
    logger.removeHandler(handler)
    assert (tmp_path / "log").read_text() == "within\n"
    assert capsys.readouterr().err == "within\nafter\n"


def test_of_a_progress_bar_the_last_state_is_logged(tmp_path: Path) -> None:
    with runs.tee(tmp_path / "log"):
        for step in range(1, 4):  # as tqdm writes
            print(f"\r{step * 33}%|{'█' * step}", end="", file=sys.stderr)
            print(f"\x1b[1m{step}/3\x1b[0m" + "\b" * 9 + "\r", end="")  # as Keras does
        print("\r100%|███", file=sys.stderr)
        print(" \r\x1b[32m3/3\x1b[0m loss: 0.5   ")
        print("as on Windows\r\n", end="")
    assert (tmp_path / "log").read_text("utf-8") == "100%|███\n3/3 loss: 0.5\nas on Windows\n"


def test_lines_of_many_threads_stay_whole(tmp_path: Path) -> None:
    def talk(who: int) -> None:
        for _ in range(100):
            sys.stdout.write(f"{who} says a whole line\n")

    with runs.tee(tmp_path / "log"):
        threads = [threading.Thread(target=talk, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == 800
    assert all(re.fullmatch(r"\d says a whole line", line) for line in lines)
