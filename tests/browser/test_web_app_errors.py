"""What the page says when something is wrong: what it is, what is allowed, what to do."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import requests
from playwright.sync_api import Route, expect
from werkzeug.wrappers import Request, Response

from course_utils.inference import Predictor, shipped_model
from course_utils.services import image
from course_utils.serving import launch
from tests.browser.conftest import Visit
from tests.support.serving import serving, wait_until
from tests.support.web_app import CAT, COFFEE, WebApp

pytestmark = pytest.mark.thorough


@pytest.mark.parametrize("name", ["letter.txt", "song.mp3"])
def test_what_is_no_photo_is_not_sent(app: WebApp, tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_bytes(b"just a few words")
    app.drop(path)
    app.expect_problem("This is not a photo", name, "JPEG, PNG, WebP, GIF, or BMP")
    assert name in app.problem.inner_text()  # as it is written: a style may not change its letters
    capital = "box => getComputedStyle(box.querySelector('p'), '::first-letter').textTransform"
    assert app.problem.evaluate(capital) == "none"
    assert app.uploads == []
    app.choose(CAT)  # and it goes on
    app.expect_best("Egyptian cat")
    expect(app.problem).to_have_count(0)


def test_a_file_that_only_claims_to_be_a_photo(app: WebApp, tmp_path: Path):
    path = tmp_path / "cat.png"
    path.write_bytes(b"just a few words")
    app.choose(path)
    app.expect_problem("This photo cannot be read", "a JPEG, PNG, WebP, GIF or BMP image")
    expect(app.photo).to_have_count(0)  # no broken picture either, nor an empty frame
    expect(app.page.get_by_text("Drop a photo anywhere")).to_be_visible()
    expect(app.button("Try again")).to_have_count(0)  # it would be refused again


@pytest.mark.parametrize("is_told_late", [False, True])
def test_a_photo_too_large_is_not_sent(app: WebApp, tmp_path: Path, is_told_late: bool):
    """Also where the page's first question, what the service takes, stays without an answer."""
    held: list[Route] = []
    if is_told_late:
        app.page.route("**/api/model", lambda it: it.continue_() if held else held.append(it))
        app.page.reload()
    path = tmp_path / "large.jpg"
    path.write_bytes(b"\xff\xd8\xff" + bytes(12_400_000))
    app.choose(path)
    app.expect_problem("This photo is too large", "12.4 MB", "at most 10 MB")
    assert app.uploads == []


def test_two_photos_at_once(app: WebApp):
    app.drop(CAT, COFFEE)
    app.expect_problem("One photo at a time", "2 files")
    assert app.uploads == []


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("http://localhost/cat.png", "a host on the public internet"),
        ("https://example.org:8443/cat.png", "80 or 443"),
    ],
)
def test_an_address_that_gives_no_photo(app: WebApp, url: str, remedy: str):
    app.give_address(url)
    app.expect_problem("No photo came from this address", f"What works: {remedy}")


def kill(pid: int) -> None:
    """End a server and its workers, without a warning."""
    server = psutil.Process(pid)
    for process in [*server.children(recursive=True), server]:
        process.kill()


def test_the_server_is_gone(visit: Visit):
    with serving("image") as served:
        app = visit(served.url)
        app.choose(CAT)
        app.expect_best("Egyptian cat")
        kill(served.process.pid)
        app.choose(COFFEE)
        app.expect_problem("The server does not answer", "make demo", "course serve image")
        expect(app.button("Try again")).to_be_visible()
        app.history.first.click()  # what was answered before is still there
        app.expect_best("Egyptian cat")


def test_the_server_comes_back(visit: Visit):
    service = image.create_app(shipped_model("image"))
    with launch(service, port=5082) as server:
        app = visit(server.url)
    app.choose(CAT)
    app.expect_problem("The server does not answer")
    with launch(service, port=server.port):
        app.button("Try again").click()
        app.expect_best("Egyptian cat")


