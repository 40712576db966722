"""Write what follows from the repository's address and the version: ``make links``.

Both stand in pyproject.toml alone. From them come each notebook's Colab badge and set-up cell, the
links in the README and two lines of CITATION.cff. The map in notebook 00 is made here too, from the
titles and aims of the notebooks. ``--check`` only says which files are behind.
"""

import re
import sys
import tomllib
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = Path(__file__).with_name("setup_cell.py")
BADGE = "[Open in Colab]({address})"  # a text: a picture would be missing without a network
COLAB = "https://colab.research.google.com/github/{slug}/blob/main/notebooks/{name}"
TITLE_AND_AIM = re.compile(r"^# (.+)\n\s*([^#\s].*)$", re.MULTILINE)
EXTRA = re.compile(r'^EXTRA = "(.*)"$', re.MULTILINE)
CITED = re.compile(r'^repository-code: "https?://[^/]+/(.+)"$', re.MULTILINE)


def project() -> tuple[str, str]:
    """The repository's address and the version."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table["urls"]["Repository"], table["version"]


def slug() -> str:
    """The repository's owner and name, as addresses hold them."""
    return "/".join(project()[0].split("/")[-2:])


def badge(name: str) -> str:
    """The link that opens the notebook of this file name in Colab."""
    return BADGE.format(address=colab_address(name))


def colab_address(name: str) -> str:
    """Where Colab opens the notebook of this file name."""
    return COLAB.format(slug=slug(), name=name)


def draw_map() -> str:
    """A table of all notebooks: title and aim as each states them, with a link for Colab, too.

    Raises:
        ValueError: a notebook has no title with a sentence of aim below it.
    """
    rows = ["| notebook | | aim |", "|---|---|---|"]
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        text = "\n\n".join(c.source for c in cells if c.cell_type == "markdown")
        found = TITLE_AND_AIM.search(text)
        if found is None:
            raise ValueError(f"{path.name} has no title with a sentence of aim below it.")
        link = f"[{path.name[:2]} {found[1]}]({path.name})"
        rows.append(f"| {link} | [Colab]({colab_address(path.name)}) | {found[2]} |")
    return "\n".join(rows)


def setup_cell(extra: str = "") -> str:
    """The source of the set-up cell; ``extra`` is ``""`` or for example ``"[drift,phone]"``."""
    repository, version = project()
    source = TEMPLATE.read_text(encoding="utf-8").rstrip()
    source = source.replace("REPOSITORY_ADDRESS", repository).replace("@vVERSION", f"@v{version}")
    return EXTRA.sub(f'EXTRA = "{extra}"', source)


def tagged(notebook: NotebookNode, tag: str) -> NotebookNode | None:
    """The notebook's first cell with this tag."""
    return next((c for c in notebook.cells if tag in c.metadata.get("tags", [])), None)


def link_notebook(path: Path) -> str:
    """The notebook's text with its badge, its set-up cell and its map as they have to be."""
    notebook = nbformat.read(path, as_version=4)
    cell = tagged(notebook, "badge")
    if cell is None:
        cell = new_markdown_cell(id="badge", metadata={"tags": ["badge"]})
        notebook.cells.insert(0, cell)
    cell.source = badge(path.name)

    cell = tagged(notebook, "set-up")
    if cell is None:
        cell = new_code_cell(id="set-up", metadata={"tags": ["set-up"]})
        notebook.cells.insert(2, cell)  # after the badge and the title
    cell.metadata["cellView"] = "form"  # Colab folds it away,
    cell.metadata["jupyter"] = {"source_hidden": True}  # and so does JupyterLab
    extra = EXTRA.search(cell.source)
    cell.source = setup_cell(extra[1] if extra else "")

    cell = tagged(notebook, "map")
    if cell:
        cell.source = draw_map()
    return nbformat.writes(notebook) + "\n"


def link_text(text: str) -> str:
    """A text with its links into the repository pointing where it lies now."""
    cited = CITED.search((ROOT / "CITATION.cff").read_text(encoding="utf-8"))  # as last written
    if cited:
        text = text.replace(cited[1], slug())
    return re.sub(r"^version: .*$", f"version: {project()[1]}", text, flags=re.MULTILINE)


def main(options: list[str]) -> None:
    """Write the files that are behind, or with ``--check`` fail and name them."""
    wanted = {p: link_notebook(p) for p in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))}
    for path in (ROOT / "README.md", ROOT / "CITATION.cff"):
        wanted[path] = link_text(path.read_text(encoding="utf-8"))
    behind = [p for p, text in wanted.items() if p.read_text(encoding="utf-8") != text]
    names = ", ".join(str(p.relative_to(ROOT)) for p in behind)
    if "--check" in options and behind:
        raise SystemExit(f"Behind pyproject.toml or the notebooks (run `make links`): {names}")
    for path in behind:
        path.write_text(wanted[path], encoding="utf-8", newline="\n")
    print(f"Written: {names}" if names else "All links are as they should be.")


if __name__ == "__main__":
    main(sys.argv[1:])
