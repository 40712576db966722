"""Which origin may read which answer; a real browser's word is in tests/browser."""

import pytest
from flask import Flask, Response, jsonify, request

from course_utils.services.http import cors
from course_utils.services.http.errors import Problem
from course_utils.services.http.operations import operate

WELCOME = "Access-Control-Allow-Origin"


def service() -> Flask:
    app = Flask(__name__, static_folder=None)

    @app.post("/ask")
    def ask() -> Response:
        if request.args.get("busy"):
            raise Problem(503, "Too much to do.", headers={"Retry-After": "1"})
        if request.args.get("broken"):
            raise RuntimeError("an error of ours")
        return jsonify("answer")

    cors.allow(app)
    operate(app, title="Test", paths={}, check=lambda: None)
    return app


def welcomed(app: Flask, origin: str | None, path: str = "/ask") -> str | None:
    headers = {"Origin": origin} if origin else {}
    return app.test_client().post(path, headers=headers).headers.get(WELCOME)


def test_pages_of_this_machine_are_welcome_and_no_others() -> None:
    app = service()
    for origin in ("http://localhost:3000", "https://LOCALHOST", "http://[::1]:80"):
        assert welcomed(app, origin) == origin
    near = ("http://localhost.pets.example", "http://127a0b0c1", "ftp://localhost")
    for origin in (None, "null", "https://pets.example", *near):
        assert welcomed(app, origin) is None, origin


@pytest.mark.parametrize(
    ("path", "status"), [("/ask?busy=1", 503), ("/ask?broken=1", 500), ("/nothing", 404)]
)
def test_a_page_can_read_refusals_too(path: str, status: int) -> None:
    headers = {"Origin": "http://localhost:3000"}
    answer = service().test_client().post(path, headers=headers)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert answer.headers.getlist(WELCOME) == ["http://localhost:3000"]
    readable = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Retry-After", "X-Request-ID"} <= set(readable)
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(("origin", "is_welcome"), [("http://localhost:1", True), ("null", False)])
def test_the_preflight_is_answered(origin: str, is_welcome: bool) -> None:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,ngrok-skip-browser-warning",
    }
    answer = service().test_client().options("/ask", headers=headers)
    assert answer.status_code in (200, 204)
    assert (answer.headers.get(WELCOME) == origin) is is_welcome
    if is_welcome:
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
        assert allowed == ["content-type", "ngrok-skip-browser-warning"]
        assert answer.headers["Vary"] == "Origin"


def test_the_list_can_be_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_ORIGINS", "https://pets.example, http://[::1]:5000/")
    app = service()
    assert welcomed(app, "https://pets.example") == "https://pets.example"
    assert welcomed(app, "http://[::1]:5000") == "http://[::1]:5000"
    assert welcomed(app, "http://localhost:5000") is None
    assert welcomed(app, "https://petsxexample") is None
    monkeypatch.setenv("COURSE_ORIGINS", " ")  # as good as not set
    assert welcomed(service(), "http://localhost:5000") == "http://localhost:5000"


def test_a_demo_can_allow_every_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_ORIGINS", "*")
    app = service()
    assert welcomed(app, "https://anywhere.example") == "*"
    assert welcomed(app, "null") == "*"


@pytest.mark.parametrize(
    "origins", ["pets.example", "https://pets.example/page", "*, https://a.example", "https://*"]
)
def test_what_is_no_origin_is_refused_at_the_start(
    origins: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_ORIGINS", origins)
    with pytest.raises(ValueError, match="is not an origin"):
        service()
