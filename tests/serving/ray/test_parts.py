"""What runs inside Ray's processes, called by itself."""

import asyncio
import json
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from course_utils.inference import Predictor, shipped_model
from course_utils.services.http.errors import Problem
from course_utils.serving.ray import cluster
from course_utils.serving.ray.problems import Problems, middleware
from tests.support.serving import CAR, MODEL

ID = "1c0b7866-662d-4bb5-a35c-e9913b42ddfc"
Asgi = dict[str, Any]


def asked(app: Any, scope: Asgi, body: bytes = b"") -> list[Asgi]:
    """What an ASGI app sends as the answer to one request."""
    sent: list[Asgi] = []

    async def receive() -> Asgi:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Asgi) -> None:
        sent.append(message)

    async def ask() -> None:
        await app(scope, receive, send)

    asyncio.run(ask())
    return sent


def scope(path: str, **headers: str) -> Asgi:
    pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "http_version": "1.1",
        "headers": pairs,
    }


def answers(status: int, content_type: str, body: bytes) -> Any:
    """An app that always answers the same; without a status, not at all."""

    async def app(_: Asgi, __: Any, send: Any) -> None:
        if status:
            headers = [(b"content-type", content_type.encode()), (b"x-request-id", ID.encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return app


@pytest.mark.parametrize(("status", "becomes"), [(503, 503), (500, 503), (0, 503), (404, 404)])
def test_what_serve_says_in_a_line_of_text_becomes_problem_json(status: int, becomes: int) -> None:
    app = Problems(answers(status, "text/plain", b"Request dropped due to backpressure"))
    start, body = asked(app, scope("/api/mpg", x_request_id=ID))
    headers = dict(start["headers"])
    problem = json.loads(body["body"])
    assert start["status"] == problem["status"] == becomes
    assert headers[b"content-type"] == b"application/problem+json"
    assert int(headers[b"content-length"]) == len(body["body"])
    assert problem["request_id"] == headers[b"x-request-id"].decode() == ID
    assert problem["errors"] == []
    assert (b"retry-after" in headers) == (becomes == 503)


@pytest.mark.parametrize(
    ("path", "status", "content_type"),
    [
        ("/api/mpg", 200, "application/json"),
        ("/api/mpg", 400, "application/problem+json"),
        ("/-/healthz", 503, "text/plain"),
    ],
)
def test_other_answers_pass(path: str, status: int, content_type: str) -> None:
    (stage,) = middleware()
    start, body = asked(stage.cls(answers(status, content_type, b"as it was")), scope(path))
    assert (start["status"], body["body"]) == (status, b"as it was")


@pytest.fixture(scope="module")
def replicas() -> ModuleType:
    """The module, which loads Ray."""
    cluster.ray()
    from course_utils.serving.ray import replicas

    return replicas


@pytest.fixture
def metrics(replicas: ModuleType, monkeypatch: pytest.MonkeyPatch) -> str:
    """A name for shared metrics, which are not shared here: their files would never be closed."""
    monkeypatch.setattr(replicas, "share_metrics", lambda name: None)
    return "test"


@pytest.mark.parametrize("given", [ID, "<b>mine</b>"])
def test_a_request_keeps_the_id_that_serve_gave_it(
    replicas: ModuleType, metrics: str, given: str
) -> None:
    app = replicas.asgi_app("mpg", str(MODEL), metrics)
    car = json.dumps(CAR).encode()
    length = {"content_length": str(len(car)), "content_type": "application/json"}
    sent = asked(app, scope("/api/mpg", x_request_id=given, **length), car)
    headers = dict(sent[0]["headers"])
    answer = json.loads(b"".join(message.get("body", b"") for message in sent[1:]))
    if given == ID:  # Serve adds the header itself
        assert answer["id"] == ID
        assert b"x-request-id" not in headers
    else:  # a client's own is nothing to trust
        assert answer["id"] == headers[b"x-request-id"].decode() != given


class Handle:
    """Stands for the network's deployment: answers, or is dead."""

    def __init__(self, answer: np.ndarray | Exception):
        self.predict, self._answer = self, answer

    def remote(self, _: Any) -> "Handle":
        return self

    def result(self, timeout_s: float) -> np.ndarray:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def test_the_network_elsewhere_looks_like_one_here(replicas: ModuleType, metrics: str) -> None:
    answer = np.full(1000, 0.001, np.float32)
    network = replicas.Elsewhere(Handle(answer), (224, 224, 3), (1000,))
    np.testing.assert_array_equal(network.predict(np.zeros((2, 224, 224, 3))), [answer, answer])
    assert replicas.asgi_app("image", str(shipped_model("image")), metrics, network)


@pytest.mark.parametrize("error", ["RayActorError", "GetTimeoutError"])
def test_a_dead_network_is_a_503(replicas: ModuleType, error: str) -> None:
    import ray.exceptions

    dead = Handle(getattr(ray.exceptions, error)())
    network = replicas.Elsewhere(dead, (224, 224, 3), (1000,))
    with pytest.raises(Problem) as found:
        network.predict(np.zeros((1, 224, 224, 3)))
    assert found.value.code == 503
    assert found.value.headers == {"Retry-After": "1"}


def test_the_network_judges_several_as_each_by_itself(replicas: ModuleType, metrics: str) -> None:
    network = replicas.Network(str(shipped_model("image")), metrics)
    photos = np.random.default_rng(3).integers(0, 256, (5, 224, 224, 3), dtype=np.uint8)
    found = asyncio.run(network.run(list(photos)))
    plain = Predictor.load(shipped_model("image"))
    expected = [plain.predict(photo[None])[0] for photo in photos]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
