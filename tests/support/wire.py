"""HTTP by the byte: requests that no well-behaved client would send."""

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

JSON_TYPE = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> dict[str, Any]:
        """The problem+json of a refusal, its form checked."""
        assert self.headers["content-type"] == "application/problem+json", self
        problem = self.json()
        assert problem["status"] == self.status
        assert problem["request_id"] == self.headers["x-request-id"]
        for fault in problem["errors"]:
            assert sorted(fault) == ["allowed", "detail", "pointer", "received"]
            assert fault["detail"]
            assert fault["received"]
            assert fault["allowed"]
        return problem

    @property
    def pointers(self) -> list[str]:
        return [fault["pointer"] for fault in self.problem["errors"]]


def head(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    fields = {"Host": "course", "Connection": "close", **headers}
    lines = [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def post(body: bytes, headers: Mapping[str, str] = JSON_TYPE, path: str = "/api/mpg") -> bytes:
    """A complete POST; ``headers`` may override Content-Length."""
    return head("POST", path, {"Content-Length": str(len(body)), **headers}) + body


def chunked(body: bytes, size: int = 1000, headers: Mapping[str, str] = JSON_TYPE) -> bytes:
    """A complete POST whose body comes in chunks, its length unsaid."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return (
        head("POST", "/api/mpg", {"Transfer-Encoding": "chunked", **headers})
        + framed
        + b"0\r\n\r\n"
    )


def exchange(address: tuple[str, int], *parts: bytes, seconds: float = 60) -> Answer:
    """Send ``parts``, say that nothing more will come, and read the answer."""
    with socket.create_connection(address, timeout=seconds) as connection:
        for part in parts:
            connection.sendall(part)
        return receive(connection)


def receive(connection: socket.socket) -> Answer:
    with http.client.HTTPResponse(connection, method="POST") as response:
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())
