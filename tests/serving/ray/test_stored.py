"""data/scale.json, which notebook 13 plots, is what benchmarks/scale.py writes today."""

import json
import re

from benchmarks.scale import CLIENTS, MEANING, NOTE, STORED


def test_the_stored_result_is_this_benchmarks() -> None:
    stored = json.loads(STORED.read_text("utf-8"))
    assert (stored["meaning"], stored["note"]) == (MEANING, NOTE)
    assert stored["connections"] == CLIENTS
    assert re.fullmatch(r"\d+ cores, \w+, [\w-]+, Python 3\.\d+", stored["machine"])
    assert set(stored["cost"]) == {"mpg", "image"}
    services = [stored["replicas"], *stored["cost"].values()]
    for measured in (each for service in services for each in service["rates"].values()):
        assert len(measured["per_second"]) >= 3
        assert measured["errors"] == 0


def test_nobody_noticed_that_a_raylet_was_killed() -> None:
    for shot in json.loads(STORED.read_text("utf-8"))["kills"]:
        assert shot["asked"] > 1000
        assert shot["failed"] == []
        assert shot["retried"] == 0  # notebook 13 says so
        assert shot["lost"] >= 1
        assert shot["seconds_to_full"] > 0
