"""Pages in a real browser."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.serving import Served, serving
from tests.support.web_app import WebApp

Visit = Callable[..., WebApp]


@pytest.fixture(scope="package")
def service() -> Iterator[Served]:
    """The image service as ``course serve`` runs it, with the real network."""
    with serving("image") as served:
        yield served


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens the page at an address, in a window of its own; afterwards all must have been well.

    ``others`` are the addresses besides its own that the page may ask.
    """
    opened: list[tuple[WebApp, tuple[str, ...]]] = []

    def open_page(url: str, *others: str, **options: Any) -> WebApp:
        app = WebApp(browser.new_context(**options), url)
        opened.append((app, (app.url, *others, "data:", "blob:")))
        return app

    yield open_page
    for app, allowed in opened:
        app.close()
        assert app.complaints == []
        assert [url for url in app.asked if not url.startswith(allowed)] == []


@pytest.fixture
def app(visit: Visit, service: Served) -> WebApp:
    return visit(service.url)
