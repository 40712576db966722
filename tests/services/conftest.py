"""Running services, and a store with two versions for one to follow."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from course_utils import registry
from tests.support.serving import COURSE, Served, serving
from tests.support.stores import two_versions

FROM_STORE = [str(COURSE), "serve", "mpg", "--store"]


@pytest.fixture(scope="session")
def mpg() -> Iterator[Served]:
    with serving("mpg") as served:
        yield served


@pytest.fixture(scope="session")
def image() -> Iterator[Served]:
    with serving("image", workers=2) as served:
        yield served


@pytest.fixture(scope="module")
def template(tmp_path_factory: Any) -> Path:
    return two_versions(tmp_path_factory.mktemp("template") / "store")


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "store"))


def version_of(answer: Any) -> int:
    return int(answer.headers["X-Model-Version"])


def tamper(store: Path, version: int) -> None:
    model = registry.load("mpg", version, store=store).model
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)


def state(url: str) -> dict[str, Any]:
    return requests.get(f"{url}/version", timeout=60).json()
