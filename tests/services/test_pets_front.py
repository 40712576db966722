"""The front end of the pets service, and the back end behind it, over real sockets."""

import base64
import contextlib
import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from flask import Flask
from werkzeug import Request, Response

from course_utils.environment import data_folder
from course_utils.inference import shipped_model
from course_utils.services import hello, pets, pets_front
from course_utils.services.http.openapi import SHARED
from course_utils.services.http.operations import operate
from course_utils.services.pets import MAX_BODY_BYTES
from course_utils.serving import Server, launch
from tests.support.serving import free_port
from tests.support.strangers import STRANGERS, Proxy

CAT = (data_folder() / "photos" / "cat.png").read_bytes()
BODY = {"image": base64.b64encode(CAT).decode()}


@pytest.fixture(scope="module")
def back_end() -> Iterator[Server]:
    with launch(pets.create_app(shipped_model("pets")), port=free_port()) as server:
        yield server


@pytest.fixture(scope="module")
def front_end(back_end: Server) -> Iterator[Server]:
    app = pets_front.create_app(back_end.url, relay=True)
    with launch(app, port=free_port()) as server:
        yield server


@pytest.mark.parametrize("body", [BODY, {}, {"image": "", "more": 1}])
def test_it_passes_on_what_the_back_end_says(
    back_end: Server, front_end: Server, body: Any
) -> None:
    direct = requests.post(back_end.url, json=body, timeout=60)
    relayed = requests.post(f"{front_end.url}/api/pets", json=body, timeout=60)
    assert relayed.status_code == direct.status_code
    assert relayed.headers["Content-Type"] == direct.headers["Content-Type"]
    said, told = (
        {k: v for k, v in a.json().items() if k != "request_id"} for a in (direct, relayed)
    )
    assert said == told


def test_a_body_that_is_too_large_does_not_get_through(front_end: Server) -> None:
    answer = requests.post(f"{front_end.url}/api/pets", data=bytes(MAX_BODY_BYTES + 1), timeout=60)
    assert answer.status_code == 413


def test_a_back_end_that_is_overloaded_says_when_to_come_back() -> None:
    said = '{"detail": "Busy.", "errors": []}'
    busy = Response(said, 503, {"Retry-After": "1"}, content_type="application/problem+json")
    with launch(busy, port=free_port()) as back:
        app = pets_front.create_app(back.url, relay=True)
        answer = app.test_client().post("/api/pets", json=BODY)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.content_type == "application/problem+json"


def test_it_does_not_follow_a_back_end_elsewhere() -> None:
    asked: list[str] = []

    @Request.application
    def elsewhere(request: Request) -> Response:
        asked.append(request.url)
        return Response("{}", content_type="application/json")

    with launch(elsewhere, port=free_port()) as other:
        moved = Response("", 307, {"Location": other.url})
        with launch(moved, port=free_port()) as back:
            app = pets_front.create_app(back.url, relay=True)
            app.test_client().post("/api/pets", json=BODY)
    assert asked == []


def test_without_its_back_end_it_says_so() -> None:
    app = pets_front.create_app(f"http://127.0.0.1:{free_port()}", relay=True)
    client = app.test_client()
    answer = client.post("/api/pets", json=BODY)
    assert answer.status_code == 502
    assert answer.content_type == "application/problem+json"
    assert "Is it running?" in answer.json["detail"]
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json["detail"]) == (503, answer.json["detail"])
    assert client.get("/healthz").status_code == 200


def test_whoever_answers_in_the_back_ends_place_is_named() -> None:
    """To the photo and at /readyz; the warning of a free tunnel is not what answers."""
    proxy = Proxy(pets.create_app(shipped_model("pets")), "/", "/readyz")
    with launch(proxy, port=free_port()) as back:
        client = pets_front.create_app(back.url, relay=True).test_client()
        for name, (proxy.stranger, who) in STRANGERS.items():
            answer, ready = client.post("/api/pets", json=BODY), client.get("/readyz")
            assert (answer.status_code, ready.status_code) == (502, 503), name
            for problem in (answer.json, ready.json):
                assert "answered in place of the back end" in problem["detail"]
                assert who in problem["detail"]
        proxy.stranger = None
        assert client.post("/api/pets", json=BODY).json.keys() == {"prediction"}
        assert client.get("/readyz").json == {"status": "ready"}


