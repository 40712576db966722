"""Hostile bodies over real sockets, against both servers that the course uses.

Which faults an answer must name stands beside each body.
"""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import requests

from course_utils.services.mpg import create_app
from course_utils.serving import launch
from tests.support.serving import CAR, MODEL, free_port, serving
from tests.support.wire import JSON_TYPE, Answer, chunked, exchange, head, post, receive

Address = tuple[str, int]


@pytest.fixture(scope="module")
def production() -> Iterator[Address]:
    """The MPG service as ``course serve`` runs it."""
    with serving("mpg") as served:
        yield served.address


@pytest.fixture(scope="module")
def development() -> Iterator[Address]:
    """The MPG service as a notebook runs it."""
    with launch(create_app(MODEL), port=free_port()) as server:
        yield "127.0.0.1", server.port


@pytest.fixture(params=["production", "development"])
def address(request: pytest.FixtureRequest) -> Address:
    """Both of them, one after the other."""
    return request.getfixturevalue(request.param)


class Hostile(NamedTuple):
    """``pointers`` are the places of all faults; ``said`` must stand in what is said."""

    name: str
    body: bytes
    status: int = 400
    pointers: tuple[str, ...] = ("",)
    said: tuple[str, ...] = ()
    headers: dict[str, str] = JSON_TYPE

    def __str__(self) -> str:
        return self.name


GOOD = json.dumps(CAR).encode()
ALL = tuple(f"/{name}" for name in CAR)


def car(**changes: Any) -> bytes:
    return json.dumps(CAR | changes).encode()


def raw(name: str, text: str) -> bytes:
    """A good car but for ``text``, unquoted, as the value of ``name``."""
    return json.dumps(CAR | {name: "@"}).replace('"@"', text).encode()


def every(text: str) -> bytes:
    """A car with ``text``, unquoted, in all places."""
    return ("{" + ", ".join(f'"{name}": {text}' for name in CAR) + "}").encode()


OUT_OF_RANGE = json.dumps(dict.fromkeys(CAR, 1_000_000)).encode()
DOUBLED = GOOD[:-1] + b', "year": 71, "horsepower": 900, "colour": "red"}'
UNKNOWN = {"a/b": 1, "m~n": 1, "~1": 1, "": 1, "horse power": 1}
MANY = {f"k{number}": 1 for number in range(4000)}

BODIES = [
    Hostile("empty", b"", said=("empty",)),
    Hostile("not JSON", b"cylinders=8&year=70", said=("line 1, column 1",)),
    Hostile("an array", b"[8, 307, 130, 3504, 12, 70, 1]", said=("an array", "an object")),
    Hostile("a string", b'"a car"', said=('"a car"', "an object")),
    Hostile(
        "wrong content type",
        GOOD,
        415,
        said=("text/plain", "application/json"),
        headers={"Content-Type": "text/plain"},
    ),
    Hostile("no content type", GOOD, 415, headers={}),
    Hostile("truncated", GOOD[:-20], said=("line 1",)),
    Hostile("something after the end", GOOD + b"{}", said=("Extra data",)),
    Hostile("invalid UTF-8", GOOD.replace(b"year", b"ye\xff\xfe"), said=("UTF-8", "0xff")),
    Hostile("UTF-16", GOOD.decode().encode("utf-16"), said=("UTF-8",)),
    Hostile("BOM", b"\xef\xbb\xbf" + GOOD, said=("byte order mark",)),
    Hostile("NaN", raw("weight", "NaN"), pointers=("/weight",), said=("NaN",)),
    Hostile("Infinity", raw("weight", "Infinity"), pointers=("/weight",), said=("Infinity",)),
    Hostile("1e400", raw("weight", "1e400"), pointers=("/weight",), said=("too large",)),
    Hostile("a 5,000-digit integer", raw("weight", "9" * 5000), said=("digits",)),
    Hostile(
        "a 4,000-digit integer", raw("weight", "9" * 4000), pointers=("/weight",), said=("digits",)
    ),
    Hostile("numeric strings", every('"8"'), pointers=ALL, said=('"8"', "a number from")),
    Hostile("booleans", every("true"), pointers=ALL, said=("true", "an integer from")),
    Hostile("missing", b"{}", pointers=ALL, said=("missing", "nothing")),
    Hostile("unknown", car(colour="red"), pointers=("/colour",), said=("unknown", '"red"')),
    Hostile(
        "odd names",
        car(**UNKNOWN),
        pointers=("/", "/a~1b", "/horse power", "/m~0n", "/~01"),
        said=("unknown",),
    ),
    Hostile(
        "a lone surrogate as a name, among other faults",
        b'{"year": 99, "\\udfff~": 1, "colour": "red"}',
        pointers=(*ALL, "/colour", "/\udfff~0"),
    ),
    Hostile("duplicate", GOOD[:-1] + b', "year": 71}', pointers=("/year",), said=("once",)),
    Hostile(
        "duplicate, out of range and unknown at once",
        DOUBLED,
        pointers=("/colour", "/horsepower", "/horsepower", "/year"),
        said=("once", "900", "unknown"),
    ),
    Hostile("100,000 brackets", b"[" * 100_000, 413, said=("65536 bytes",)),
    Hostile("60,000 brackets", b"[" * 60_000, said=("too many", "500")),
    Hostile("900 nested brackets", raw("weight", "[" * 990 + "]" * 990), said=("too many",)),
    Hostile("an object as a value", car(weight={"kg": 1600}), pointers=("/weight",)),
    Hostile(
        "thousands of unknown names, one of them twice",
        json.dumps(CAR | MANY)[:-1].encode() + b', "k1": 1}',
        pointers=("/k1", *(f"/{name}" for name in MANY)),
    ),
    Hostile("out of range", OUT_OF_RANGE, pointers=ALL, said=("1000000", "from 3 to 8")),
    Hostile("half an integer", car(cylinders=4.5, year=70.5), pointers=("/cylinders", "/year")),
]

