"""Several raylets on this machine: the services are those of one process."""

import functools
import io
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from flask.testing import FlaskClient

from benchmarks.image_service import cat
from course_utils.inference import shipped_model
from course_utils.services import image, mpg
from course_utils.serving import ray as on_ray
from course_utils.serving.ray import services
from tests.support.cars import cars
from tests.support.raylets import client, kill_raylet, raylets, serves, shoot
from tests.support.serving import CAR, MODEL, free_port, wait_until
from tests.support.wire import Answer

pytestmark = [
    pytest.mark.thorough,
    # Ray leaves the pipes and log files of its processes to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
JSON = {"Content-Type": "application/json"}
TIMEOUT_S = 300  # for an answer; replicas that start beside it take all cores of a busy machine
MANY = 120  # requests at a time; a replica takes 16, and 64 may wait in the proxy


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with raylets(2, quick=True) as several:
        yield several


@pytest.fixture(scope="module")
def cars_service(cluster: Any) -> Iterator[on_ray.Deployment]:
    with on_ray.serve("mpg", model=MODEL, replicas=2, address=cluster.address) as served:
        yield served


@pytest.fixture(scope="module")
def photos_service(cluster: Any) -> Iterator[on_ray.Deployment]:
    """In the place of the cars: what comes after it in this file has to serve them anew."""
    options = {"max_replicas": 2, "target": 2, "address": cluster.address}
    with on_ray.serve("image", model=shipped_model("image"), **options) as served:
        yield served


@pytest.fixture(scope="module")
def plain() -> FlaskClient:
    return mpg.create_app(MODEL).test_client()


def at_once(number: int, ask: Callable[[Any], Any], what: Any) -> list[Any]:
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(ask, what))


def answer_of(response: requests.Response) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content)


def metric(deployment: on_ray.Deployment, name: str) -> float:
    lines = requests.get(f"{deployment.url}/metrics", timeout=TIMEOUT_S).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def test_a_thousand_cars_are_answered_as_by_the_plain_service(
    cars_service: on_ray.Deployment, plain: FlaskClient
) -> None:
    asked = cars(1000, seed=8)
    with client(retries=0) as session:
        session.get_adapter("http://").init_poolmanager(8, 8)
        url = f"{cars_service.url}/api/mpg"
        found = at_once(8, lambda car: session.post(url, json=car, timeout=TIMEOUT_S).json(), asked)
    expected = [plain.post("/api/mpg", json=car).get_json()["mpg"] for car in asked]
    np.testing.assert_allclose([answer["mpg"] for answer in found], expected, rtol=1e-5)
    assert len({answer["id"] for answer in found}) == 1000
    # Whichever of the two replicas is asked, it tells of both.
    assert metric(cars_service, "http_request_duration_seconds_count") >= 1000


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("POST", "/api/mpg", b'{"cylinders": "8", "weight": -1, "wheels": 4, "wheels": 4}', JSON),
        ("POST", "/api/mpg", b"{" + b" " * 70_000, JSON),
        ("GET", "/api/nothing", None, {}),
    ],
    ids=["faults", "too large", "no path"],
)
def test_what_is_wrong_is_said_as_by_the_plain_service(
    cars_service: on_ray.Deployment,
    plain: FlaskClient,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
) -> None:
    url = cars_service.url + path
    found = answer_of(requests.request(method, url, data=body, headers=headers, timeout=TIMEOUT_S))
    other = plain.open(path, method=method, data=body, headers=headers)
    expected = Answer(other.status_code, {k.lower(): v for k, v in other.headers}, other.data)
    assert found.status == expected.status
    assert found.pointers == expected.pointers
    assert found.problem | {"request_id": ""} == expected.problem | {"request_id": ""}


def test_a_body_in_chunks_arrives_whole_and_has_one_id(cars_service: on_ray.Deployment) -> None:
    text = json.dumps(CAR).encode()
    url = f"{cars_service.url}/api/mpg"
    answer = requests.post(url, data=iter([text[:40], text[40:]]), headers=JSON, timeout=TIMEOUT_S)
    assert answer.json()["mpg"] == requests.post(url, json=CAR, timeout=TIMEOUT_S).json()["mpg"]
    assert answer.headers["X-Request-ID"] == answer.json()["id"]


