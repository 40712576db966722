"""Slides from the tagged cells of the notebooks: ``make slides``, and a part of ``make site``.

A deck asks no other host: reveal.js and all else that it needs lies beside it.
"""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbconvert import SlidesExporter
from nbformat import NotebookNode
from notebook_pages import prepare_cell
from pygments.formatters import HtmlFormatter
from slide_cells import Slide, SlideError, reduce_notebook
from sphinx.application import Sphinx
from traitlets.config import Config

DOCS = Path(__file__).parent
NOTEBOOKS = DOCS.parent / "notebooks"
WEBAPP = DOCS.parent / "course_utils" / "webapp"
REVEAL = WEBAPP / "node_modules" / "reveal.js"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
OVERWRITTEN = re.compile(r"[^\n]*\r(?!\n)")  # by a progress bar


def clean_outputs(cell: NotebookNode) -> None:
    """Take out of a cell's outputs what only a terminal shows as it is meant."""
    for output in cell.outputs:
        if output.output_type == "stream":
            text = ESCAPES.sub("", output.text).replace("\r\n", "\n")
            output.text = OVERWRITTEN.sub("", text).strip("\n")


def build_notebook(slides: list[Slide], name: str) -> NotebookNode:
    """The notebook of which nbconvert makes a deck, each slide of it two cells or three."""
    cells = []
    for number, slide in enumerate(slides):
        text = f"{'##' if number else '#'} {slide.title}\n\n{slide.text}"
        cells.append(nbformat.v4.new_markdown_cell(text, metadata=_as_slide("slide")))
        if slide.cell:
            cell = nbformat.from_dict(slide.cell)
            prepare_cell(cell, name)
            clean_outputs(cell)
            cell.metadata.update(_as_slide("-"))
            cells.append(cell)
        if slide.notes:
            text = "\n\n".join(slide.notes)
            cells.append(nbformat.v4.new_markdown_cell(text, metadata=_as_slide("notes")))
    language = {"name": "python", "pygments_lexer": "ipython3"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"language_info": language})


def _as_slide(kind: str) -> dict[str, Any]:
    return {"slideshow": {"slide_type": kind}}


def make_exporter() -> SlidesExporter:
    """What makes HTML of a notebook of slides, by the template in the folder deck."""
    config = Config()
    config.TagRemovePreprocessor.enabled = True
    config.TagRemovePreprocessor.remove_input_tags = {"slide-result"}
    config.SlidesExporter.exclude_input_prompt = config.SlidesExporter.exclude_output_prompt = True
    config.SlidesExporter.exclude_anchor_links = config.SlidesExporter.embed_images = True
    return SlidesExporter(config=config, template_name="deck", extra_template_basedirs=[str(DOCS)])


def read_decks() -> dict[str, list[Slide]]:
    """Name and slides of each notebook.

    Raises:
        SlideError: what cannot be shown in any of the notebooks.
    """
    decks, faults = {}, []
    for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")):
        try:
            decks[path.stem] = reduce_notebook(nbformat.read(path, as_version=4))
        except SlideError as error:
            faults += [f"{path.stem}, {fault}" for fault in str(error).splitlines()]
    if faults:
        raise SlideError("\n".join(faults))
    return decks


def copy_look(out: Path) -> None:
    """Write what all decks share."""
    if not REVEAL.is_dir():
        raise SlideError(
            "reveal.js is missing, which comes when the web page is built. Remove the folder "
            "course_utils/webapp/dist, and run make again."
        )
    for name in ("dist/reveal.css", "dist/reveal.js", "dist/plugin/notes.js", "LICENSE"):
        (out / "reveal").mkdir(exist_ok=True)
        shutil.copy(REVEAL / name, out / "reveal")
    shutil.copy(WEBAPP / "src" / "shared" / "icon.svg", out)
    shutil.copy(DOCS / "deck" / "deck.js", out)
    look = (DOCS / "deck" / "deck.css").read_text(encoding="utf-8")
    light, dark = (
        HtmlFormatter(style=f"a11y-high-contrast-{scheme}").get_style_defs(".highlight")
        for scheme in ("light", "dark")
    )
    look += f"\n{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
    (out / "deck.css").write_text(look, encoding="utf-8")


def write_decks(out: Path) -> None:
    """Write a page of slides for each notebook, and one that lists them."""
    decks = read_decks()
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("[0-9][0-9]_*.html"):  # its notebook may have another name now
        old.unlink()
    copy_look(out)
    exporter = make_exporter()
    has_live = (out.parent / "live").is_dir()  # the pages that compute are a part of the site
    titles = []
    for name, slides in decks.items():
        notebook = build_notebook(slides, name if has_live else "")
        resources = {"metadata": {"name": slides[0].title, "path": str(NOTEBOOKS)}}
        page, _ = exporter.from_notebook_node(notebook, resources=resources)
        (out / f"{name}.html").write_text(page, encoding="utf-8")
        titles.append((name, slides[0].title, len(slides)))
    contents = exporter.environment.get_template("contents.html.j2").render(decks=titles)
    (out / "index.html").write_text(contents, encoding="utf-8")


def write_beside_pages(app: Sphinx, error: Exception | None) -> None:
    """Write the slides into the site."""
    if not error:
        write_decks(Path(app.outdir, "slides"))


def setup(app: Sphinx) -> dict[str, Any]:
    """Entry point of Sphinx."""
    app.connect("build-finished", write_beside_pages)
    return {"parallel_read_safe": True, "version": "1"}


if __name__ == "__main__":
    try:
        write_decks(Path(sys.argv[1]))
    except SlideError as error:
        raise SystemExit(str(error)) from None
