# @title Set-up: installs the course library where it is missing
EXTRA = ""
REPOSITORY = "REPOSITORY_ADDRESS"
DRIVE = "/content/drive/MyDrive"  # where Colab mounts it
WHEEL_FOLDERS = (".", "/content", DRIVE, f"{DRIVE}/Colab Notebooks")


class SetUpError(Exception):
    """Ends the cell, and a run of all cells, with a sentence in the place of a traceback."""

    def _render_traceback_(self):
        return [str(self)]


def find_missing():
    """What pip has to install: nothing where the library is here with what this notebook needs."""
    import importlib.util
    import pathlib

    if importlib.util.find_spec("course_utils"):
        if not EXTRA:
            return []
        from course_utils.environment import list_missing

        return list_missing(*EXTRA.strip("[]").split(","))
    wheels = [w for f in WHEEL_FOLDERS for w in pathlib.Path(f).glob("networks_at_work-*.whl")]
    if wheels:
        newest = max(wheels, key=lambda wheel: wheel.stat().st_mtime)
        return [f"networks-at-work{EXTRA} @ {newest.resolve().as_uri()}"]
    if "/OWNER/" in REPOSITORY:  # not published yet, and the name OWNER is somebody else's
        raise SetUpError(
            "The course library is not here yet: run `make wheel` in the course's folder on a "
            "computer, drag the file networks_at_work-*.whl from its folder dist into Colab's file "
            "list (the folder on the left), and run this cell again."
        )
    return [f"networks-at-work{EXTRA} @ git+{REPOSITORY}@vVERSION"]


def install(requirements):
    """Install with pip, but leave the version of all that is installed here as it is."""
    import importlib
    import pathlib
    import subprocess
    import sys
    import tempfile

    print("Installing what this notebook needs. This takes about a minute ...")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-color"]
    pins = pathlib.Path("../requirements.lock")  # in the course's own folder: the tested versions
    with tempfile.TemporaryDirectory() as folder:
        if not pins.exists():
            listing = subprocess.run([*pip, "list", "--format=freeze"], capture_output=True)
            pins = pathlib.Path(folder, "installed.txt")
            pins.write_bytes(listing.stdout)
        command = [*pip, "install", "--quiet", "-c", str(pins), *requirements]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = (errors or done.stderr.splitlines() or ["no reason given"])[-1]
        raise SetUpError(
            f"pip could not install what this notebook needs ({reason.removeprefix('ERROR: ')}): "
            "check that this machine reaches the internet, and run this cell again."
        )
    importlib.invalidate_caches()
    print("Ready.")


if missing := find_missing():
    install(missing)