def test_who_is_part_of_one_cluster_joins_no_other(cars_service: on_ray.Deployment) -> None:
    with pytest.raises(ValueError, match="part of the cluster at"):
        on_ray.serve("mpg", model=MODEL, address=f"127.0.0.1:{free_port()}")


def test_photos_are_classified_as_by_the_plain_service(photos_service: on_ray.Deployment) -> None:
    plain = image.create_app(shipped_model("image")).test_client()
    form = {"image": (io.BytesIO(cat()), "cat.jpg")}
    expected = plain.post("/api/image", data=form).get_json()["pred"]
    url, files = f"{photos_service.url}/api/image", {"image": ("cat.jpg", cat())}
    ask = functools.partial(requests.post, url, files=files, timeout=TIMEOUT_S)
    for answer in at_once(8, lambda _: ask(), range(16)):
        found = answer.json()["pred"]
        assert [one["name"] for one in found] == [one["name"] for one in expected]
        probabilities = [[one["prob"] for one in pred] for pred in (found, expected)]
        np.testing.assert_allclose(*probabilities, rtol=1e-5, atol=2e-6)  # rounded to six digits


def test_the_network_takes_what_is_waiting_in_one_go(photos_service: on_ray.Deployment) -> None:
    from ray import serve

    network = serve.get_deployment_handle("network", app_name="course")
    photos = np.random.default_rng(5).integers(0, 256, (24, 224, 224, 3), dtype=np.uint8)
    before = metric(photos_service, "network_batch_size_count")
    waiting = [network.predict.remote(photo) for photo in photos]
    for answer in waiting:
        answer.result(timeout_s=TIMEOUT_S)
    network.shutdown()
    runs = metric(photos_service, "network_batch_size_count") - before
    assert 3 <= runs <= 20  # of eight at most; most of them came while it was busy


def test_too_many_photos_are_told_to_come_back_and_call_for_a_second_replica(
    photos_service: on_ray.Deployment,
) -> None:
    url, form = f"{photos_service.url}/api/image", {"image": ("cat.jpg", cat())}
    answers: list[requests.Response] = []

    def second_has_come_and_some_were_refused() -> bool:
        answers.extend(
            at_once(MANY, lambda _: requests.post(url, files=form, timeout=TIMEOUT_S), range(MANY))
        )
        refused = any(answer.status_code != 200 for answer in answers)
        return refused and photos_service.replicas()["network"] == 2

    assert photos_service.replicas()["network"] == 1
    assert wait_until(second_has_come_and_some_were_refused, TIMEOUT_S)
    refused = [answer_of(answer) for answer in answers if answer.status_code != 200]
    assert len(refused) < len(answers)
    for answer in refused:
        assert answer.status == 503
        assert answer.problem["errors"] == []
        assert answer.headers["retry-after"] == "1"


def test_replicas_that_do_not_start_are_removed_and_say_why(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a node lacks the model: here it goes once the driver has read it."""
    model = Path(shutil.copy(MODEL, tmp_path))
    shutil.copy(MODEL.with_name("mpg.schema.json"), tmp_path)
    start = services._start_proxies

    def lose_model_and_start(location: str) -> str:
        model.unlink()
        return start(location)

    monkeypatch.setattr(services, "_start_proxies", lose_model_and_start)
    with pytest.raises(RuntimeError, match=r"(?s)mpg\.tflite"):
        on_ray.serve("mpg", model=model, address=cluster.address)
    from ray import serve

    assert serve.status().applications == {}


def test_a_raylet_is_killed_and_nobody_notices(cluster: Any) -> None:
    """Its replica dies with it; each client asks once more at most."""
    with on_ray.serve("mpg", model=MODEL, replicas=2, address=cluster.address) as cars:
        nodes = [node for node in cluster.list_all_nodes() if not node.head]
        node = next(node for node in nodes if serves(node, "mpg"))
        shot = shoot(
            cars,
            lambda session: session.post(f"{cars.url}/api/mpg", json=CAR, timeout=TIMEOUT_S),
            lambda: kill_raylet(node),
            clients=4,
            patience=90,
        )
    assert shot.failed == []
    assert shot.lost >= 1
    assert shot.seconds_to_full is not None
