"""A notebook in JupyterLab itself, in a browser, as a learner has it before them."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from tests.conftest import BROWSER_FLAGS, ROOT
from tests.notebooks.common import NOTEBOOKS, clean_environment

NOTEBOOK = next(path for path in NOTEBOOKS if path.name.startswith("02_"))
ARTIFACTS = ROOT / "test-artifacts"
RUN_ALL = "window.jupyterapp.commands.execute('notebook:run-all-cells')"
CONTENT = "window.jupyterapp.shell.currentWidget.content.model.toJSON()"
IDLE = "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """The address of a JupyterLab whose folder holds the notebook."""
    folder, config, runtime = (tmp_path / name for name in ("files", "config", "runtime"))
    (config / "labconfig").mkdir(parents=True)
    news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "labconfig/page_config.json").write_text(json.dumps(news))
    folder.mkdir()
    shutil.copy(NOTEBOOK, folder)
    environment = clean_environment(tmp_path / "home", Path(sys.executable)) | {
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0"]
    command += ["--LabApp.expose_app_in_browser=True", str(folder)]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield _address(runtime, server, tmp_path / "log")
    finally:
        server.terminate()
        server.wait(timeout=30)


def _address(runtime: Path, server: "subprocess.Popen[bytes]", log: Path) -> str:
    limit = time.monotonic() + 60
    while not (found := list(runtime.glob("jpserver-*.json"))):
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < limit, log.read_text()
        time.sleep(0.1)
    info = json.loads(found[0].read_text())
    return f"{info['url']}lab/tree/{NOTEBOOK.name}?token={info['token']}"


@pytest.mark.slow
def test_a_learner_runs_the_notebook_in_jupyterlab(lab, chromium):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER_FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(120_000)
        page.goto(lab)
        page.wait_for_function(IDLE)
        page.evaluate(RUN_ALL)
        page.wait_for_function(IDLE)
        content = page.evaluate(CONTENT)
        ARTIFACTS.mkdir(exist_ok=True)
        page.screenshot(path=ARTIFACTS / "jupyterlab.png")
        browser.close()
    _check(content)


def _check(content: dict[str, Any]) -> None:
    """Every cell ran in order, none printed an error, and there were figures to look at."""
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    wrong = [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert not wrong
    assert any("image/png" in output.get("data", {}) for output in outputs)
