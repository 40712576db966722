"""Forms, well and badly made; the expected faults follow from RFC 7578, not from the parser."""

import pytest
from flask import Flask

from course_utils.services.http import errors
from course_utils.services.http.body import FORM as MEDIA_TYPE
from course_utils.services.http.body import get_file, read_body
from course_utils.services.http.telemetry import ALONE, Telemetry

FORM = "multipart/form-data; boundary=xyz"


def part(name: str | None, content: bytes, filename: str | None = None) -> bytes:
    disposition = "form-data"
    disposition += "" if name is None else f'; name="{name}"'
    disposition += "" if filename is None else f'; filename="{filename}"'
    return b"--xyz\r\nContent-Disposition: %s\r\n\r\n%s\r\n" % (disposition.encode(), content)


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--xyz--\r\n"


@pytest.fixture
def client():
    app = Flask("upload")
    errors.install(app)
    app.wsgi_app = Telemetry(app, ALONE)

    @app.post("/")
    def take() -> bytes:
        _, body = read_body({MEDIA_TYPE: 1_000_000})
        return get_file(body, "image")

    return app.test_client()


@pytest.mark.parametrize("content", [b"", b"x", b"\r\n--xy", b"\0\xff" * 400_000, b"--xy z"])
@pytest.mark.parametrize("name", ["a.png", "", "../../etc/passwd", "é\u202egnp.exe"])
def test_the_file_arrives_as_it_was_sent_whatever_its_name(client, content, name):
    answer = client.post("/", data=form(part("image", content, name)), content_type=FORM)
    assert (answer.status_code, answer.data) == (200, content)


@pytest.mark.parametrize(
    ("parts", "faults"),
    [
        ([], {"/image": "missing"}),
        ([part("photo", b"x", "a.png")], {"/photo": "unknown field", "/image": "missing"}),
        ([part("image", b"text")], {"/image": "not a file but a text"}),
        ([part("image", b"x", "a"), part("image", b"y", "b")], {"/image": "more than one file"}),
        ([part("image", b"x", "a"), part("note", b"y")], {"/note": "not a file but a text"}),
        ([part(None, b"x", "a")], {"/": "unknown field", "/image": "missing"}),
        (
            [b"--xyz\r\nContent-Disposition: ?\r\n\r\nx\r\n"],
            {"/": "not a file but a text", "/image": "missing"},
        ),
    ],
)
def test_every_fault_of_the_form_is_named(client, parts, faults):
    answer = client.post("/", data=form(*parts), content_type=FORM)
    assert answer.status_code == 400
    assert {f["pointer"]: f["detail"] for f in answer.get_json(force=True)["errors"]} == faults


GOOD = form(part("image", b"x", "a.png"))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", FORM),
        (b"no form at all", FORM),
        (GOOD[:-4], FORM),
        (GOOD, "multipart/form-data; boundary=\u00e9"),
        (form(*[part(str(n), b"") for n in range(50)]), FORM),
        (b"--xyz\r\n" + b"A" * 90_000, FORM),
    ],
)
def test_what_is_no_form_is_a_bad_request(client, body, content_type):
    environ = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body))}
    answer = client.post("/", data=body, environ_overrides=environ)
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert len(answer.get_json(force=True)["errors"]) == 1


@pytest.mark.parametrize("parameter", ["", ";", "; boundary=", '; boundary=""', "; charset=utf-8"])
def test_a_form_without_a_boundary_is_told_so(client, parameter):
    answer = client.post("/", data=GOOD, content_type=MEDIA_TYPE + parameter)
    problem = answer.get_json(force=True)
    assert answer.status_code == 400
    assert "names no boundary. Leave that header out" in problem["detail"]
    assert "boundary=" in problem["errors"][0]["allowed"]
