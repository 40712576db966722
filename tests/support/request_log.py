"""A service that records what it is asked, and the folder it records in."""

from pathlib import Path

import pytest
import requests

from tests.support.serving import COURSE, MODEL, Served

RECORDING = [str(COURSE), "serve", "mpg", "--model", str(MODEL), "--record"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "asked"


def ask(served: Served, car: object) -> requests.Response:
    return requests.post(f"{served.url}/api/mpg", json=car, timeout=60)


def lines(folder: Path) -> list[bytes]:
    return [line for path in folder.iterdir() for line in path.read_bytes().splitlines()]
