import requests

from tests.support.serving import Served


def test_it_says_hello(hello: Served) -> None:
    answer = requests.get(hello.url, timeout=60)
    assert (answer.status_code, answer.text) == (200, "Hello World!")


def test_it_is_alive_and_ready(hello: Served) -> None:
    assert requests.get(f"{hello.url}/healthz", timeout=60).json() == {"status": "alive"}
    assert requests.get(f"{hello.url}/readyz", timeout=60).json() == {"status": "ready"}


def test_it_takes_no_post(hello: Served) -> None:
    answer = requests.post(hello.url, json={}, timeout=60)
    assert answer.status_code == 405
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
