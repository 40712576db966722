import requests

from tests.support.serving import serving


def test_it_says_hello_and_is_alive_and_ready() -> None:
    with serving("hello") as served:
        answer = requests.get(served.url, timeout=60)
        assert (answer.status_code, answer.text) == (200, "Hello World!")
        assert requests.get(f"{served.url}/healthz", timeout=60).json() == {"status": "alive"}
        assert requests.get(f"{served.url}/readyz", timeout=60).json() == {"status": "ready"}
