"""Hostile bodies over real sockets, against both servers that the course uses."""

import json
import socket
import time

import pytest
import requests

from tests.faults.conftest import Address
from tests.support.hostile import BODIES, GOOD, Hostile
from tests.support.serving import CAR
from tests.support.wire import JSON_TYPE, Answer, chunked, exchange, head, post, receive

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


def test_too_many_headers_are_refused(address: Address) -> None:
    headers = {f"X-{number}": "1" for number in range(200)}
    answer = exchange(address, post(GOOD, JSON_TYPE | headers))
    assert answer.status == 431  # by the server itself, before any service sees it
    still_serves(address)


def test_a_huge_header_is_no_error_of_ours(address: Address) -> None:
    answer = exchange(address, post(GOOD, JSON_TYPE | {"X-Long": "a" * 300_000}))
    assert answer.status in (200, 431)  # the two servers draw the line at different lengths
    still_serves(address)


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
