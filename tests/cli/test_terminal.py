"""The command in a real terminal of 80 columns: signals, bars, help, tables, ports."""

import codecs
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.support import ROOT
from tests.support.serving import COURSE, hold_port

# Windows has none of them.
fcntl = pytest.importorskip("fcntl")
pty = pytest.importorskip("pty")
termios = pytest.importorskip("termios")

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
DEADLINE_S = 120


class Terminal:
    """The command in a window of 80 columns; ``keys`` are typed, ``screen`` is all it has shown."""

    def __init__(self, *words, folder=ROOT, **environment):
        self.screen = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.environ.update(environment, TERM="xterm", PYTHONPATH=str(ROOT))
            os.environ.pop("COLUMNS", None)
            command = [sys.executable, "-m", "course_utils.cli", *map(str, words)]
            os.execv(sys.executable, command)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def wait_for(self, text):
        """Read until ``text`` is shown."""
        self._read(lambda: text in self.screen)
        assert text in self.screen, self.screen

    def wait(self):
        """Read until the command ends; returns its exit code, and what it has shown at last."""
        self._read(lambda: False)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._fd)
        return code, self.screen

    def type(self, keys):
        os.write(self._fd, keys)

    def _read(self, is_enough):
        ends = time.monotonic() + DEADLINE_S
        while not is_enough() and time.monotonic() < ends:
            if select.select([self._fd], [], [], 0.1)[0]:
                try:
                    piece = os.read(self._fd, 65536)
                except OSError:  # it has ended
                    return
                if not piece:
                    return
                text = self._decoder.decode(piece)  # a piece may end within a character
                self.screen += CONTROL.sub("", text).replace("\r", "")


def show(*words, **more):
    """What a command that ends by itself has shown."""
    return Terminal(*words, **more).wait()


@pytest.fixture
def notebooks(tmp_path):
    cells = {
        "00_short": ["print('one')"],
        "01_long": ["open('begun', 'w').close()", "import time; time.sleep(600)"],
        "02_never": ["open('never', 'w').close()"],
    }
    for name, sources in cells.items():
        texts = [new_code_cell(source) for source in sources]
        stub = new_code_cell("def f():\n    return ...  # your code here")
        stub.metadata["tags"] = ["exercise-best"]
        notebook = new_notebook(cells=[*texts, stub, new_markdown_cell("The end.")])
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    return tmp_path


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM"])
def test_run_stops_with_the_table_so_far(notebooks, how):
    terminal = Terminal("run", "--folder", notebooks)
    terminal.wait_for("01_long")
    while not (notebooks / "begun").exists():
        terminal.wait_for("01_long")
        time.sleep(0.1)
    terminal.type(b"\x03") if how == "Ctrl-C" else os.kill(terminal.pid, signal.SIGTERM)
    code, screen = terminal.wait()
    assert code == 130
    assert "Traceback" not in screen
    table = screen[screen.index("┏") :]
    rows = [re.split(r"\s*│\s*", line)[1:4] for line in table.splitlines() if line[:1] == "│"]
    assert [row[:2] for row in rows] == [
        ["00_short", "passed"],
        ["01_long", "stopped"],
        ["02_never", "not run"],
    ]
    assert not (notebooks / "never").exists()


def test_bars_end_at_100_percent_and_their_clocks_stop(notebooks):
    """A last cell of text counts, too; the clock of the first ends before the second one's."""
    nbformat.write(
        new_notebook(cells=[new_code_cell("import time; time.sleep(3)")]),
        notebooks / "01_long.ipynb",
    )
    code, screen = show("run", "0", "1", "--folder", notebooks)
    assert code == 0
    first = re.findall(r"00_short \S+ +(\d+)% (\d:\d\d:\d\d)", screen)
    done = [clock for percent, clock in first if percent == "100"]
    assert len(done) > 3  # shown again and again while the second one runs
    assert len(set(done)) == 1
    assert re.findall(r"01_long +\S+ +(\d+)%", screen)[-1] == "100", screen[-3000:]


def test_run_says_which_exercises_are_untouched(notebooks):
    code, screen = show("run", "0", "--folder", notebooks)
    assert code == 0
    assert re.search(r"│ 00_short\s+│ passed\s+│ \d+ s │ best", screen)


def test_help_has_groups_and_whole_sentences():
    code, screen = show("--help")
    assert code == 0
    titles = [title for title in ("Learn:", "Serve:", "Operate:") if f"\n{title}" in screen]
    assert titles == ["Learn:", "Serve:", "Operate:"]
    entries = re.split(r"\n  (?=[a-z]+   )", screen[screen.index("Learn:") :])[1:]
    assert len(entries) == 11
    for entry in entries:
        assert entry.partition("\n\n")[0].strip().endswith("."), entry
    assert max(map(len, screen.splitlines())) <= 80


@pytest.mark.parametrize("command", ["lab", "run"])
def test_elsewhere_it_says_where_to_run_it(tmp_path, command):
    code, screen = show(command, folder=tmp_path)
    assert code != 0
    assert "Run this in the course's folder." in " ".join(screen.split())
    assert "Traceback" not in screen


def test_a_taken_port_gives_way_to_the_next_free_one():
    with hold_port(5000):
        terminal = Terminal("serve", "hello")
        terminal.wait_for("docs at /docs")
        said = re.search(r"Port 5000 is taken, so the service gets (50\d\d)\.", terminal.screen)
        assert f"http://127.0.0.1:{said[1]}" in terminal.screen
        terminal.type(b"\x03")
        assert terminal.wait()[0] == 0


def test_a_taken_port_that_was_asked_for_is_an_error():
    with hold_port(5000):
        code, screen = show("serve", "hello", "--port", 5000)
    assert code == 1
    assert "Port 5000 is in use." in screen


@pytest.mark.parametrize("words", ["progress", "doctor"])
def test_tables_fit_into_80_columns(words, tmp_path):
    code, screen = show(words, COURSE_HOME=str(tmp_path))
    assert code == 0
    assert max(len(line) for line in screen.splitlines() if line[0] in "┏┡│└") <= 80
    assert "…" not in screen


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize(
    ("words", "offered"), [("pro", ["progress"]), ("serve di", ["digit"]), ("run --sa", ["--save"])]
)
def test_bash_completes_by_the_line_on_the_page_of_the_command(words, offered):
    line = 'eval "$(_COURSE_COMPLETE=bash_source course)"'
    assert f"`{line}`" in (ROOT / "docs" / "command.md").read_text("utf-8")
    script = (
        f"{line}; COMP_WORDS=(course {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); "
        '_course_completion course; echo "${COMPREPLY[@]}"'
    )
    path = os.pathsep.join([str(COURSE.parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=os.environ | {"PATH": path}
    )
    assert done.stdout.split() == offered, done.stderr
