import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import requests
from flask import Flask

from course_utils.inference import Predictor
from course_utils.services.http.telemetry import Host
from course_utils.services.mpg import create_app
from tests.support.serving import CAR, MODEL, Served, ask_mpg, count_requests, serving, wait_until
from tests.support.wire import JSON_TYPE, exchange, post

LABELS = ("method", "route", "status")
LINE_KEYS = ["time", "service", "request_id", "method", "path", "status", "ms"]


class BrokenPredictor(Predictor):
    """Fails, or answers what is no number, as a damaged model does."""

    def __init__(self, answer: float | None):
        super().__init__(MODEL.read_bytes())
        self._answer = answer

    def predict(self, batch: Any) -> np.ndarray:
        if self._answer is None:
            raise RuntimeError("the interpreter is out of order")
        return np.full((len(batch), 1), self._answer, np.float32)


def broken_app(answer: float | None, **options: Any) -> Flask:
    return create_app(MODEL, predictor=BrokenPredictor(answer), **options)


@pytest.mark.parametrize(("car", "status", "key"), [(CAR, 200, "id"), ({}, 400, "request_id")])
def test_one_id_ties_answer_header_and_log_line_together(
    mpg: Served, car: Any, status: int, key: str
) -> None:
    answer = ask_mpg(mpg.url, car)
    request_id = answer.headers["X-Request-ID"]
    assert answer.json()[key] == request_id
    line = mpg.wait_for_log(request_id)
    assert list(line) == LINE_KEYS
    assert (line["method"], line["path"], line["status"]) == ("POST", "/api/mpg", status)


def test_ids_are_ours_and_never_the_same(mpg: Served) -> None:
    own = {"X-Request-ID": "mine"}
    answers = [requests.get(f"{mpg.url}/healthz", headers=own, timeout=60) for _ in range(20)]
    ids = {answer.headers["X-Request-ID"] for answer in answers}
    assert len(ids) == 20
    assert "mine" not in ids


@pytest.mark.thorough
def test_two_workers_lose_no_log_line_and_no_count() -> None:
    def client(number: int) -> list[str]:
        with requests.Session() as session:
            ids = []
            for turn in range(50):
                body = CAR if turn % 5 else CAR | {"year": 99}
                answer = session.post(f"{served.url}/api/mpg", json=body, timeout=60)
                assert answer.status_code == (200 if turn % 5 else 400)
                ids.append(answer.headers["X-Request-ID"])
                session.get(f"{served.url}/unknown/{number}/{turn}", timeout=60)
            return ids

    with serving("mpg", workers=2) as served:
        with ThreadPoolExecutor(8) as pool:
            ids = {one for ids in pool.map(client, range(8)) for one in ids}
        assert len(ids) == 400
        wait_until(lambda: ids <= {line["request_id"] for line in served.log()})
        log = served.log()
        seen = count_requests(requests.get(f"{served.url}/metrics", timeout=60).text, *LABELS)
    of_load = [line["request_id"] for line in log if line["path"] == "/api/mpg"]
    assert sorted(of_load) == sorted(ids)
    assert all(list(line) == LINE_KEYS for line in log)
    assert seen["POST", "/api/mpg", "200"] == 320
    assert seen["POST", "/api/mpg", "400"] == 80
    assert seen["GET", "unknown", "404"] == 400
    assert {route for _, route, _ in seen} == {"/api/mpg", "/readyz", "unknown"}


def test_made_up_methods_and_paths_share_their_labels() -> None:
    client = create_app(MODEL).test_client()
    for number in range(30):
        client.open("/api/mpg", method=f"BREW{number}")
        client.get(f"/nowhere/{number}")
    seen = count_requests(client.get("/metrics").text, *LABELS)
    assert seen == {("other", "unknown", "405"): 30, ("GET", "unknown", "404"): 30}


@pytest.mark.parametrize(
    "path", ['/"quoted"\\', "/line\nbreak", "/\u00fc\u4e2d", "/" + "long" * 1000]
)
def test_no_path_breaks_the_log(path: str) -> None:
    lines: list[str] = []
    create_app(MODEL, host=Host(log_line=lines.append)).test_client().get(path)
    (line,) = map(json.loads, lines)
    assert line["status"] == 404
    assert len(line["path"]) <= 200


@pytest.mark.parametrize("answer", [None, float("nan"), float("inf")])
def test_a_broken_network_is_not_ready_but_alive(answer: float | None) -> None:
    client = broken_app(answer).test_client()
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.content_type == "application/problem+json"
    assert client.get("/healthz").status_code == 200


def test_an_error_of_ours_is_a_problem_that_tells_nothing_away() -> None:
    answer = broken_app(None).test_client().post("/api/mpg", json=CAR)
    assert answer.status_code == 500
    assert answer.content_type == "application/problem+json"
    assert "out of order" not in answer.text
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]


def test_draining_shows_at_readyz_and_closes_connections() -> None:
    draining = False
    client = create_app(MODEL, host=Host(draining=lambda: draining)).test_client()
    before = client.post("/api/mpg", json=CAR)
    assert "Connection" not in before.headers
    draining = True
    during = client.post("/api/mpg", json=CAR)
    assert during.status_code == 200
    assert during.headers["Connection"] == "close"
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert "Retry-After" in ready.headers
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/api/mpg", "/healthz"])
def test_a_wrong_method_is_a_problem_and_names_the_right_ones(mpg: Served, path: str) -> None:
    answer = requests.delete(mpg.url + path, timeout=60)
    assert answer.status_code == 405
    assert answer.headers["Content-Type"] == "application/problem+json"
    allowed = set(answer.headers["Allow"].split(", "))
    assert ("POST" if path == "/api/mpg" else "GET") in allowed
    assert "DELETE" not in allowed


def test_a_hostile_path_is_unknown(mpg: Served) -> None:
    for path in ("/%00", "/%ff%fe", "/docs/../../etc/passwd", "/docs/%2e%2e/%2e%2e/x", "*"):
        answer = exchange(mpg.address, post(b"{}", JSON_TYPE, path))
        assert answer.status in (404, 405), path
        assert answer.problem
