"""Ray on this machine alone, started and stopped by a program of a few lines; and refusals."""

import json
import subprocess
import sys
from typing import Any

import pytest

from course_utils.serving import ray as on_ray
from tests.support.serving import CAR, MODEL, ROOT, free_port

pytestmark = pytest.mark.thorough

PROGRAM = f"""
import json
import psutil, requests
from course_utils.serving import ray as on_ray

said, model = {{}}, {str(MODEL)!r}
with on_ray.serve("mpg", model=model) as first, on_ray.serve("mpg", model=model) as second:
    answer = requests.post(second.url + "/api/mpg", json={CAR!r}, timeout=300)
    said["mpg"], said["replicas"] = answer.json()["mpg"], second.replicas()
    try:
        on_ray.serve("mpg", model=model, replicas=1000)
    except ValueError as error:
        said["refused"] = str(error)
    said["shown"] = [repr(first), repr(second)]
    ours = psutil.Process().children(recursive=True)
    said["open"] = sorted({{
        (process.name(), connection.laddr.ip)
        for process in ours
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
        and not connection.laddr.ip.endswith("127.0.0.1")
    }})
try:
    second.replicas()
except RuntimeError as error:
    said["ended"] = str(error)
gone, alive = psutil.wait_procs(ours, 60)
print(json.dumps(said | {{"alive": len(alive), "stopped": repr(second)}}))
"""


def test_a_few_lines_serve_and_leave_nothing_behind() -> None:
    """Nothing of Ray is printed, it keeps to the loopback address, no process stays."""
    command = [sys.executable, "-W", "error::FutureWarning", "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stderr == ""
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["shown"][0] == "<Deployment mpg: stopped>"  # another has taken its place
    assert said["shown"][1].startswith("<Deployment mpg: http://127.0.0.1:")
    assert said["replicas"] == {"mpg": 1}
    assert said["mpg"] == pytest.approx(16.416, abs=0.001)
    assert "1000 replicas need a core each" in said["refused"]
    assert said["ended"] == "The service mpg has been stopped."
    # Serve's replicas listen for each other on all addresses, and nothing can be set about it.
    open_ports = [(title.partition(".")[0], host) for title, host in said["open"]]
    assert open_ports == [("ray::ServeReplica:course:mpg", "::")]
    assert said["alive"] == 0
    assert said["stopped"] == "<Deployment mpg: stopped>"


@pytest.mark.parametrize(
    ("name", "options", "error", "said"),
    [
        ("digit", {}, ValueError, "choose one of mpg, image"),
        ("mpg", {"replicas": 0}, ValueError, "larger than 0"),
        ("mpg", {"replicas": 3, "max_replicas": 2}, ValueError, "max_replicas"),
        ("mpg", {"model": "none.tflite"}, FileNotFoundError, r"none\.tflite"),
        ("mpg", {"address": f"127.0.0.1:{free_port()}"}, ConnectionError, "ray start --head"),
    ],
)
def test_what_cannot_be_served_is_said_before_ray_starts(
    name: str, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        on_ray.serve(name, **options)


def test_without_ray_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "networks-at-work\[scale\]"'):
        on_ray.serve("mpg", model=MODEL)
