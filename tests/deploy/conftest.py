"""What is needed of the machine, and what becomes of a test where it is not there."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.servers import no_apache


def _missing(reason: str) -> None:
    """Skip with the reason; where CI is to prove that it works, fail."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def apache() -> None:
    """Apache and what its module is built with."""
    if reason := no_apache():
        _missing(reason)


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """Where a linter is: in this environment, or else on the path."""

    def find(name: str) -> str:
        found = shutil.which(name, path=Path(sys.executable).parent) or shutil.which(name)
        if not found:
            _missing(f"needs {name}, which is not here")
        return str(found)

    return find
