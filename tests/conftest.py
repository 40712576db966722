"""What several test folders share."""

import functools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.support import ROOT, leftovers
from tests.support.scheduling import ByFile
from tools.install import EXE, uv_environment
from tools.programs import find

# Chromium as root, in a container, without a screen.
BROWSER_FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
# A portable test asks for none of these fixtures and bears none of these markers.
PROGRAM_FIXTURES = {"chromium", "apache", "tool"}
UNPORTABLE_MARKERS = ("slow", "thorough", "nightly", "gpu", "machine")
BROWSER_TIMEOUT_MS = 60_000  # what a page has to do or show is awaited, as all else, for a minute


def find_uv() -> str | None:
    """uv from this environment, or else from the path."""
    beside = Path(sys.executable).with_name(f"uv{EXE}")
    return str(beside) if beside.exists() else shutil.which("uv")


def run_uv(
    *arguments: str | Path, text: str = "", **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run uv as the set-up does; ``text`` is what it reads where a file is called ``-``."""
    return subprocess.run(
        [find_uv() or "uv", *arguments],
        input=text,
        capture_output=True,
        text=True,
        env=uv_environment() | {"NO_COLOR": "1"} | environment,
        cwd=ROOT,
        check=False,
    )


@functools.cache
def no_registry() -> str:
    """Why the package index cannot be asked; empty where it can."""
    if not find_uv():
        return "needs uv, which `make test` installs"
    answer = run_uv("pip", "compile", "--quiet", "--no-deps", "-", text="click")
    return "" if answer.returncode == 0 else "no package index answers"


@pytest.hookimpl(tryfirst=True)  # before pytest makes a temporary folder
def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # A run in the background ignores Ctrl-C, and so would all that tests start.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    leftovers.begin(config)
    config.pluginmanager.register(leftovers)  # the hooks of a conftest miss what a session shares
    expect.set_options(timeout=BROWSER_TIMEOUT_MS)


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole notebooks first: they take longest, and no worker shall wait for the last of them."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    for item in items:
        if is_portable(item):
            item.add_marker("portable")


def is_portable(item: pytest.Item) -> bool:
    """Whether the test is fast and needs neither a browser nor Debian's packages."""
    fixtures = PROGRAM_FIXTURES.intersection(getattr(item, "fixturenames", ()))
    return not fixtures and not any(map(item.get_closest_marker, UNPORTABLE_MARKERS))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    return ByFile(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("registry") and no_registry():
        if os.environ.get("CI"):  # a green run has to mean that the notebooks ran
            pytest.fail(no_registry())
        pytest.skip(no_registry())


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    """What a test, or the code it calls, sets in the environment is gone after it."""
    before = dict(os.environ)
    yield
    if before != dict(os.environ):
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """A process that a test has started ends with it, also where the test fails."""
    before = leftovers.children()
    yield
    if said := leftovers.end(leftovers.children() - before - leftovers.SHARED):
        pytest.fail(f"left running: {'; '.join(said)}")


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser that tests drive."""
    path = find("chromium")
    if path is None:
        pytest.skip("no Chrome, Chromium or Edge is installed; `make test` says how to get one")
    return path


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=BROWSER_FLAGS, timeout=BROWSER_TIMEOUT_MS
        )
        open_context = browser.new_context

        def new_context(**options: Any) -> BrowserContext:
            context = open_context(**options)
            context.set_default_timeout(BROWSER_TIMEOUT_MS)
            return context

        browser.new_context = new_context  # type: ignore[method-assign]
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Where pictures for people are kept."""
    folder = ROOT / "test-artifacts"
    folder.mkdir(exist_ok=True)
    return folder
