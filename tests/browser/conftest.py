"""The image service's page in a real browser."""

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
    """Opens the page at an address, in a window of its own; afterwards all must have been well."""
    apps: list[WebApp] = []

    def open_page(url: str, **options: Any) -> WebApp:
        apps.append(WebApp(browser.new_context(**options), url))
        return apps[-1]

    yield open_page
    for app in apps:
        app.close()
        assert app.complaints == []
        assert [url for url in app.asked if not url.startswith((app.url, "data:", "blob:"))] == []


@pytest.fixture
def app(visit: Visit, service: Served) -> WebApp:
    return visit(service.url)
