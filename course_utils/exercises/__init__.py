"""The exercises at the end of each notebook, one module a notebook.

``check`` answers at once, ``hint`` helps a little more each time, and ``solution`` shows code
that is really run: it is the source of the function with which CI checks the exercise. This room
never asks for what its notebook has not shown. Only the command imports from it (``course
progress``).
"""

import ast
import contextlib
import html
import inspect
import io
import linecache
import re
import sys
import tempfile
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from course_utils.exercises.kinds import describe, find_wrong_kind

DOTS = "the three dots are still there; put your code in their place."
RIGHT, NOT_YET = "#1a7f37", "#9a6700"  # dark green and amber: white letters can be read on both

_route_errors: list[Exception] = []  # raised in the routes of the learner's apps, in this check


@dataclass(frozen=True)
class Verdict:
    """What `Exercise.check` says: text in a terminal, and a coloured word before it in Jupyter."""

    word: str
    text: str
    colour: str

    def __repr__(self) -> str:
        return f"{self.word} {self.text}"

    def _repr_html_(self) -> str:
        style = "color: white; padding: 2px 8px; border-radius: 4px"
        word = f'<strong style="background-color: {self.colour}; {style}">{self.word}</strong>'
        return f'<div style="white-space: pre-wrap">{word} {html.escape(self.text)}</div>'


@dataclass
class Exercise:
    """One exercise.

    ``test`` takes the learner's function and raises AssertionError with a kind sentence if it
    does not do what was asked; ``solve`` is a function that does. What ``solve`` is annotated to
    return is what the learner's function is asked to return.
    """

    test: Callable[[Callable[..., Any]], None]
    solve: Callable[..., Any]
    hints: tuple[str, ...]
    _hinted: int = field(default=0, repr=False)

    def problem(self, answer: Any) -> str:
        """What is not right yet about ``answer``; empty if all is."""
        if not callable(answer):
            return f"give check the function itself, without brackets; it got {describe(answer)}."
        returned: list[Any] = []
        _route_errors.clear()

        def watched(*args: Any, **kwargs: Any) -> Any:
            returned.append(answer(*args, **kwargs))
            return returned[-1]

        try:
            self.test(watched)
        except Exception as error:
            if any(value is ... for value in returned):
                return DOTS
            space = getattr(inspect.unwrap(answer), "__globals__", {})
            frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
            was_called = any(frame.f_code is watched.__code__ for frame in frames)
            if was_called or _find_own_frames(error, space):
                return f"your code raised {_name_error(error, space)}"
            return self._explain(error, returned, space)
        return ""

    def _explain(self, error: Exception, returned: list[Any], space: dict[str, Any]) -> str:
        """What is wrong where the learner's function returned, and the check raised ``error``."""
        asked = get_type_hints(self.solve).get("return", Any)
        for value in returned:
            if fault := find_wrong_kind(value, asked):
                return f"your function returned {fault}."
        if returned and all(value is None for value in returned):
            said = str(error) if isinstance(error, AssertionError) else ""
            return f"{said} Your function returned nothing.".strip()
        if not isinstance(error, AssertionError):
            got = f" what your function returned, {describe(returned[-1])}" if returned else ""
            return (
                f"the check could not judge{got or ' your function'}. It stopped with an error of "
                f"its own, {type(error).__name__}: {error}"
            )
        for cause in (*_route_errors[-1:], error.__context__):
            if cause and _find_own_frames(cause, space):
                return f"{error}\nYour code raised {_name_error(cause, space)}"
        return str(error)

    def check(self, answer: Callable[..., Any]) -> None:
        """Show whether ``answer`` does what was asked, and if not, what is missing."""
        if problem := self.problem(answer):
            _show(Verdict("Not yet:", problem, NOT_YET))
            return
        _show(Verdict("Right!", "That is what was asked for.", RIGHT))
        from course_utils.exercises import progress

        module = sys.modules[self.test.__module__]
        for name, value in vars(module).items():
            if value is self:
                with contextlib.suppress(OSError):  # a full disk does not make it wrong
                    progress.record_solved(module.__name__.rpartition(".")[2], name)

    def hint(self) -> None:
        """Print a hint; the next call gives the next one."""
        self._hinted = min(self._hinted + 1, len(self.hints))
        print(f"Hint {self._hinted} of {len(self.hints)}: {self.hints[self._hinted - 1]}")

    def solution(self) -> None:
        """Print one way to do it, which runs in the notebook as it is printed."""
        print(_drop_annotations(inspect.getsource(self.solve)))


def _drop_annotations(source: str) -> str:
    """A function without its annotations, whose types the notebook has not imported."""
    lines = source.splitlines(keepends=True)
    annotations: list[ast.expr] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.arg) and node.annotation:
            annotations.append(node.annotation)
        elif isinstance(node, ast.FunctionDef) and node.returns:
            annotations.append(node.returns)
    for part in sorted(annotations, key=lambda each: (each.lineno, each.col_offset), reverse=True):
        assert part.end_lineno == part.lineno  # no signature of ours has one over two lines
        line = lines[part.lineno - 1].encode()
        before = re.sub(rb"(: | -> )$", b"", line[: part.col_offset])
        lines[part.lineno - 1] = (before + line[part.end_col_offset :]).decode()
    return "".join(lines)


def _name_error(error: BaseException, space: dict[str, Any]) -> str:
    """The error, and the last line that ran of the learner's own, whose names are in ``space``."""
    text = f"{type(error).__name__}: {error}"
    own = _find_own_frames(error, space)
    if not own:
        return text
    frame, number = own[-1]
    line = linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip()
    return f"{text}\nin line {number}" + (f": {line}" if line else "")


def _find_own_frames(
    error: BaseException, space: dict[str, Any]
) -> list[tuple[types.FrameType, int]]:
    """Frames of the traceback that are in the learner's code, with their line numbers."""
    return [at for at in traceback.walk_tb(error.__traceback__) if at[0].f_globals is space]


def _show(verdict: Verdict) -> None:
    try:
        from IPython.display import display
    except ImportError:  # a script
        print(verdict)
    else:
        display(verdict)  # type: ignore[no-untyped-call]  # prints it outside Jupyter


@contextlib.contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve ``app`` while a check asks it questions, without a word; gives its URL."""
    from course_utils.serving import launch

    with contextlib.redirect_stdout(io.StringIO()):
        server = launch(app, port=5055)
    with server:
        yield server.url


def open_client(app: Any) -> Any:
    """A test client of a learner's Flask app, whose crashes `check` names in place of Flask."""
    from flask import Flask, got_request_exception

    assert isinstance(app, Flask), "your function should return a Flask app."
    app.logger.disabled = True  # the tracebacks would fill the cell
    got_request_exception.connect(_note_route_error, app)
    return app.test_client()


def _note_route_error(app: Any, exception: Exception) -> None:
    _route_errors.append(exception)


@contextlib.contextmanager
def make_folder(files: Mapping[str, bytes]) -> Iterator[Path]:
    """A temporary folder with the given files, for as long as a check needs it."""
    with tempfile.TemporaryDirectory() as name:
        for file, content in files.items():
            Path(name, file).parent.mkdir(exist_ok=True)
            Path(name, file).write_bytes(content)
        yield Path(name)
