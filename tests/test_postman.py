"""The Postman collection is a real one: Postman's own runner executes it against the service."""

import json
import shutil
import subprocess

import pytest

from course_utils.environment import data_folder
from course_utils.launch import launch
from course_utils.services import mpg

COLLECTION = data_folder() / "postman" / "mpg.postman_collection.json"
NEWMAN = "newman@6.2.1"


@pytest.mark.skipif(shutil.which("npm") is None, reason="newman, Postman's runner, needs Node")
def test_newman_runs_the_collection(tmp_path):
    report = tmp_path / "report.json"
    with launch(mpg.create_app(mpg.shipped_model()), port=5060) as server:
        command = [shutil.which("npm"), "exec", "--yes", f"--package={NEWMAN}", "--", "newman"]
        command += ["run", str(COLLECTION), "--env-var", f"baseUrl={server.url}"]
        command += ["--reporters", "json", "--reporter-json-export", str(report)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads(report.read_text())["run"]
    assert run["stats"]["requests"] == {"total": 5, "pending": 0, "failed": 0}
    assert run["stats"]["assertions"]["total"] == COLLECTION.read_text().count("pm.test(")
    assert run["failures"] == []


def test_it_is_version_2_1_with_a_test_for_each_request():
    collection = json.loads(COLLECTION.read_text(encoding="utf-8"))
    assert collection["info"]["schema"].endswith("/v2.1.0/collection.json")
    for item in collection["item"]:
        assert any("pm.test(" in line for line in item["event"][0]["script"]["exec"]), item["name"]
