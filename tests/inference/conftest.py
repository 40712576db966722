"""The service whose requests are recorded, or not, and the folder for them."""

from pathlib import Path

import pytest

from tests.services.conftest import mpg

__all__ = ["mpg"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "asked"


def lines(folder: Path) -> list[bytes]:
    return [line for path in folder.iterdir() for line in path.read_bytes().splitlines()]
