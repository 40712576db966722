"""The docs page in a real browser: it comes from the service alone, and it works."""

import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Response

from course_utils.inference import shipped_model
from course_utils.services import mpg
from course_utils.serving import launch


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
