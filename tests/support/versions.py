"""A store with two versions for a service to follow, and what the service says of them."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import requests

from course_utils import registry
from tests.support.serving import CAR, COURSE
from tests.support.stores import two_versions

FROM_STORE = [str(COURSE), "serve", "mpg", "--store"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: Any) -> Path:
    return two_versions(tmp_path_factory.mktemp("template") / "store")


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "store"))


def ask(url: str, car: Any = CAR) -> requests.Response:
    """On a connection of its own, so that any worker may answer."""
    return requests.post(f"{url}/api/mpg", json=car, timeout=60)


def version_of(answer: Any) -> int:
    return int(answer.headers["X-Model-Version"])


def tamper(store: Path, version: int) -> None:
    model = registry.load("mpg", version, store=store).model
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)


def state(url: str) -> dict[str, Any]:
    return requests.get(f"{url}/version", timeout=60).json()
