"""Make some tests fail in their middle, to see that what they have started still ends.

    python -m pytest -p tests.support.failing --fail 20 ...

A plugin for pytest: of the tests that are run, so many (chosen by a fixed seed) raise at the line
in the middle of their body. The end of the output says what was left behind.
"""

import inspect
import random
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

SEED = 0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fail", type=int, default=20, help="tests that are made to fail")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    functions = sorted({item.nodeid for item in items if isinstance(item, pytest.Function)})
    number = min(config.getoption("--fail"), len(functions))
    chosen = set(random.Random(SEED).sample(functions, number))
    for item in items:
        if item.nodeid in chosen and isinstance(item, pytest.Function):
            item.obj = _failing(item.obj)


def _failing(test: Callable[..., None]) -> Callable[..., None]:
    """The test, which raises as it comes to the last line of its first half."""
    lines, first = inspect.getsourcelines(test)
    middle = first + len(lines) // 2
    code = inspect.unwrap(test).__code__

    def watch(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line" and frame.f_lineno >= middle:
            sys.settrace(None)
            raise AssertionError("made to fail by tests/support/failing.py")
        return watch

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        return watch if frame.f_code is code else None

    def run(*arguments: Any, **options: Any) -> None:
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            test(*arguments, **options)
        finally:
            sys.settrace(before)

    return run
