# @title Set-up: installs the course library where it is missing
import importlib.util

EXTRA = ""
if importlib.util.find_spec("course_utils") is None:
    import pathlib
    import subprocess
    import sys
    import tempfile

    print("Installing the course library. This takes about a minute ...")
    library = f"networks-at-work{EXTRA} @ git+REPOSITORY@vVERSION"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    # What is installed here already keeps its version.
    keep = pathlib.Path(tempfile.mkdtemp(), "installed.txt")
    keep.write_bytes(subprocess.check_output([*pip, "list", "--format=freeze"]))
    subprocess.check_call([*pip, "install", "--quiet", "-c", str(keep), library])
    importlib.invalidate_caches()
    print("Ready.")
