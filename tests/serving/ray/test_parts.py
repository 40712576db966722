"""What runs inside Ray's processes, called by itself."""

import asyncio
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from course_utils.inference import Predictor, shipped_model
from course_utils.services.http.errors import Problem
from course_utils.serving.ray import cluster
from course_utils.serving.ray.problems import Problems, middleware

ID = "1c0b7866-662d-4bb5-a35c-e9913b42ddfc"
Asgi = dict[str, Any]


def ask(app: Any, path: str) -> list[Asgi]:
    """What an ASGI app sends as the answer to one POST request."""
    sent: list[Asgi] = []
    scope = {"type": "http", "path": path, "headers": [(b"x-request-id", ID.encode())]}

    async def send(message: Asgi) -> None:
        sent.append(message)

    asyncio.run(app(scope, None, send))
    return sent


def answers(status: int, content_type: str, body: bytes) -> Any:
    """An app that always answers the same; without a status, not at all."""

    async def app(_: Asgi, __: Any, send: Any) -> None:
        if status:
            headers = [(b"content-type", content_type.encode()), (b"x-request-id", ID.encode())]
            headers.append((b"X-Request-ID", b"another"))  # as Serve adds it behind a service's
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return app


@pytest.mark.parametrize(("status", "becomes"), [(503, 503), (500, 503), (0, 503), (404, 404)])
def test_what_serve_says_in_a_line_of_text_becomes_problem_json(status: int, becomes: int) -> None:
    app = Problems(answers(status, "text/plain", b"Request dropped due to backpressure"))
    start, body = ask(app, "/api/mpg")
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
    start, body = ask(stage.cls(answers(status, content_type, b"as it was")), path)
    assert (start["status"], body["body"]) == (status, b"as it was")
    if path == "/api/mpg":
        assert sorted(start["headers"])[1:] == [(b"x-request-id", ID.encode())]


@pytest.fixture
def replicas(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, which loads Ray; its metrics are not shared: their files would stay open."""
    cluster.import_ray()
    from course_utils.serving.ray import replicas

    monkeypatch.setattr(replicas, "share_metrics", lambda name: None)
    return replicas


@pytest.mark.parametrize("error", ["RayActorError", "GetTimeoutError"])
def test_a_dead_network_is_a_503(replicas: ModuleType, error: str) -> None:
    import ray.exceptions

    class DeadHandle:
        """Stands for the handle of the network's deployment, whose replica has died."""

        def __init__(self) -> None:
            self.predict = self

        def remote(self, _: Any) -> "DeadHandle":
            return self

        def result(self, timeout_s: float) -> None:
            raise getattr(ray.exceptions, error)()

    network = replicas.RemotePredictor(DeadHandle(), (224, 224, 3), (1000,))
    with pytest.raises(Problem) as found:
        network.predict(np.zeros((1, 224, 224, 3)))
    assert found.value.code == 503
    assert found.value.headers == {"Retry-After": "1"}


def test_the_network_predicts_a_batch_as_each_photo_by_itself(replicas: ModuleType) -> None:
    network = replicas.Network(shipped_model("image"), Path("unused"))
    photos = np.random.default_rng(3).integers(0, 256, (5, 224, 224, 3), dtype=np.uint8)
    without_serve = replicas.Network.predict.__wrapped__
    found = asyncio.run(without_serve(network, list(photos)))
    plain = Predictor.load(shipped_model("image"))
    expected = [plain.predict(photo[None])[0] for photo in photos]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
