from collections.abc import Iterator

import pytest

from course_utils.services.mpg import create_app
from course_utils.serving import launch
from tests.support.serving import MODEL, free_port, serving

Address = tuple[str, int]


@pytest.fixture(scope="session")
def production() -> Iterator[Address]:
    """The MPG service as ``course serve`` runs it."""
    with serving("mpg") as served:
        yield served.address


@pytest.fixture(scope="session")
def development() -> Iterator[Address]:
    """The MPG service as a notebook runs it."""
    with launch(create_app(MODEL), port=free_port()) as server:
        yield "127.0.0.1", server.port


@pytest.fixture(params=["production", "development"])
def address(request: pytest.FixtureRequest) -> Address:
    """Both of them, one after the other."""
    return request.getfixturevalue(request.param)
