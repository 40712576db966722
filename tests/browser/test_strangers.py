"""What pages say when something else answers in the service's place, in a real browser."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from werkzeug.wrappers import Request

from course_utils.inference import shipped_model
from course_utils.services import digit, image, mpg, pets, pets_front
from course_utils.serving import launch
from tests.browser.conftest import Visit
from tests.support.serving import free_port
from tests.support.strangers import STRANGERS, Proxy
from tests.support.web_app import CAT, WebApp


def send_to_each_stranger(
    app: WebApp, proxy: Proxy, label: str, place: str, photo: Path = CAT
) -> None:
    """Each is named when it answers to the photo; at the end the photo gets through a tunnel."""
    for answer, who in STRANGERS.values():
        proxy.stranger = answer
        app.page.get_by_label(label).set_input_files(photo)
        app.expect_problem(f"Something else answered in {place}", who)
    proxy.stranger = None
    app.page.get_by_label(label).set_input_files(photo)


def test_the_image_page(visit: Visit) -> None:
    proxy = Proxy(image.create_app(shipped_model("image")), "/api/image", "/api/model")
    with launch(proxy, port=free_port()) as server:
        app = visit(server.url)
        # Its first request, beside those for the course's photos; the strangers come after it.
        expect(app.page.locator("header")).to_contain_text("likeliest of 1,000 classes")
        send_to_each_stranger(app, proxy, "Choose a photo", "place of the image service")
        app.expect_best("Egyptian cat")


def test_the_digit_page(visit: Visit, tmp_path: Path) -> None:
    picture = Image.new("L", (280, 280), 255)
    picture.paste(0, (130, 50, 152, 230))  # a one
    picture.save(tmp_path / "one.png")
    proxy = Proxy(digit.create_app(shipped_model("digit")), "/api/digit")
    with launch(proxy, port=free_port()) as server:
        app = visit(server.url)
        send_to_each_stranger(
            app, proxy, "Send a photo instead", "place of the service", tmp_path / "one.png"
        )
        expect(app.page.get_by_role("status")).to_contain_text("The network’s answer")


@pytest.mark.parametrize("path", ["/api/pets", "/settings.json"])
def test_the_pets_page_before_its_own_server(visit: Visit, path: str) -> None:
    with launch(pets.create_app(shipped_model("pets")), port=free_port()) as back:
        proxy = Proxy(pets_front.create_app(back.url, relay=True), path)
        with launch(proxy, port=free_port()) as front:
            app = visit(front.url)
            send_to_each_stranger(app, proxy, "Choose a photo", "place of the service")
            expect(app.page.get_by_role("status")).to_have_text("The network’s answer: a cat")


@pytest.mark.parametrize("relay", [False, True])
def test_the_pets_page_before_its_back_end(visit: Visit, relay: bool) -> None:
    """Where the browser asks, it keeps the answer from the page, but the front end names it."""
    proxy = Proxy(pets.create_app(shipped_model("pets")), "/", "/readyz")
    with (
        launch(proxy, port=free_port()) as back,
        launch(pets_front.create_app(back.url, relay=relay), port=free_port()) as front,
    ):
        app = visit(front.url, back.url)
        send_to_each_stranger(app, proxy, "Choose a photo", "place of the back end")
        expect(app.page.get_by_role("status")).to_have_text("The network’s answer: a cat")
    complaints = {text for text in app.complaints if "CORS policy" not in text}
    assert complaints == set()
    app.complaints.clear()


def test_the_pets_page_is_kept_from_an_answer_to_its_photo_alone(visit: Visit) -> None:
    too_large, service = STRANGERS["too large"][0], pets.create_app(shipped_model("pets"))

    def proxy(environ: Any, start_response: Any) -> Any:
        answer = service
        if int(environ.get("CONTENT_LENGTH") or 0) > 1_000:
            Request(environ).get_data()  # or the connection breaks before the answer is read
            answer = too_large
        return answer(environ, start_response)

    with (
        launch(proxy, port=free_port()) as back,
        launch(pets_front.create_app(back.url), port=free_port()) as front,
    ):
        app = visit(front.url, back.url)
        app.choose(CAT)
        app.expect_problem("is running", "refuses the photo", f"COURSE_ORIGINS={front.url}")
    assert "CORS policy" in app.complaints.pop()


def test_a_page_that_is_told_another_models_facts_still_works(visit: Visit) -> None:
    """It asks for them when it opens, before anybody has chosen a photo."""
    proxy = Proxy(image.create_app(shipped_model("image")), "/api/model")
    proxy.stranger, _ = STRANGERS["other JSON"]
    with launch(proxy, port=free_port()) as server:
        app = visit(server.url)
        app.choose(CAT)
        app.expect_best("Egyptian cat")


def test_the_docs(browser: Browser) -> None:
    proxy = Proxy(mpg.create_app(shipped_model("mpg")), "/openapi.json", "/api/mpg")
    page = browser.new_page()
    with launch(proxy, port=free_port()) as server:
        for answer, who in STRANGERS.values():
            proxy.stranger = answer
            page.goto(f"{server.url}/docs")
            expect(page.get_by_role("alert")).to_contain_text(who)
        proxy.stranger = None
        page.goto(f"{server.url}/docs")
        page.locator(".opblock-post .opblock-summary").click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        expect(page.locator(".live-responses-table .response").first).to_contain_text('"mpg":')
        expect(page.locator(".curl-command")).not_to_contain_text("ngrok")
    page.close()
