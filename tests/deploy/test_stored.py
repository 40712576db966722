"""data/servers.json, which notebook 14 plots, is what benchmarks/servers.py writes today."""

import json

from benchmarks.servers import COMMANDS, ECHO, GRANIAN, GUNICORN, MEANING, STOPS, STORED


def test_the_stored_result_is_this_benchmarks():
    stored = json.loads(STORED.read_text("utf-8"))
    assert [*stored["speed"]] == [*COMMANDS]
    assert [*stored["stops"]] == [*STOPS]
    assert stored["meaning"] == MEANING
    for measured in stored["speed"].values():
        assert len(measured["per_second"]) >= 5
        answers = sum(measured["per_second"]) * stored["seconds"]
        assert measured["errors"] <= answers / 1000
    assert stored["speed"][ECHO]["of_echo"] == 1
    for name, stop in stored["stops"].items():
        assert len(stop["seconds"]) == stop["stops"] >= 3
        if name.startswith((GRANIAN, GUNICORN)):
            assert stop["lost"] == 0
