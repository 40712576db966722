"""The pages with a network in them that the site shows alive, as ``course export`` writes them."""

import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from course_utils.cli.export import browser

NAMES = ("digit", "image", "mpg")


def write_pages(app: Sphinx, error: Exception | None) -> None:
    """Write a folder for each page, with the model that the course ships."""
    if error:
        return
    for name in NAMES:
        folder = Path(app.outdir, "live", name)
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(exist_ok=True)
        browser.main([name, "--output", str(folder)], standalone_mode=False)


def setup(app: Sphinx) -> dict[str, Any]:
    """Entry point of Sphinx."""
    app.connect("build-finished", write_pages)
    return {"parallel_read_safe": True, "version": "1"}
