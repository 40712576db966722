"""tools/programs.py: finds what is there, says what is not."""

import os
import shutil

import pytest

from tools import programs


@pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")
def test_any_name_of_a_browser_will_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(programs.PROGRAMS, "chromium", (["chromium", "google-chrome"], "chromium"))
    assert programs.find("chromium") is None
    browser = tmp_path / "google-chrome"
    browser.write_text("#!/bin/sh\n")
    browser.chmod(0o755)
    assert programs.find("chromium") == browser
    programs.main(["chromium"])


def test_what_is_only_welcome_may_be_missing(monkeypatch):
    monkeypatch.setattr(shutil, "which", {"git": "/usr/bin/git"}.get)
    programs.main(["git", "--where-possible", "apxs"])
    with pytest.raises(SystemExit, match=r"Not found: wrk\. Install"):
        programs.main(["git", "wrk", "--where-possible", "apxs"])