BIG = b"[" + b"8," * 5_000_000 + b"8]"


def still_serves(address: Address) -> None:
    answer = exchange(address, post(GOOD))
    assert answer.status == 200
    assert answer.json()["mpg"] > 0


def check(answer: Answer, hostile: Hostile) -> None:
    assert answer.status == hostile.status, answer.body
    everything = json.dumps(answer.problem, ensure_ascii=False)
    for words in hostile.said:
        assert words in everything.replace('\\"', '"').replace("\\\\", "\\")
    assert sorted(answer.pointers) == sorted(hostile.pointers)


@pytest.mark.parametrize("hostile", BODIES, ids=str)
def test_a_hostile_body_gets_every_fault_named(address: Address, hostile: Hostile) -> None:
    check(exchange(address, post(hostile.body, hostile.headers)), hostile)
    still_serves(address)


@pytest.mark.parametrize("hostile", [b for b in BODIES if len(b.body) < 70_000], ids=str)
def test_chunks_change_nothing(address: Address, hostile: Hostile) -> None:
    check(exchange(address, chunked(hostile.body, 999, hostile.headers)), hostile)


def test_an_answer_stays_short_whatever_was_sent(address: Address) -> None:
    names = json.dumps({"n" * 100 + str(number): "v" * 100 for number in range(200)}).encode()
    answer = exchange(address, post(names))
    assert answer.status == 400
    assert all(len(fault["received"]) <= 40 for fault in answer.problem["errors"])


@pytest.mark.parametrize("body", [GOOD.replace(b"70", b"70.0"), b"\n " + GOOD + b"\r\n\t"])
def test_what_json_allows_is_taken(address: Address, body: bytes) -> None:
    assert exchange(address, post(body)).status == 200
    assert exchange(address, chunked(body, 7)).status == 200


@pytest.mark.parametrize("length", ["-5", "abc", "9" * 5000, "\u00b2"])
def test_a_garbled_content_length_is_a_bad_request(address: Address, length: str) -> None:
    answer = exchange(address, post(GOOD, JSON_TYPE | {"Content-Length": length}))
    assert answer.status in (400, 413)
    still_serves(address)


def test_a_content_length_beyond_reason_is_refused_at_once(address: Address) -> None:
    answer = exchange(address, post(GOOD, JSON_TYPE | {"Content-Length": "999999999999"}))
    assert answer.status == 413
    assert answer.problem["errors"][0]["received"] == "999999999999 bytes"


def test_an_absent_content_length_is_an_empty_body(address: Address) -> None:
    answer = exchange(address, head("POST", "/api/mpg", JSON_TYPE))
    assert answer.status == 400
    assert answer.problem["errors"][0]["detail"] == "the body is empty"


def test_a_body_shorter_than_announced_is_not_believed(address: Address) -> None:
    request = post(GOOD, JSON_TYPE | {"Content-Length": str(len(GOOD) + 10)})
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = receive(connection)
    assert answer.status == 400
    assert answer.problem["errors"][0]["received"] == f"{len(GOOD)} bytes"


@pytest.mark.parametrize("size", [b"zz", b"-5", b""])
def test_garbled_chunks_are_a_bad_request(address: Address, size: bytes) -> None:
    start = head("POST", "/api/mpg", JSON_TYPE | {"Transfer-Encoding": "chunked"})
    answer = exchange(address, start + size + b"\r\n" + GOOD + b"\r\n0\r\n\r\n")
    assert answer.status == 400
    still_serves(address)


def test_a_body_in_pieces_is_one_body(address: Address) -> None:
    request = post(GOOD)
    with socket.create_connection(address, timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(request), 40):
            connection.sendall(request[start : start + 40])
            time.sleep(0.01)
        assert receive(connection).status == 200


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
@pytest.mark.parametrize("known", [True, False], ids=["with a length", "in chunks"])
def test_a_client_that_sends_10_megabytes_can_read_why_not(
    address: Address, content_type: str, known: bool
) -> None:
    url = "http://{}:{}/api/mpg".format(*address)
    pieces = (BIG[start : start + 65_536] for start in range(0, len(BIG), 65_536))
    answer = requests.post(
        url, data=BIG if known else pieces, headers={"Content-Type": content_type}, timeout=60
    )
    assert answer.status_code == (413 if content_type == "application/json" else 415)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert len(answer.json()["errors"]) == 1
    still_serves(address)


def test_a_client_that_leaves_in_the_middle_disturbs_nobody(address: Address) -> None:
    for _ in range(20):
        with socket.create_connection(address, timeout=60) as connection:
            connection.sendall(post(GOOD)[:-30])
    still_serves(address)


def test_a_connection_lives_on_after_a_refusal(address: Address) -> None:
    url = "http://{}:{}/api/mpg".format(*address)
    with requests.Session() as session:
        for body in (BIG, b"[" * 60_000, b"", GOOD):
            answer = session.post(url, data=body, headers=JSON_TYPE, timeout=60)
        assert answer.json()["mpg"] == session.post(url, json=CAR, timeout=60).json()["mpg"]
