"""The exercises at the end of each notebook, one module a notebook.

``check`` answers at once, ``hint`` helps a little more each time, and ``solution`` shows code
that is really run: it is the source of the function with which CI checks the exercise. This room
never asks for what its notebook has not shown. No other room imports from it.
"""

import contextlib
import inspect
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Exercise:
    """One exercise.

    ``test`` takes the learner's function and raises AssertionError with a kind sentence if it
    does not do what was asked; ``solve`` is a function that does.
    """

    test: Callable[[Callable[..., Any]], None]
    solve: Callable[..., Any]
    hints: tuple[str, ...]
    _hinted: int = field(default=0, repr=False)

    def problem(self, answer: Callable[..., Any]) -> str:
        """What is not right yet about ``answer``; empty if all is."""
        returned: list[Any] = []

        def watched(*args: Any, **kwargs: Any) -> Any:
            returned.append(answer(*args, **kwargs))
            return returned[-1]

        try:
            self.test(watched)
        except Exception as error:  # whatever the learner's code raises is an answer, too
            if any(value is ... for value in returned):
                return "the three dots are still there; put your code in their place."
            said = str(error) if isinstance(error, AssertionError) else ""
            if returned and all(value is None for value in returned):
                return f"{said} Your function returned nothing.".strip()
            if said:
                return said
            return f"your code raised {type(error).__name__}: {error}"
        return ""

    def check(self, answer: Callable[..., Any]) -> None:
        """Print whether ``answer`` does what was asked, and if not, what is missing."""
        problem = self.problem(answer)
        print(f"Not yet: {problem}" if problem else "Right! That is what was asked for.")

    def hint(self) -> None:
        """Print a hint; the next call gives the next one."""
        print(self.hints[min(self._hinted, len(self.hints) - 1)])
        self._hinted += 1

    def solution(self) -> None:
        """Print one way to do it."""
        print(inspect.getsource(self.solve))


@contextlib.contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve ``app`` while a check asks it questions, without a word; gives its URL."""
    from course_utils.serving import launch

    with contextlib.redirect_stdout(io.StringIO()):
        server = launch(app, port=5055)
    with server:
        yield server.url


def open_client(app: Any, *, quiet: bool = False) -> Any:
    """A test client of a learner's Flask app; if ``quiet``, without tracebacks of its crashes."""
    from flask import Flask

    assert isinstance(app, Flask), "your function should return a Flask app."
    app.logger.disabled = quiet
    return app.test_client()


@contextlib.contextmanager
def make_folder(files: Mapping[str, bytes]) -> Iterator[Path]:
    """A temporary folder with the given files, for as long as a check needs it."""
    with tempfile.TemporaryDirectory() as name:
        for file, content in files.items():
            Path(name, file).parent.mkdir(exist_ok=True)
            Path(name, file).write_bytes(content)
        yield Path(name)
