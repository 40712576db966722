"""The form of a notebook, as it is stored."""

import re
import statistics

import pytest

from tests.conftest import ROOT
from tests.support.notebooks import (
    code_cells,
    each_notebook,
    is_compared,
    is_file,
    read,
    tags,
)
from tools import links

LOADS_KERAS = re.compile(r"^(import|from) (keras|tensorflow)", re.MULTILINE)
# Folders of one machine. /content is Colab's, the same for everybody.
MACHINE = re.compile(r"(?<![\w.])/(home|root|Users|tmp|work|usr|opt|private|var)/|[A-Z]:\\\\?\w")


@each_notebook
def test_the_badge_comes_first_and_opens_this_file(path):
    first = read(path).cells[0]
    assert "badge" in tags(first)
    assert first.source == links.badge(path.name)
    assert "![" not in first.source  # a picture from a host would look broken without a network


@each_notebook
def test_there_is_one_title(path):
    text = "\n\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1


@each_notebook
def test_the_set_up_cell_is_the_same_everywhere_and_runs_first(path):
    first = code_cells(read(path))[0]
    assert "set-up" in tags(first)
    extra = links.EXTRA.search(first.source)
    assert extra
    assert first.source == links.setup_cell(extra[1])
    assert first.metadata["jupyter"] == {"source_hidden": True}
    known = {"drift", "phone", "production", "scale"}
    assert set(filter(None, extra[1].strip("[]").split(","))) <= known


@each_notebook
def test_all_cells_were_run_in_order(path):
    cells = code_cells(read(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell.source.strip() for cell in cells)


@each_notebook
def test_nothing_went_wrong(path):
    for cell in code_cells(read(path)):
        for output in cell.outputs:
            assert output.get("name") != "stderr", output.text
            if output.output_type == "error":
                assert "raises-exception" in tags(cell), output.evalue


@each_notebook
def test_keras_is_loaded_without_tensorflow_s_start_up_messages(path):
    """They are C++ code's, so they show in JupyterLab alone, and no stored output has them."""
    for cell in code_cells(read(path)):
        if "set_seeds(" in cell.source:
            return
        assert is_file(cell) or not re.search(
            r"^(import|from) (keras|tensorflow)", cell.source, re.M
        )


@each_notebook
def test_outputs_name_no_folder_of_a_machine(path):
    for cell in code_cells(read(path)):
        for text in texts(cell):
            assert not MACHINE.search(text), text
            assert str(ROOT) not in text


@each_notebook
def test_code_cells_are_short_and_introduced(path):
    cells = read(path).cells
    for before, cell in zip([None, *cells], cells, strict=False):
        if cell.cell_type == "code":
            may_be_long = is_file(cell) or "set-up" in tags(cell)
            assert may_be_long or len(cell.source.splitlines()) <= 25, cell.source
            assert before is not None, cell.source
            assert before.cell_type == "markdown", f"no sentence before:\n{cell.source}"


@each_notebook
def test_most_code_cells_have_eight_lines_and_none_more_than_twenty(path):
    cells = [c for c in code_cells(read(path)) if not is_file(c) and "set-up" not in tags(c)]
    lengths = [len(cell.source.splitlines()) for cell in cells]
    assert max(lengths) <= 20
    # The docstring of a stub is text that says what to write.
    code = (
        re.sub(r'    """.*?"""\n', "", c.source, flags=re.S) if is_stub(c) else c.source
        for c in cells
    )
    assert statistics.median(len(source.splitlines()) for source in code) <= 8


@each_notebook
def test_there_is_a_diagram_with_a_text_alternative(path):
    """An SVG file beside the notebook, as Markdown, which every front end shows."""
    text = "\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")
    diagrams = re.findall(r"!\[(.*?)\]\((images/[\w.]+\.svg)\)", text, re.DOTALL)
    assert diagrams
    for alternative, file in diagrams:
        assert len(alternative.split()) >= 8, alternative
        assert (path.parent / file).is_file()


@each_notebook
def test_each_figure_has_a_text_alternative(path):
    """`show_figure` writes it, and sees to titles and the size of letters."""
    for cell in code_cells(read(path)):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                assert output.metadata["image/png"]["alt"] == output.data["text/plain"], cell.source


@each_notebook
def test_outputs_say_more_than_true(path):
    """A check prints its number. An unsolved exercise has none, nor has the name of a file."""
    for cell in filter(is_compared, code_cells(read(path))):
        if is_file(cell) or is_stub(cell):
            continue
        for text in filter(None, texts(cell)):
            # A line of the library's code may return one.
            assert not re.search(r"(?<!return )\b(True|False)\s*$", text, re.MULTILINE), text
            assert re.search(r"\d", text), text


@each_notebook
def test_there_is_a_file_to_take_home(path):
    if path.stem != "00_start_here":
        files = [cell for cell in code_cells(read(path)) if is_file(cell)]
        assert any("take-home" in tags(cell) for cell in files)


@each_notebook
def test_readme_names_the_same_minutes_in_class(path):
    text = "\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")
    (minutes,) = re.findall(r"(\d+) minutes in class", text)
    row = f"| {path.name[:2]} | {minutes} |"
    assert row in (ROOT / "README.md").read_text("utf-8")


@each_notebook
def test_nine_in_ten_outputs_are_compared(path):
    shown = [cell for cell in code_cells(read(path)) if cell.outputs]
    compared = [cell for cell in shown if is_compared(cell)]
    assert len(compared) >= 0.9 * len(shown)


@each_notebook
def test_a_compared_cell_has_one_output(path):
    """Then the check of tampered outputs, which is by cell, speaks for every output."""
    for cell in filter(is_compared, code_cells(read(path))):
        assert len(cell.outputs) == 1, cell.source


def is_stub(cell) -> bool:
    return any(tag.startswith("exercise") for tag in tags(cell))


def texts(cell) -> list[str]:
    """Everything readable in a cell's outputs."""
    found = []
    for output in cell.outputs:
        found += [output.get("text", ""), output.get("evalue", ""), *output.get("traceback", [])]
        found += [v for k, v in output.get("data", {}).items() if not k.startswith("image/")]
    return [str(text) for text in found if text]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("/home/ada/course/model.keras", True),
        ("saved as '/tmp/x.h5'", True),
        (r"C:\Users\ada", True),
        ("http://127.0.0.1:5000/home/", False),
        ("/content/networks-at-work", False),
        ("~/networks-at-work/mpg.keras", False),
        ("/api/mpg", False),
    ],
)
def test_folders_of_a_machine_are_recognised(text, is_one):
    assert bool(MACHINE.search(text)) == is_one
