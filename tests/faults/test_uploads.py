"""More uploads at a time than fit into memory: the rest is told to come back."""

import contextlib
import socket

import pytest
import requests

from course_utils.services.http.body import MAX_UPLOADS
from tests.support.serving import serving, wait_until
from tests.support.wire import post, receive

FORM = {"Content-Type": "multipart/form-data; boundary=x"}
FORM_START = b"--x\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\n"
JSON = {"Content-Type": "application/json"}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("service", "path", "kind", "start"),
    [
        ("image", "/api/image", FORM, FORM_START),
        ("digit", "/upload", FORM, FORM_START),
        ("pets", "/", JSON, b'{"image": "'),
    ],
    ids=["image", "digit", "pets"],
)
def test_more_than_fit_into_memory_are_told_to_come_back(
    service: str, path: str, kind: dict[str, str], start: bytes
) -> None:
    body = start + b"a" * 5_000_000

    def ask() -> requests.Response:
        return requests.post(f"{served.url}{path}", data=body, headers=kind, timeout=60)

    def find_refusal() -> list[requests.Response]:
        """The answer, if it is a 503; in a list, since a refusal counts as false."""
        answer = ask()
        return [answer] if answer.status_code == 503 else []

    with serving(service) as served, contextlib.ExitStack() as stack:
        for _ in range(MAX_UPLOADS):  # all but their last byte has arrived
            slow = stack.enter_context(socket.create_connection(served.address, timeout=60))
            slow.sendall(post(body, kind, path)[:-1])
        (answer,) = wait_until(find_refusal)
        assert answer.headers["Retry-After"] == "1"
        assert answer.json()["detail"].startswith("The service has more requests")
        slow.sendall(body[-1:])  # one of them goes on, so there is room for one more
        assert receive(slow).status == 400
        assert wait_until(lambda: ask().status_code == 400)
