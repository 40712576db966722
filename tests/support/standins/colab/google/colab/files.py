"""Stand-in for ``google.colab.files``: nothing is uploaded, downloads are noted."""

from pathlib import Path

downloads = []


def upload():
    return {}


def download(filename):
    if not Path(filename).is_file():
        raise FileNotFoundError(f"Cannot find file: {filename}")
    downloads.append(str(filename))
