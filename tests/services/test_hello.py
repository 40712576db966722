import requests

from tests.support.serving import Served


def test_it_says_hello(hello: Served) -> None:
    answer = requests.get(hello.url, timeout=60)
    assert (answer.status_code, answer.text) == (200, "Hello World!")


def test_it_is_alive_and_ready(hello: Served) -> None:
    assert requests.get(f"{hello.url}/healthz", timeout=60).json() == {"status": "alive"}
    assert requests.get(f"{hello.url}/readyz", timeout=60).json() == {"status": "ready"}
