"""A notebook in JupyterLab itself, in a browser, as a learner has it before them."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect

from course_utils.environment import data_folder
from tests.support.lab import jupyterlab
from tests.support.notebooks import NOTEBOOKS, read

MPG, WEB_APP = (next(p for p in NOTEBOOKS if p.name.startswith(n)) for n in ("02_", "06_"))
RUN_ALL = "window.jupyterapp.commands.execute('notebook:run-all-cells')"
CONTENT = "window.jupyterapp.shell.currentWidget.content.model.toJSON()"
IDLE = "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """The address of what `course lab` opens; the names of notebooks go after it."""
    folder = tmp_path / "files"
    shutil.copytree(NOTEBOOKS[0].parent, folder)
    with jupyterlab(tmp_path, folder) as server:
        yield f"{server['url']}lab/tree/{{}}?token={server['token']}"


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A browser's tab."""
    tab = browser.new_page(viewport={"width": 1400, "height": 1000})
    tab.set_default_timeout(120_000)
    yield tab
    tab.close()


def run_all(tab: Page, address: str) -> None:
    tab.goto(address)
    tab.wait_for_function(IDLE)
    tab.evaluate(RUN_ALL)
    tab.wait_for_function(IDLE)


@pytest.mark.slow
@pytest.mark.thorough
def test_a_learner_runs_the_notebook_in_jupyterlab(lab: str, tab: Page, artifacts: Path) -> None:
    run_all(tab, lab.format(MPG.name))
    expect(tab.locator(".jp-InputPlaceholder")).to_have_count(1)  # the set-up cell is folded away
    expect(tab.get_by_text("class SetUpError")).to_have_count(0)
    tab.screenshot(path=artifacts / "jupyterlab.png")
    expect(tab.get_by_text("Jupyter news")).to_have_count(0)
    outputs = _checked_outputs(tab)
    assert any("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.slow
@pytest.mark.thorough
def test_the_pages_are_alive_below_their_cells(
    lab: str, tab: Page, artifacts: Path, tmp_path: Path
) -> None:
    """Written by hand, in React with the change of the learner, and the course's own."""
    copy = tmp_path / "files" / WEB_APP.name
    notebook = read(copy)
    (stop,) = [c for c in notebook.cells if c.source.endswith("one.stop()")]
    stop.source = "pass"  # as long as a learner looks at the page, they have not run this cell
    nbformat.write(notebook, copy)
    run_all(tab, lab.format(WEB_APP.name))
    _checked_outputs(tab)
    frames = tab.locator(".jp-OutputArea-output iframe")
    expect(frames).to_have_count(4)
    for number, name in ((1, "by_hand"), (2, "react"), (3, "image")):
        page = tab.frame_locator(f".jp-OutputArea-output iframe[title={name}]").last
        page.locator("input[type=file]").first.set_input_files(data_folder() / "photos/dog.jpg")
        page.get_by_text("Samoyed").first.wait_for()
        frames.nth(number).scroll_into_view_if_needed()
        expect(tab.locator("img[src*='06_by_hand.png']")).to_be_visible()  # the cells above move it
        frames.nth(number).screenshot(path=artifacts / f"jupyterlab_page_{name}.png")


def _checked_outputs(tab: Page) -> list[dict[str, Any]]:
    """Every output, after a look: each cell ran, in order, and none printed an error."""
    content = tab.evaluate(CONTENT)
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    wrong = [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert not wrong
    return outputs
