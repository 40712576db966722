"""The pages with a network in them that the site shows alive.

``course export`` writes three of them. Those that the reader of notebook 12 writes by hand are
taken from its cells.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from course_utils.cli.export import PAGES, browser
from course_utils.environment import PACKAGE_FOLDER
from course_utils.inference import shipped_model

NAMES = ("digit", "image", "mpg")
TITLES = {f"{name}/index.html": PAGES[name]["name"] for name in NAMES} | {
    "by_hand/index.html": "Miles per gallon",
    "by_hand/index.html?open.tflite": "Miles per gallon, with an open batch axis",
    "by_hand/photo.html": "What is in this photo?",
}
NOTEBOOK = Path("notebooks", "12_in_the_browser.ipynb")
WRITE = "%%writefile page/"
# LiteRT.js writes its notices to the console as errors.
NO_NOTICES = """<script>
    const report = console.error;
    console.error = (text) => /^(INFO|WARNING): /.test(text) || report(text);
  </script>
"""


def write_by_hand(source: Path, live: Path) -> None:
    """Write the folder that notebook 12 fills by hand, with the models of the other pages."""
    folder = live / "by_hand"
    dist = PACKAGE_FOLDER / "webapp" / "dist"
    shutil.copytree(dist / "litert", folder)
    shutil.copy(dist / "browser" / "litert.wasm", folder / "litert_wasm_compat_internal.wasm")
    shutil.copy(live / "mpg" / "model.tflite", folder / "mpg.tflite")
    shutil.copy(shipped_model("mpg"), folder / "open.tflite")
    shutil.copy(live / "image" / "model.tflite", folder / "photo.tflite")
    labels = json.loads((live / "image" / "model.json").read_text("utf-8"))["labels"]
    (folder / "names.json").write_text(json.dumps(labels), "utf-8")
    for cell in json.loads((source / NOTEBOOK).read_text("utf-8"))["cells"]:
        text = "".join(cell["source"])
        if text.startswith(WRITE):
            name, _, content = text.removeprefix(WRITE).partition("\n")
            page = content.replace("<head>\n", f"<head>\n  {NO_NOTICES}")
            (folder / name).write_text(page, "utf-8")


def write_pages(app: Sphinx, error: Exception | None) -> None:
    """Write a folder for each page, with the model that the course ships."""
    if error:
        return
    live = Path(app.outdir, "live")
    shutil.rmtree(live, ignore_errors=True)
    live.mkdir()
    for name in NAMES:
        browser.main([name, "--output", str(live / name)], standalone_mode=False)
    write_by_hand(Path(app.srcdir), live)


def setup(app: Sphinx) -> dict[str, Any]:
    """Entry point of Sphinx."""
    app.connect("build-finished", write_pages)
    return {"parallel_read_safe": True, "version": "1"}
