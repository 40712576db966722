"""SIGTERM under load: what was begun is answered (a hundred rounds in benchmarks/sigterm.py)."""

import signal

import pytest
import requests

from tests.support.serving import serving
from tests.support.sigterm import PRODUCT, SLOW, sigterm_round

pytestmark = pytest.mark.thorough

ROUNDS = [SLOW] * 5 + [PRODUCT] * 5


@pytest.mark.parametrize(
    "command", ROUNDS, ids=["slow" if command is SLOW else "product" for command in ROUNDS]
)
def test_nothing_begun_is_lost(command: list[str]) -> None:
    result = sigterm_round(command)
    assert result.answered > 20
    assert result.lost == []
    assert result.unlogged == 0, "the log, written in batches, lost its end"
    assert result.unread_kept == 0, "a kept connection was closed without a word"
    assert result.exit_code == 0
    assert 503 in result.ready_statuses
    assert result.ready_statuses[-1] == 503, "it was ready again"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_service_ends_and_leaves_no_process(number: int) -> None:
    with serving("mpg", workers=2) as served:
        requests.get(f"{served.url}/healthz", timeout=60)
        served.process.send_signal(number)
        assert served.process.wait(timeout=60) == 0
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{served.url}/healthz", timeout=60)


def test_a_second_signal_does_not_cut_off_what_is_in_flight() -> None:
    with serving("mpg") as served:
        served.terminate()
        served.terminate()
        assert served.process.wait(timeout=60) == 0
