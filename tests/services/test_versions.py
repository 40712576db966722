"""A service that follows the store: no request fails, and every answer says who gave it."""

import contextlib
import io
import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from werkzeug.test import Client, EnvironBuilder

from course_utils import registry
from course_utils.inference import read_examples
from course_utils.services import versions
from course_utils.services.http.telemetry import Host
from course_utils.serving import launch
from tests.services.conftest import FROM_STORE, state, tamper, version_of
from tests.support.load import load, outcomes
from tests.support.serving import CAR, Served, ask_mpg, count_requests, running, wait_until


@pytest.fixture(scope="module")
def served(template: Path, tmp_path_factory: Any) -> Iterator[tuple[Served, Path]]:
    """``course serve`` with two workers, and its store."""
    store = Path(shutil.copytree(template, tmp_path_factory.mktemp("served") / "store"))
    with running([*FROM_STORE, str(store)], workers=2) as served:
        yield served, store


def all_serve(url: str, version: int) -> bool:
    """Thirty connections in a row meet this version only, so both workers serve it."""
    return all(version_of(ask_mpg(url)) == version for _ in range(30))


def by_version(url: str, **wanted: str) -> Counter[int]:
    """What the metrics say of each version."""
    page = requests.get(f"{url}/metrics", timeout=60).text
    counted = count_requests(page, "version", route="/api/mpg", **wanted)
    return Counter({int(version): number for (version,), number in counted.items()})


# Following


@pytest.mark.thorough
def test_ten_thousand_requests_during_swaps_and_back_and_none_fails(
    served: tuple[Served, Path],
) -> None:
    """Two clients, one on a kept connection and one on ever new ones: never more than a worker's
    two slots, so that the queue's own 503 on a busy machine cannot be taken for the swap's."""
    service, store = served
    before = by_version(service.url, status="200")
    with (
        load(service.url, seconds=900, requests=10_000, clients=1, fresh=1) as process,
        ThreadPoolExecutor(1) as pool,
    ):
        gathered = pool.submit(outcomes, process, 960)
        swaps = 0
        while not gathered.done() or swaps < 2:
            wanted = 2 - swaps % 2
            registry.promote("mpg", wanted, store=store, reason="the test swaps")
            assert wait_until(lambda v=wanted: all_serve(service.url, v))
            swaps += 1
        done = gathered.result()
    assert len(done) >= 10_000
    assert [o for o in done if o.status != 200] == []
    answered = Counter(outcome.version for outcome in done)
    assert set(answered) == {"1", "2"}
    assert min(answered.values()) > 500
    after = by_version(service.url, status="200")
    assert sum(after.values()) - sum(before.values()) >= 10_000  # nothing vanished with a swap


@pytest.mark.thorough
def test_a_lost_worker_is_replaced_by_one_that_follows(served: tuple[Served, Path]) -> None:
    service, store = served
    registry.promote("mpg", 1, store=store)
    assert wait_until(lambda: all_serve(service.url, 1))
    workers = psutil.Process(service.process.pid).children()
    victim = max(workers, key=lambda process: process.pid)
    victim.kill()
    registry.promote("mpg", 2, store=store)

    def answers() -> bool:
        with contextlib.suppress(requests.ConnectionError):  # in flight on the lost one
            return all_serve(service.url, 2)
        return False

    assert wait_until(answers)

    def again() -> set[int]:
        pids = {process.pid for process in psutil.Process(service.process.pid).children()}
        return pids - {victim.pid} if len(pids - {victim.pid}) == len(workers) else set()

    assert wait_until(again)
    assert wait_until(answers)  # the new one, too


def test_no_tensorflow_in_the_service(served: tuple[Served, Path]) -> None:
    service, _ = served
    ask_mpg(service.url)
    for process in psutil.Process(service.process.pid).children(recursive=True):
        loaded = {Path(region.path).name for region in process.memory_maps()}
        assert not any("tensorflow" in name for name in loaded), process


# Swapping


def test_a_request_in_flight_ends_on_the_version_that_took_it(store: Path) -> None:
    """Its body arrives after the swap."""
    app = versions.create_app("mpg", store=store)
    arrived, goes_on = threading.Event(), threading.Event()

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            arrived.set()
            goes_on.wait(10)
            return super().read(size)

    environ = EnvironBuilder("/api/mpg", method="POST", json=CAR).get_environ()
    environ["wsgi.input"] = Slow(environ["wsgi.input"].read())
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(Client(app).open, environ)
        assert arrived.wait(10)
        registry.promote("mpg", 2, store=store)
        app.poll()
        quick = Client(app).post("/api/mpg", json=CAR)
        goes_on.set()
        answer = slow.result(10)
    assert (version_of(answer), version_of(quick)) == (1, 2)
    assert answer.status_code == 200
    assert quick.json["mpg"] - answer.json["mpg"] == pytest.approx(2, abs=1e-3)


