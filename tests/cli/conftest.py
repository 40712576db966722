"""The command, and versions to read with a copy of them to change."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from course_utils.cli import main
from tests.support.records import elsewhere, kept, store, version

__all__ = ["elsewhere", "kept", "store", "version"]

Command = Callable[..., Result]


@pytest.fixture
def course(monkeypatch: pytest.MonkeyPatch) -> Command:
    """``course``, as it is typed in a wide window."""
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(main, [*map(str, words)])
