"""Stand-in for ``google.colab.drive``: the mount point is an ordinary folder."""

from pathlib import Path


def mount(mountpoint, force_remount=False, timeout_ms=120000, readonly=False):
    Path(mountpoint, "MyDrive").mkdir(parents=True, exist_ok=True)
    print(f"Mounted at {mountpoint}")
