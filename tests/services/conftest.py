from collections.abc import Iterator

import pytest

from tests.support.serving import Served, serving
from tests.support.versions import store, template

__all__ = ["hello", "image", "mpg", "store", "template"]


@pytest.fixture(scope="session")
def hello() -> Iterator[Served]:
    with serving("hello") as served:
        yield served


@pytest.fixture(scope="session")
def mpg() -> Iterator[Served]:
    with serving("mpg") as served:
        yield served


@pytest.fixture(scope="session")
def image() -> Iterator[Served]:
    with serving("image", workers=2) as served:
        yield served
