"""Exercises of notebook 16."""

import time
from typing import Any

from course_utils.exercises import Exercise, open_client, serving


def build_balancer(addresses: list[str]) -> Any:
    """Build an app that sends each ``POST /api/mpg`` to the next address that answers."""
    import requests
    from flask import Flask, jsonify, request

    app = Flask("balancer")
    waiting = list(addresses)

    @app.post("/api/mpg")
    def forward() -> Any:
        for _ in addresses:
            waiting.append(waiting.pop(0))
            try:
                reply = requests.post(f"{waiting[-1]}/api/mpg", json=request.json, timeout=5)
                return reply.json(), reply.status_code
            except requests.ConnectionError:
                pass
        return jsonify(error="No address answers."), 503

    return app


def _test_balancer(answer: Any) -> None:
    from flask import Flask, request

    app = Flask("services")

    @app.post("/<name>/api/mpg")
    def predict(name: str) -> Any:
        return [name], 200 if request.get_json() and name != "strict" else 400

    with serving(app) as url:
        a, b, strict, dead = f"{url}/a", f"{url}/b", f"{url}/strict", "http://127.0.0.1:9"
        for addresses, wanted in [([a, dead, b], 200), ([strict], 400), ([dead], 503)]:
            client = open_client(answer(addresses))
            replies = [client.post("/api/mpg", json={"weight": 3504}) for _ in range(6)]
            got = {reply.status_code for reply in replies}
            assert got == {wanted}, f"for {addresses} the status should be {wanted}, not {got}."
            names = [reply.get_json()[0] for reply in replies if wanted == 200]
            assert not names or min(map(names.count, "ab")) > 1, f"use each address, not {names}."


balancer = Exercise(
    test=_test_balancer,
    solve=build_balancer,
    hints=("Where nobody listens, requests.post raises requests.ConnectionError: try the next.",),
)


def find_bottleneck(parts: dict[str, tuple[int, float]]) -> tuple[str, float]:
    """Find the part that limits the throughput, and its requests per second."""
    most = {name: number / seconds for name, (number, seconds) in parts.items()}
    return min(most.items(), key=lambda part: part[1])


def _test_bottleneck(answer: Any) -> None:
    parts = {"proxy": (1, 0.002), "network": (8, 0.02), "disk": (3, 0.016)}
    for name, most in [("disk", 187.5), ("network", 400), ("proxy", 500)]:
        got = answer(parts)
        wanted = f"{parts} are limited by the {name} to {most} per second; you returned {got}."
        assert (got[0], round(got[1], 6)) == (name, most), wanted
        del parts[name]


bottleneck = Exercise(
    test=_test_bottleneck,
    solve=find_bottleneck,
    hints=("A part that is busy for s seconds per request answers 1 / s per second; n do n / s.",),
)


def measure(ask: Any, clients: int, number: int) -> dict[str, float]:
    """Measure answers per second and failures with so many clients at a time."""
    import time
    from concurrent.futures import ThreadPoolExecutor

    def is_answered(_: int) -> bool:
        try:
            return bool(ask() < 400)
        except Exception:
            return False

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        answered = sum(pool.map(is_answered, range(number)))
    seconds = time.perf_counter() - start
    return {"per_second": answered / seconds, "failed": number - answered}


def _test_own_load(answer: Any) -> None:
    asked: list[float] = []

    def ask() -> int:
        asked.append(time.perf_counter())
        number = len(asked)
        time.sleep(0.05)
        if number % 10 == 0:
            raise OSError("nobody listens")
        return 503 if number % 10 == 5 else 200

    start = time.perf_counter()
    got = answer(ask, 4, 40)
    rate = 32 / (time.perf_counter() - start)
    assert len(asked) == 40, f"call ask 40 times, not {len(asked)}."
    assert asked[3] - asked[0] < 0.05, "let 4 clients ask at a time."
    assert got["failed"] == 8, "4 requests got 503 and 4 raised an error: 8 failed."
    assert abs(got["per_second"] / rate - 1) < 0.2, f"32 answers: about {rate:.0f} per second."


own_load = Exercise(
    test=_test_own_load,
    solve=measure,
    hints=("ThreadPoolExecutor(clients).map(...) calls a function in that many threads.",),
)
