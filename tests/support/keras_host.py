"""A stand-in for Keras' host, and Keras caches to do damage to.

`make` has called `course fetch`, so the user's own cache is full; the fixtures copy from it and
leave it as it is.
"""

import os
import shutil
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import pytest

from course_utils.datasets import keras_cache, originals
from course_utils.inference import models
from course_utils.training import pretrained

NOWHERE = "http://127.0.0.1:9/"  # nothing listens on the port of "discard"
FILES = {
    originals.CLASS_INDEX,
    originals.MOBILENET,
    models.CLASSIFIER,
    models.LABELS,
    models.PETS,
    models.PETS_LABELS,
    originals.MNIST,
    originals.CIFAR10,
    keras_cache.RECORD,
}
# CIFAR-10 is not on Keras' host; it is large, and made anew by `test_cifar10_from_its_package`.
PATHS = {o.name: "/" + o.path for o in originals.ORIGINALS if o.path}
OWN_CACHE = keras_cache.cache_folder()


class KerasHost(ThreadingHTTPServer):
    """A stand-in for Keras' host, over real HTTP, with the faults that downloads meet."""

    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.fault = ""
        self.asked = []
        self.go_on = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: KerasHost

    def do_GET(self):
        host = self.server
        host.asked.append(self.path)
        if host.fault == "404":
            self.send_error(404)
            return
        content = host.files[self.path]
        content = {
            "short": content[:-1],
            "long": content + b"x",
            "other bytes": bytes(len(content)),
        }.get(host.fault, content)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        half = len(content) // 2
        self.wfile.write(content[:half])
        if host.fault == "cut":
            return
        if host.fault == "stalls":
            host.go_on.wait(30)
        self.wfile.write(content[half:])

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def keras_files(tmp_path_factory):
    """The files as Keras' host has them: the .h5 holds weights only; each has its size."""
    file = tmp_path_factory.mktemp("host") / "weights.h5"
    with (
        h5py.File(OWN_CACHE / originals.MOBILENET) as own,
        h5py.File(file, "w", libver="latest") as lean,
    ):
        stored = own.get("model_weights", own)
        for name in stored:
            stored.copy(name, lean)
        for name, value in stored.attrs.items():
            lean.attrs[name] = value
    content = file.read_bytes()
    padding = bytes(17_225_924 - len(content))
    index = (OWN_CACHE / originals.CLASS_INDEX).read_bytes()
    digits = repacked(OWN_CACHE / originals.MNIST, file, 11_490_434)
    return {
        PATHS[originals.MOBILENET]: content + padding,
        PATHS[originals.CLASS_INDEX]: index,
        PATHS[originals.MNIST]: digits,
    }


def repacked(file, copy, size):
    """The content of a zip file packed harder, and zeros beside it up to a size."""
    with (
        zipfile.ZipFile(file) as old,
        zipfile.ZipFile(copy, "w", zipfile.ZIP_BZIP2) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with zipfile.ZipFile(copy, "a") as new:
        overhead = 30 + 46 + 2 * len("padding")  # of a member, by the format's definition
        new.writestr("padding", bytes(size - copy.stat().st_size - overhead))
    return copy.read_bytes()


@pytest.fixture
def host(keras_files):
    with KerasHost(keras_files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def fetched(keras_files, tmp_path_factory):
    """A cache filled from Keras' host, and what `fetch` said. CIFAR-10 was there before."""
    home = tmp_path_factory.mktemp("fetched")
    (home / "models").mkdir()
    shutil.copy(OWN_CACHE / originals.CIFAR10, home / "models")
    with KerasHost(keras_files) as server, pytest.MonkeyPatch.context() as patch:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        patch.setenv("KERAS_HOME", str(home))
        sources = pretrained.fetch(host=server.url)
        server.shutdown()
    return home / "models", sources


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty Keras cache of the test's own."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "models"


@pytest.fixture
def full(cache, fetched):
    """A full cache of the test's own, to do damage to; not to CIFAR-10, which all tests share."""

    def link_the_large(source, target):
        linked = Path(source).name == originals.CIFAR10
        return os.link(source, target) if linked else shutil.copy2(source, target)

    return shutil.copytree(fetched[0], cache, copy_function=link_the_large)


@pytest.fixture
def no_packages(tmp_path, monkeypatch):
    """pip and npm are set to a registry that does not answer, and know nothing by heart."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", NOWHERE)
    monkeypatch.setenv("npm_config_registry", NOWHERE)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))


def names(folder):
    return {path.name for path in folder.iterdir()} - {"networks-at-work.lock"}


def start_fetch(url, before=""):
    """``course fetch`` in a process of its own, a line for each step."""
    script = f"""
from course_utils.datasets import keras_cache, weights
from course_utils.training import pretrained
{before}
pretrained.fetch(host={url!r}, report=lambda *step: print(step[0], flush=True))
"""
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
