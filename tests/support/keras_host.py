"""A stand-in for Keras' host, and Keras caches to do damage to.

`make` has called `course fetch`, so the user's own cache is full; the fixtures copy from it and
leave it as it is.
"""

import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from course_utils.datasets import keras_cache, originals, weights
from course_utils.training import pretrained

NOWHERE = "http://127.0.0.1:9/"  # nothing listens on the port of "discard"
MADE = set(pretrained.MAKERS)
# MNIST and CIFAR-10 are large, and nothing is made from them: a few bytes stand in their place.
LARGE = {originals.MNIST, originals.CIFAR10}
FILES = {originals.MOBILENET, keras_cache.RECORD} | MADE | LARGE
PATHS = {o.name: "/" + o.path for o in originals.ORIGINALS if o.name not in LARGE}
OWN_CACHE = keras_cache.cache_folder()


class KerasHost(ThreadingHTTPServer):
    """A stand-in for Keras' host, over real HTTP, with the faults that downloads meet."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {path: (OWN_CACHE / name).read_bytes() for name, path in PATHS.items()}
        self.fault = ""
        self.asked = []
        self.go_on = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.05,)).start()
        return self

    def __exit__(self, *error):
        self.go_on.set()
        self.shutdown()
        super().__exit__(*error)


class Handler(BaseHTTPRequestHandler):
    server: KerasHost

    def do_GET(self):
        host = self.server
        host.asked.append(self.path)
        if host.fault == "404":
            self.send_error(404)
            return
        content = host.files[self.path]
        if host.fault == "other bytes":
            content = bytes(len(content))
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


@pytest.fixture
def host(monkeypatch):
    """The stand-in, in the place of Keras' host."""
    with KerasHost() as server:
        monkeypatch.setattr(weights, "KERAS_HOST", server.url)
        yield server


@pytest.fixture(scope="module")
def fetched(tmp_path_factory):
    """A cache filled from Keras' host, and what `fetch` said."""
    home = tmp_path_factory.mktemp("fetched")
    (home / "models").mkdir()
    for name in LARGE:
        (home / "models" / name).write_bytes(b"large")
    with KerasHost() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(home))
        patch.setattr(weights, "KERAS_HOST", server.url)
        sources = pretrained.fetch()
    return home / "models", sources


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty Keras cache of the test's own."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "models"


@pytest.fixture
def full(cache, fetched):
    """A full cache of the test's own, to do damage to."""
    return shutil.copytree(fetched[0], cache)


@pytest.fixture
def no_packages(tmp_path, monkeypatch):
    """pip and npm are set to a registry that does not answer, and know nothing by heart."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", NOWHERE)
    monkeypatch.setenv("npm_config_registry", NOWHERE)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))


def names(folder):
    return {path.name for path in folder.iterdir()}


def start_fetch(url, before=""):
    """``course fetch`` in a process of its own, a line for each step."""
    script = f"""
from course_utils.datasets import keras_cache, weights
from course_utils.training import pretrained
weights.KERAS_HOST = {url!r}
{before}
pretrained.fetch(lambda *step: print(step[0], flush=True))
"""
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
