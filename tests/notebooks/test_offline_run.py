"""The full run: every notebook, strictly, from the wheel, with the network cut."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.notebooks import code_cells, each_notebook, read, run_python, validate

OFFLINE = [sys.executable, str(ROOT / "tests" / "support" / "offline.py")]
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can cut the network")
CONNECT = """
import socket
try:
    socket.create_connection(("192.0.2.1", 443), timeout=60)
except OSError as error:
    print(error.strerror)
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname(), timeout=60).close()
    print("loopback")
"""


@linux
@pytest.mark.machine  # as root, or where users may make namespaces of their own
def test_the_network_is_cut_and_the_loopback_is_not():
    answer = subprocess.check_output([*OFFLINE, sys.executable, "-c", CONNECT], text=True)
    assert answer.splitlines() == ["Network is unreachable", "loopback"]


@pytest.mark.slow
@pytest.mark.registry
def test_the_wheel_is_all_there_is_of_the_course(wheel_python):
    where = run_python(wheel_python, "import course_utils; print(course_utils.__file__)")
    assert Path(where).is_relative_to(wheel_python.parents[1])
    assert not Path(where).is_relative_to(ROOT)
    everything = run_python(wheel_python, "import sys; print(sys.path)")
    assert f"'{ROOT}'" not in everything


@pytest.mark.slow
@pytest.mark.registry
@each_notebook
def test_every_cell_gives_what_it_shows(path, wheel_python, tmp_path):
    copy = tmp_path / path.name
    shutil.copy(path, copy)
    before = OFFLINE if sys.platform == "linux" else []
    reports = validate(copy, wheel_python, before)
    assert list(reports) == list(range(len(code_cells(read(path)))))
    bad = {number: report for number, report in reports.items() if report}
    assert not bad, "\n".join(bad.values())
