"""What ARCHITECTURE.md says of a photo's way is what the script that traces it finds."""

import re

import pytest

from tests.support import ROOT
from tools.trace_request import AROUND, trace_image


@pytest.mark.thorough
def test_a_photo_passes_through_the_files_that_are_listed() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    section = text.partition("## The way of a photo")[2].partition("\n## ")[0]
    listed = re.findall(r"^\d\. `([^`]+)`", section, re.MULTILINE)
    assert len(listed) == 6
    assert [file for file, _ in trace_image() if file not in AROUND] == listed