def test_it_is_as_ready_as_its_back_end() -> None:
    def fail() -> None:
        raise RuntimeError("no sample is predicted")

    back_end = Flask("back end")
    operate(back_end, title="Back end", paths={}, check=fail)
    with launch(back_end, port=free_port()) as back:
        ready = pets_front.create_app(back.url).test_client().get("/readyz")
    assert ready.status_code == 503
    assert ready.json["detail"] == (
        "The back end is not ready. A known sample could not be predicted; see the log."
    )


@pytest.mark.parametrize("relay", [False, True])
def test_the_page_may_ask_nobody_else(back_end: Server, relay: bool) -> None:
    client = pets_front.create_app(back_end.url, relay=relay).test_client()
    page = client.get("/")
    policy = dict(
        part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'self'"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    wanted = None if relay else f"'self' {back_end.url}"
    assert policy.get("connect-src") == wanted
    settings = client.get("/settings.json").get_json()
    assert settings == {"ask": "api/pets" if relay else f"{back_end.url}/"}
    page.close()


def test_assets_of_the_page_are_there_and_asked_for_anew(front_end: Server) -> None:
    assets = {"assets": pets_front.PAGE_FOLDER / "assets", "shared": SHARED}
    for place, asset in [(name, file) for name, at in assets.items() for file in at.iterdir()]:
        answer = requests.get(f"{front_end.url}/{place}/{asset.name}", timeout=60)
        assert answer.content == asset.read_bytes()
        assert "max-age=0" in answer.headers["Cache-Control"]


@contextlib.contextmanager
def answering(*pieces: bytes, forever: bool = False) -> Iterator[str]:
    """A server that sends these bytes to each request, the last piece again and again."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            for piece in pieces:
                self.request.sendall(piece)
            with contextlib.suppress(OSError):  # the other end has gone
                while forever and not ended.wait(0.02):
                    self.request.sendall(pieces[-1])

    ended = threading.Event()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        ended.set()
        server.shutdown()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MOVED = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "
DAMAGED = {
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", "no HTTP"),
    "nothing": (b"", "no HTTP"),
    "broken off": (HEAD + b'Content-Length: 99\r\n\r\n{"status":', "another program"),
    "broken chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n{", "another program"),
    "moved to no address": (MOVED + b"http://[bad\r\n\r\n", "sends requests elsewhere"),
    "moved to Latin-1": (MOVED + b"/\xe9\r\n\r\n", "sends requests elsewhere"),
    "proxy's login": (b"HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n", "login page of a proxy"),
}


@pytest.mark.parametrize(("sent", "who"), DAMAGED.values(), ids=DAMAGED)
def test_what_cannot_be_read_is_named(sent: bytes, who: str) -> None:
    with answering(sent) as url:
        client = pets_front.create_app(url, relay=True).test_client()
        answer, ready = client.post("/api/pets", json=BODY), client.get("/readyz")
    assert (answer.status_code, ready.status_code) == (502, 503)
    assert ready.json["detail"] == answer.json["detail"]
    assert "answered in place of the back end" in answer.json["detail"]
    assert who in answer.json["detail"]


@pytest.mark.parametrize("piece", [b" ", b"<p>" * 20_000], ids=["slow", "long"])
def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch, piece: bytes) -> None:
    monkeypatch.setattr(pets_front, "TIMEOUTS_S", (3, 0.3))
    with answering(HEAD + b"\r\n", piece, forever=True) as url:
        answer = pets_front.create_app(url, relay=True).test_client().post("/api/pets", json=BODY)
    assert answer.status_code == 502
    assert "answered in place of the back end" in answer.json["detail"]


def test_a_service_of_another_kind_is_no_back_end() -> None:
    with launch(hello.create_app(), port=free_port()) as back:
        ready = pets_front.create_app(back.url).test_client().get("/readyz")
    assert ready.status_code == 503
    assert "another program on its port" in ready.json["detail"]


def test_a_back_end_with_an_ipv6_address_may_be_asked() -> None:
    with pets_front.create_app("http://[::1]:5001").test_client().get("/") as page:
        assert "connect-src 'self' http:" in page.headers["Content-Security-Policy"].split("; ")


NO_ADDRESSES = ["", "127.0.0.1:5001", "ftp://a.example/", "http://a/?x=1", "http://a/#x"]
NO_ADDRESSES += ["http://127.0.0.1:99999/", "http://127.0.0.1:abc", "http://127.0.0.1:0/"]
NO_ADDRESSES += ["http://a b/", "http://.a/", "http://[::1/", "http://u:p@127.0.0.1:1/"]
NO_ADDRESSES += ["http://" + "x" * 70 + ".com/", "http://*/", "http://[fe80::1%25eth0]/"]


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not the address of a back end"):
        pets_front.create_app(url)
