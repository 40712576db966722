"""The Swift of the iPhone app is Swift, as far as can be told without a Mac."""

import pytest

from tests.support import swift

each_file = pytest.mark.parametrize("path", swift.files(), ids=lambda path: path.name)


@each_file
def test_it_parses(path):
    assert swift.broken_lines(path.read_bytes()) == []


@each_file
def test_nothing_is_forced(path):
    assert swift.forced_lines(path.read_bytes()) == []
