import logging
import threading
from collections.abc import Iterator

import pytest
from werkzeug.serving import make_server

from course_utils.services.mpg import create_app
from tests.support.serving import MODEL, serving

Address = tuple[str, int]


@pytest.fixture(scope="session")
def production() -> Iterator[Address]:
    """The MPG service as ``course serve`` runs it."""
    with serving("mpg") as served:
        yield served.address


@pytest.fixture(scope="session")
def development() -> Iterator[Address]:
    """The MPG service as a notebook runs it."""
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = make_server("127.0.0.1", 0, create_app(MODEL), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield "127.0.0.1", server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["production", "development"])
def address(request: pytest.FixtureRequest) -> Address:
    """Both of them, one after the other."""
    return request.getfixturevalue(request.param)
