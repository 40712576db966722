"""A version that cannot be served is refused and said, and what can be served goes on."""

import json
import logging
import subprocess
from pathlib import Path

import pytest
import requests
from werkzeug.test import Client

from course_utils import registry
from course_utils.services import versions
from course_utils.services.http.telemetry import Host
from course_utils.serving import launch
from tests.services.conftest import FROM_STORE, state, tamper, version_of
from tests.support.command import course
from tests.support.serving import CAR, MODEL, ROOT, ask_mpg, free_port, wait_until


def force_promotion(
    store: Path, version: int, canary: int | None = None, share: float = 0.0
) -> None:
    """As a promotion of an hour ago whose files have changed since: `promote` would refuse."""
    log = store / "mpg" / "promotions.jsonl"
    entry = json.loads(log.read_text("utf-8").splitlines()[-1])
    with log.open("a", encoding="utf-8", newline="\n") as file:
        wanted = {"version": version, "canary": canary, "share": share}
        file.write(json.dumps(entry | wanted) + "\n")


def test_a_tampered_version_is_refused_while_the_old_one_serves(
    store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tamper(store, 2)
    with launch(versions.create_app("mpg", store=store), port=5083) as server:
        force_promotion(store, 2)
        assert wait_until(lambda: state(server.url)["refused"])
        said = state(server.url)
        assert said["serving"] == 1
        assert said["refused"][0]["version"] == 2
        assert "mpg.tflite is not as it was registered" in said["refused"][0]["reason"]
        assert version_of(ask_mpg(server.url)) == 1
        assert requests.get(f"{server.url}/readyz", timeout=60).json() == {"status": "ready"}
    told = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert len(told) == 1  # not twice a second
    assert told[0].startswith("version 2 of mpg is refused: ")


def test_a_refused_canary_has_no_share(store: Path) -> None:
    tamper(store, 2)
    app = versions.create_app("mpg", store=store)
    force_promotion(store, 1, canary=2, share=0.5)
    app.poll()
    assert [e["version"] for e in app.state()["refused"]] == [2]
    assert (app.state()["canary"], app.state()["share"]) == (None, 0.0)
    answers = Client(app)
    assert {version_of(answers.post("/api/mpg", json=CAR)) for _ in range(20)} == {1}


def test_a_worker_that_starts_anew_falls_back_to_what_can_be_served(store: Path) -> None:
    registry.promote("mpg", 2, store=store)
    tamper(store, 2)
    app = versions.create_app("mpg", store=store)
    assert app.state()["serving"] == 1
    assert app.state()["since"] == registry.read_history("mpg", store=store)[0].time
    assert [e["version"] for e in app.state()["refused"]] == [2]
    tamper(store, 1)
    with pytest.raises(ValueError, match=r"version 2: .*version 1: .*not as it was registered"):
        versions.create_app("mpg", store=store)


def test_what_is_mended_is_taken_when_it_is_promoted_again(
    store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = registry.load("mpg", 2, store=store).model
    hidden = model.rename(model.with_name("away"))
    app = versions.create_app("mpg", store=store)
    for _ in range(2):
        force_promotion(store, 2)
        app.poll()
        assert [each["version"] for each in app.state()["refused"]] == [2]
    hidden.rename(model)
    registry.promote("mpg", 1, store=store)
    registry.promote("mpg", 2, store=store)
    app.poll()
    assert (app.state()["serving"], app.state()["refused"]) == (2, [])
    assert len([r for r in caplog.records if "is refused" in r.getMessage()]) == 2


def test_a_keras_file_stays_out_of_the_service(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = registry.load("mpg", 2, store=store).folder
    document = json.loads((folder / "record.json").read_text("utf-8"))
    found = registry.ModelVersion("mpg", 2, folder, document | {"model": {"file": "mpg.keras"}})
    monkeypatch.setattr(registry, "load", lambda *_, **__: found)
    with pytest.raises(ValueError, match=r"mpg\.keras cannot be served"):
        versions.check("mpg", store)


def test_a_damaged_log_is_said_once_and_changes_nothing(
    store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = versions.create_app("mpg", store=store)
    log = store / "mpg" / "promotions.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole + b"no JSON\n")
    app.poll()
    app.poll()
    assert Client(app).post("/api/mpg", json=CAR).headers["X-Model-Version"] == "1"
    told = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert len(told) == 1
    assert "goes on unchanged" in told[0]
    log.write_bytes(whole)
    registry.promote("mpg", 2, store=store)
    app.poll()
    assert app.state()["serving"] == 2


# The command


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["mpg", "--store", "."], "course models promote mpg VERSION"),
        (["mpg", "--store", ".", "--model", MODEL], "not both"),
        (["image", "--store", ".", "--pixels", "0..1"], "with --model, not with --store"),
        (["hello", "--store", "."], "has no model"),
    ],
)
def test_what_cannot_be_served_is_said(options: list[object], message: str) -> None:
    result = course("serve", *options, "--port", free_port())
    assert result.exit_code != 0
    assert message in " ".join(result.output.split())


def test_a_tampered_version_is_no_start(store: Path) -> None:
    """In a process of its own, as it would otherwise serve until Ctrl-C."""
    tamper(store, 1)
    command = [*FROM_STORE, str(store), "--port", str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert "mpg.tflite is not as it was registered" in " ".join(done.stderr.split())


def test_what_is_not_promoted_is_no_start(tmp_path: Path) -> None:
    for start in (versions.check, versions.create_app):
        with pytest.raises(ValueError, match="No version of mpg is promoted"):
            start("mpg", store=tmp_path / "empty")


def test_what_is_not_ready_is_not_served(store: Path) -> None:
    """Such as a worker that starts while the server ends."""
    with pytest.raises(ValueError, match="it is not ready: The service is shutting down"):
        versions.create_app("mpg", store=store, host=Host(draining=lambda: True))
