"""The Postman collections are real ones: Postman's own runner executes them."""

import json
import shutil
import subprocess

import pytest

from course_utils.environment import data_folder
from course_utils.inference import shipped_model
from course_utils.services import SERVICES
from course_utils.serving import launch

pytestmark = pytest.mark.thorough

COLLECTIONS = sorted((data_folder() / "postman").glob("*.json"))
NEWMAN = "newman@6.2.1"


@pytest.mark.skipif(shutil.which("npm") is None, reason="newman, Postman's runner, needs Node")
@pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda path: path.stem)
def test_newman_runs_the_collection(collection, tmp_path):
    report = tmp_path / "report.json"
    name = collection.name.partition(".")[0]
    with launch(SERVICES[name].create_app(shipped_model(name)), port=5060) as server:
        command = [shutil.which("npm"), "exec", "--yes", f"--package={NEWMAN}", "--", "newman"]
        command += ["run", str(collection), "--env-var", f"baseUrl={server.url}"]
        command += ["--working-dir", str(data_folder())]
        command += ["--reporters", "json", "--reporter-json-export", str(report)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads(report.read_text())["run"]
    items = json.loads(collection.read_text(encoding="utf-8"))["item"]
    assert run["stats"]["requests"] == {"total": len(items), "pending": 0, "failed": 0}
    assert all("pm.test(" in json.dumps(item) for item in items)
    assert run["stats"]["assertions"]["total"] == collection.read_text().count("pm.test(")
    assert run["failures"] == []
