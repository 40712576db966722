"""``make demo``: the service and its page with one command, in the browser where there is one."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.conftest import ROOT
from tests.setup.test_install import posix
from tests.support.serving import COURSE, free_port, hold_port, wait_until

pytestmark = pytest.mark.thorough

SERVE = [str(COURSE), "serve", "image", "--open"]


@dataclass
class Demo:
    """A running demonstration, and the file into which its browser writes what it opens."""

    process: "subprocess.Popen[str]"
    opened: Path
    errors: Path

    def said(self) -> str:
        return self.errors.read_text("utf-8")

    def interrupt(self) -> int:
        """Press Ctrl-C, which the terminal sends to all; the exit status."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(timeout=60)


@contextlib.contextmanager
def running_demo(command: list[str], folder: Path, *, screen: bool) -> Iterator[Demo]:
    """Start ``command`` where there is a stand-in for a browser, or no screen at all."""
    browser = folder / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >{folder}/opened\n')
    browser.chmod(0o755)
    hidden = {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "MAKEFLAGS", "MAKELEVEL"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    if screen:
        environment["BROWSER"] = f"{browser} %s"
    with (folder / "stderr").open("w") as errors:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stderr=errors, process_group=0, text=True
        )
    try:
        yield Demo(process, folder / "opened", folder / "stderr")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def has_page(url: str) -> bool:
    answer = requests.get(url, headers={"Accept": "text/html"}, timeout=60)
    return answer.ok and '<div id="root">' in answer.text


@posix
def test_the_browser_opens_when_the_service_listens_on_a_port_that_is_free(tmp_path: Path):
    """On a Mac, 5000 is AirPlay's."""
    with hold_port(5000), running_demo(SERVE, tmp_path, screen=True) as demo:
        assert wait_until(demo.opened.exists)
        url = wait_until(demo.opened.read_text).strip()
        assert url != "http://127.0.0.1:5000"
        assert has_page(url)
        assert wait_until(lambda: f"{url} is open in your browser." in demo.said())
        assert demo.interrupt() == 0
    assert "Traceback" not in demo.said()


@posix
def test_a_machine_without_a_screen_is_told_the_address(tmp_path: Path):
    url = f"http://127.0.0.1:{free_port()}"
    command = [*SERVE, "--port", url.rpartition(":")[2]]
    with running_demo(command, tmp_path, screen=False) as demo:
        assert wait_until(lambda: f"Open {url} in a browser." in demo.said())
        assert has_page(url)
    assert not demo.opened.exists()


@posix
def test_ctrl_c_before_it_answers(tmp_path: Path):
    with running_demo(SERVE, tmp_path, screen=True) as demo:
        assert wait_until(lambda: "Model: " in demo.said())
        demo.interrupt()
    assert "Traceback" not in demo.said()


@posix
@pytest.mark.parametrize("name", ["mpg", "pets"])
def test_every_link_that_is_opened_leads_to_a_page(tmp_path: Path, name: str):
    command = [str(COURSE), "serve", name, "--open", "--port", str(free_port())]
    with running_demo(command, tmp_path, screen=True) as demo:
        assert wait_until(demo.opened.exists)
        assert has_page(wait_until(demo.opened.read_text).strip())


@posix
@pytest.mark.skipif(
    Path(sys.prefix) != ROOT / ".venv", reason="runs `make demo` in the environment make made"
)
def test_make_demo(tmp_path: Path):
    port = free_port()
    command = ["make", "demo", f"ARGS=--port {port}"]
    with running_demo(command, tmp_path, screen=True) as demo:
        assert wait_until(demo.opened.exists, 120)
        assert has_page(f"http://127.0.0.1:{port}")
        demo.interrupt()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}", timeout=60)
