"""Run the notebooks and store their outputs: ``make refresh``, ``ARGS='02 03'`` for some.

Each runs alone, in an empty folder and with an empty home for the learner's files, as the checks
run it again later. Models that the course ships are taken from where a notebook saved them, so the
notebooks that make them go first.
"""

import os
import re
import shutil
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

import links
import nbformat
from nbformat import NotebookNode

from course_utils.common.notebooks import execute, find

DATA = links.ROOT / "data"
#: files that a notebook saves in the learner's folder and the course ships in data/models
SHIPPED = {
    "02": ["mpg.tflite", "mpg.weights.h5", "mpg.schema.json"],
    "09": ["digit.tflite"],
    "10": ["pets.weights.h5"],
}
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def tidy(notebook: NotebookNode) -> None:
    """Keep what is the same on every machine and in every run."""
    notebook.metadata.update(METADATA)
    for cell in notebook.cells:
        merged: list[NotebookNode] = []
        for output in cell.get("outputs", []):
            if output.output_type == "error":  # the rest names the files of this machine
                output.traceback = [f"{output.ename}: {output.evalue}"]
            last = merged[-1] if merged else None
            if last and output.output_type == "stream" and output.name == last.get("name"):
                last.text += output.text  # a text arrives in pieces, never the same ones
            else:
                merged.append(output)
        if cell.cell_type == "code":
            cell.outputs = merged


def refresh(path: Path) -> float:
    """Run one notebook and store it; returns the seconds, raises where a cell fails."""
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as folder:
        os.environ["COURSE_HOME"] = home
        copy = Path(folder, path.name)
        copy.write_text(links.link_notebook(path), encoding="utf-8")
        seconds = execute(copy, save=True, on_cell=lambda done, total: None)
        notebook = nbformat.read(copy, as_version=4)
        for name in SHIPPED.get(path.name[:2], []):
            shutil.copy(Path(home, name), DATA / "models" / name)
    tidy(notebook)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
    return seconds


def write_digests() -> None:
    """Bring the SHA-256 column of data/DATA.md up to date."""
    page = DATA / "DATA.md"

    def with_digest(row: re.Match[str]) -> str:
        return f"{row[1]}`{sha256((DATA / row[2]).read_bytes()).hexdigest()}` |"

    pattern = r"^(\| `([^`]+)` \|.*\| )`[0-9a-f]*` \|$"
    text = re.sub(pattern, with_digest, page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    page.write_text(text, encoding="utf-8", newline="\n")


def main(numbers: list[str]) -> None:
    """Refresh the notebooks of these numbers; all where none is given."""
    paths = find(links.ROOT / "notebooks", tuple(numbers))
    for path in sorted(paths, key=lambda path: path.name[:2] not in SHIPPED):
        print(f"{path.name} ...", end=" ", flush=True)
        print(f"{refresh(path):.0f} s")
        write_digests()  # the next one reads the models by way of them


if __name__ == "__main__":
    main(sys.argv[1:])