def test_a_canary_that_is_promoted_stays_loaded(store: Path) -> None:
    app = versions.create_app("mpg", store=store)
    registry.try_canary("mpg", 2, 0.5, store=store)
    app.poll()
    assert app.state()["since"] == registry.read_history("mpg", store=store)[0].time  # of version 1
    promoted = registry.promote("mpg", 2, store=store)
    tamper(store, 2)  # what is in memory was verified; the file is no longer asked
    app.poll()
    assert app.state() == {
        "name": "mpg",
        "serving": 2,
        "canary": None,
        "share": 0.0,
        "since": promoted.time,
        "refused": [],
    }


def test_metrics_neither_double_nor_vanish(store: Path) -> None:
    """In one process without the workers' folder, as behind a notebook's cell."""
    with launch(versions.create_app("mpg", store=store), port=5084) as server:
        for wanted in (1, 2, 1):
            registry.promote("mpg", wanted, store=store)
            assert wait_until(lambda v=wanted: state(server.url)["serving"] == v)
            assert [version_of(ask_mpg(server.url)) for _ in range(5)] == [wanted] * 5
        ask_mpg(server.url, {})
        assert by_version(server.url, status="200") == {1: 10, 2: 5}
        assert by_version(server.url, status="400") == {1: 1}


def test_log_and_document_name_the_version(store: Path) -> None:
    lines: list[str] = []
    app = versions.create_app("mpg", store=store, host=Host(log_line=lines.append))
    client = Client(app)
    client.post("/api/mpg", json=CAR)
    line = json.loads(lines[-1])
    assert (line["path"], line["version"]) == ("/api/mpg", 1)
    assert "/version" in client.get("/openapi.json").json["paths"]
    for path in ("/healthz", "/readyz", "/metrics", "/version", "/docs", "/nowhere"):
        assert client.get(path).headers["X-Model-Version"] == "1"


def test_a_canary_has_its_share_of_the_predictions_and_of_nothing_else(store: Path) -> None:
    """And each answer is that of the version which it names."""
    app = versions.create_app("mpg", store=store)
    registry.try_canary("mpg", 2, 0.1, store=store)
    app.poll()
    client = Client(app)
    answers = []
    for _ in range(200):  # a probe between any two requests
        assert version_of(client.get("/healthz")) == 1
        answers.append(client.post("/api/mpg", json=CAR))
    miles = {v: {a.json["mpg"] for a in answers if version_of(a) == v} for v in (1, 2)}
    (less,), (more,) = miles[1], miles[2]
    assert more - less == pytest.approx(2, abs=1e-3)
    assert abs(sum(version_of(answer) == 2 for answer in answers) - 20) <= 2


@pytest.mark.thorough
def test_any_rhythm_of_the_clients_meets_the_canary_with_its_share(store: Path) -> None:
    """Every tenth request is somebody's: a canary by count would get all of theirs, or none."""
    app = versions.create_app("mpg", store=store)
    turns = [app._is_canarys_turn(0.1) for _ in range(10_000)]
    assert abs(sum(turns) - 1000) <= 3
    for rhythm in range(2, 31):
        mine = turns[::rhythm]
        assert abs(sum(mine) / len(mine) - 0.1) < 0.03, rhythm


def test_recorded_examples_say_which_version_answered(store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "asked"
    app = versions.create_app("mpg", store=store, record=folder)
    client = Client(app)
    client.post("/api/mpg", json=CAR)
    registry.promote("mpg", 2, store=store)
    app.poll()
    client.post("/api/mpg", json=CAR | {"weight": 2500})
    found = read_examples(folder, predictions=True)
    assert found["version"].tolist() == [1, 2]
    assert found["weight"].tolist() == [3504, 2500]
    assert list(read_examples(folder).columns) == list(CAR)  # what `course drift` compares


def test_an_app_that_nobody_holds_is_no_longer_followed(store: Path) -> None:
    import gc
    import weakref

    app = versions.create_app("mpg", store=store)
    gone = weakref.ref(app)
    del app
    assert wait_until(lambda: gc.collect() >= 0 and gone() is None)


# The command


def test_the_command_says_which_version_it_serves(served: tuple[Served, Path]) -> None:
    service, store = served
    said = service.said()
    assert f"Model: version 1 of mpg in {store}" in said
