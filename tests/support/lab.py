"""A real JupyterLab, as `course lab` opens it."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support import ROOT
from tests.support.notebooks import clean_environment
from tests.support.serving import stop, wait_until


@contextlib.contextmanager
def jupyterlab(folder: Path, files: Path) -> Iterator[dict[str, Any]]:
    """Start JupyterLab on a folder of notebooks; yields its ``url`` and ``token``.

    Args:
        folder: where its settings go, and its log.
        files: the notebooks.
    """
    runtime = folder / "runtime"
    environment = clean_environment(folder / "home", Path(sys.executable)) | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
    }
    command = [sys.executable, "-m", "course_utils.cli", "lab", "--folder", str(files)]
    command += ["--no-browser", "--allow-root", "--port=0", "--LabApp.expose_app_in_browser=True"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def read() -> dict[str, Any] | None:
        assert server.poll() is None, (folder / "log").read_text()
        for path in runtime.glob("jpserver-*.json"):
            with contextlib.suppress(json.JSONDecodeError):  # it is being written
                return dict(json.loads(path.read_text()))
        return None

    try:
        yield wait_until(read)
    finally:
        stop(server)