class Held(Predictor):
    """Computes nothing until it is let."""

    def __init__(self) -> None:
        super().__init__(shipped_model("image").read_bytes())
        self.began = threading.Event()
        self.released = threading.Event()

    def predict(self, batch: Any) -> np.ndarray:
        self.began.set()
        assert self.released.wait(60)
        return super().predict(batch)


def test_a_service_that_has_too_much_to_do(visit: Visit):
    held = Held()
    service = image.create_app(shipped_model("image"), predictor=held, slots=1)
    with launch(service, port=5083) as server:
        app = visit(server.url)
        other = threading.Thread(
            target=requests.post,
            args=(f"{server.url}/api/image",),
            kwargs={"files": {"image": COFFEE.read_bytes()}, "timeout": 60},
        )
        other.start()
        try:
            assert held.began.wait(60)  # the one slot is taken
            app.choose(CAT)
            app.expect_problem("The service is busy", "try again")
        finally:
            held.released.set()
            other.join()
        app.button("Try again").click()
        app.expect_best("Egyptian cat")


class Instead:
    """A stand-in for what may stand between page and service.

    It answers in place of ``/api/image``; everything else is the service's own.
    """

    def __init__(self, answer: Response) -> None:
        self.answer = answer
        self.uploads = 0
        self.released = threading.Event()
        self.released.set()
        self.service = image.create_app(shipped_model("image"))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] != "/api/image":
            return self.service(environ, start_response)
        Request(environ).get_data()
        self.uploads += 1
        self.released.wait(60)
        return self.answer(environ, start_response)


@pytest.mark.parametrize(
    "answer",
    [
        Response("<h1>Bad gateway</h1>", 502, content_type="text/html"),
        Response("<h1>Please log in</h1>", 200, content_type="text/html"),
        Response('{"pred": [', 200, content_type="application/json"),
        Response("null", 200, content_type="application/json"),
        Response('{"errors": {"image": "bad"}}', 400, content_type="application/json"),
    ],
    ids=["gateway", "login", "cut off", "null", "other errors"],
)
def test_an_answer_that_is_not_the_services(visit: Visit, answer: Response):
    with launch(Instead(answer), port=5084) as server:
        app = visit(server.url)
        app.choose(CAT)
        app.expect_problem("This is not the image service’s answer", "probably")
        expect(app.button("Try again")).to_be_visible()


def test_a_slow_server_can_be_given_up_or_gives_out(visit: Visit):
    slow = Instead(Response("too late", 200))
    slow.released.clear()
    with launch(slow, port=5085) as server:
        try:
            app = visit(server.url)
            app.page.clock.install()
            app.choose(CAT)
            expect(app.page.get_by_role("status")).to_have_text("Classifying cat.png.")
            wait_until(lambda: slow.uploads == 1)
            app.page.clock.fast_forward(4_000)
            expect(app.page.get_by_text("This takes longer than usual")).to_be_visible()
            app.button("Cancel").focus()
            with app.page.expect_event("requestfailed"):  # the request is taken back
                app.page.keyboard.press("Enter")
            expect(app.photo).to_have_count(0)
            expect(app.problem).to_have_count(0)
            expect(app.page.get_by_label("Result")).to_be_focused()  # the button has gone

            app.choose(CAT)
            wait_until(lambda: slow.uploads == 2)
            with app.page.expect_event("requestfailed"):
                app.page.clock.fast_forward(30_000)
            app.expect_problem("The server takes too long", "30 seconds")
            assert slow.uploads == 2  # it was not asked again
        finally:
            slow.released.set()


def test_a_new_photo_replaces_one_that_is_still_asked_about(visit: Visit):
    held = Held()
    service = image.create_app(shipped_model("image"), predictor=held, slots=2)
    with launch(service, port=5086) as server:
        app = visit(server.url)
        app.choose(COFFEE)
        assert held.began.wait(60)
        app.choose(CAT)
        held.released.set()
        app.expect_best("Egyptian cat")
        expect(app.history).to_have_count(1)
