"""Schemathesis looks for requests that the OpenAPI document does not account for.

All its checks are on. Its seed is fixed, so that a failure can be repeated.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.support.serving import serving

# The least cases that the runs of a service must make together, and the runs. Several short ones
# side by side: in a long one each case costs more. A photo takes a hundred times as long as a car.
SEEDS = (13, 31, 57, 75)
thorough = pytest.mark.thorough
CASES = [
    pytest.param("mpg", 200, SEEDS[:1], id="mpg, few"),
    pytest.param("mpg", 2_000, SEEDS, id="mpg", marks=thorough),
    pytest.param("image", 400, SEEDS, id="image", marks=thorough),
    pytest.param("digit", 400, SEEDS, id="digit", marks=thorough),
]
PICTURES = Path(__file__).with_name("schemathesis.toml")
CONFIGURATION = {"image": PICTURES, "digit": PICTURES}
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


def start(
    document: str, cases: int, seed: int, report: Path, config: Path | None
) -> "subprocess.Popen[str]":
    options = ["--checks", "all", "--seed", str(seed), "--no-color"]
    options += ["--max-examples", str(cases)]
    options += ["--report", "json", "--report-json-path", str(report)]
    folder = report.parent / str(seed)
    folder.mkdir()
    configured = ["--config-file", str(config)] if config else []
    command = [str(SCHEMATHESIS), *configured, "run", document, *options]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("service", "least", "seeds"), CASES)
def test_no_case_meets_an_error_or_an_undocumented_answer(
    service: str, least: int, seeds: tuple[int, ...], tmp_path: Path
) -> None:
    reports = [tmp_path / f"{seed}.json" for seed in seeds]
    with serving(service, workers=2) as served:
        url = f"{served.url}/openapi.json"
        runs = [
            start(url, least // len(seeds), seed, report, CONFIGURATION.get(service))
            for seed, report in zip(seeds, reports, strict=True)
        ]
        for run in runs:
            text, _ = run.communicate(timeout=1200)
            assert run.returncode == 0, text
        log = served.log()
        paths = requests.get(url, timeout=60).json()["paths"]
    generated = 0
    for report in reports:
        result = json.loads(report.read_text("utf-8"))
        cases = result["test_cases"]
        generated += cases["generated"]
        assert cases["with_failures"] == cases["errored"] == cases["without_checks"] == 0
        assert result["operations"]["tested"] == sum(map(len, paths.values()))
        assert result["failures"] == result["errors"] == []
    assert generated >= least
    # The service's own word: every case came through, both good ones and bad ones, none failed.
    statuses = [line["status"] for line in log]
    assert len(statuses) >= least
    assert max(statuses) < 500
    for status in (200, 400, 405, 415):
        assert statuses.count(status) >= 3, status
