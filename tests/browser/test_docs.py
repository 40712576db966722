"""The docs page in a real browser: it comes from the service alone, and it works."""

import itertools
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Response

from course_utils.inference import shipped_model
from course_utils.services import SERVICES, mpg
from course_utils.serving import launch
from tests.support.serving import free_port
from tests.support.web_app import CAT, check_looks


@pytest.mark.parametrize("prefix", ["", "/proxy/5000"])
def test_a_reader_tries_the_service_out(browser, prefix):
    """Also behind a proxy that adds a path, as Colab's does."""
    app = DispatcherMiddleware(
        Response("not here", 404), {prefix: mpg.create_app(shipped_model("mpg"))}
    )
    page, asked, said = browser.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    with launch(app, port=5070) as server:
        page.goto(f"{server.url}{prefix}/docs")
        page.locator(".opblock-post .opblock-summary").click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        answer = page.locator(".live-responses-table .response").first
        answer.wait_for()
        assert answer.locator(".response-col_status").inner_text().strip().startswith("200")
        assert '"mpg":' in answer.inner_text()
    assert said == []
    assert asked
    assert all(url.startswith((f"{server.url}{prefix}/", "data:")) for url in asked)


def test_a_field_says_what_it_means(browser: Browser) -> None:
    page = browser.new_page()
    with launch(mpg.create_app(shipped_model("mpg")), port=free_port()) as server:
        page.goto(f"{server.url}/docs")
        page.locator(".opblock-post .opblock-summary").click()
        expect(page.get_by_text("Chevrolet Chevelle Malibu of 1970")).to_be_visible()
        expect(page.get_by_text("1 is the USA, 2 Europe, 3 Japan")).to_be_visible()
    page.close()


@pytest.mark.thorough
@pytest.mark.parametrize("name", SERVICES)
def test_nothing_bars_anybody(browser: Browser, artifacts: Path, name: str) -> None:
    """Swagger UI alone has six kinds of barriers."""
    app = SERVICES[name].create_app(None if name == "hello" else shipped_model(name))
    with launch(app, port=free_port()) as server:
        for width, scheme in itertools.product([360, 1280], ["light", "dark"]):
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            end = f"{name}_{scheme}_{width}.png"
            page.goto(f"{server.url}/docs")
            page.locator(".opblock-summary").first.wait_for()
            check_looks(page, artifacts / f"docs_closed_{end}")
            page.locator(".opblock-summary").first.click()
            page.get_by_role("button", name="Try it out").wait_for()
            check_looks(page, artifacts / f"docs_open_{end}")
            page.get_by_role("button", name="Try it out").click()
            for file in page.locator("input[type=file]").all():
                file.set_input_files(CAT)
            page.get_by_role("button", name="Execute").click()
            page.locator(".live-responses-table").wait_for()
            check_looks(page, artifacts / f"docs_tried_{end}")
            page.close()
