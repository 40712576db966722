"""The web page is built into every installation: without Node, once, and again after an edit."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
import requests

from tests.conftest import ROOT, run_uv
from tests.setup.test_install import link_programs, make, posix
from tests.support import copy_tree
from tests.support.serving import running
from tools.install import BIN, EXE

pytestmark = pytest.mark.thorough

WEBAPP = Path("course_utils/webapp")
HEADING = "What is in this photo?"
IN_PAGE = {"index.html", "single.html", "page.js", "worker.js", "sw.js", "look.css", "icon.svg"}
IN_PAGE |= {"litert.wasm", "NOTICE"}


class Checkout:
    """A copy of the checkout with an environment into which it is installed, alone."""

    def __init__(self, folder: Path):
        self.tree = copy_tree(folder / "tree")
        self.dist = self.tree / WEBAPP / "dist"
        self.path = os.environ["PATH"]
        if os.name != "nt":  # a shell, but no Node
            self.path = str(link_programs(folder / "programs", "sh", "env"))
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
        self.python = folder / "venv" / BIN / f"python{EXE}"

    def install(self, **environment: str) -> "subprocess.CompletedProcess[str]":
        """What tools/install.py does for the course itself."""
        options = ["--quiet", "--python", self.python, "--no-deps", "--editable", self.tree]
        return run_uv("pip", "install", *options, PATH=self.path, **environment)

    def built(self) -> dict[str, int]:
        """When each file of the page was written, in nanoseconds."""
        files = [path for path in self.dist.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.dist)): path.stat().st_mtime_ns for path in files}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = Checkout(tmp_path_factory.mktemp("checkout"))
    answer = made.install()
    assert answer.returncode == 0, answer.stderr
    return made


@pytest.mark.registry
def test_an_installation_brings_the_page_where_there_is_no_node(checkout: Checkout):
    if os.name != "nt":
        assert shutil.which("node", path=checkout.path) is None
    page = (checkout.dist / "index.html").read_text("utf-8")
    for name in re.findall(r'(?:src|href)="\./([^"]+)"', page):
        assert (checkout.dist / name).is_file()
    assert HEADING in script(checkout)


def script(checkout: Checkout) -> str:
    (path,) = (checkout.dist / "assets").glob("*.js")
    return path.read_text("utf-8")


@pytest.mark.registry
def test_an_unchanged_page_is_not_built_again(checkout: Checkout):
    before = checkout.built()
    os.utime(checkout.tree / WEBAPP / "src" / "App.tsx")  # touched, but the same
    assert checkout.install().returncode == 0
    assert checkout.built() == before


@pytest.mark.registry
def test_an_edit_is_in_the_page_that_is_served(checkout: Checkout, monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.startswith("COV")]:
        monkeypatch.delenv(name)  # the copy is not what is measured
    source = checkout.tree / WEBAPP / "src" / "App.tsx"
    before = source.read_text("utf-8")
    source.write_text(before.replace(HEADING, "What might this be?"), "utf-8")
    try:
        assert checkout.install().returncode == 0
        code = f"import sys; sys.path.insert(0, {str(checkout.tree)!r})"
        code += "; from course_utils.cli import main; main()"
        with running([sys.executable, "-c", code, "serve", "image"]) as served:
            page = requests.get(served.url, timeout=60).text
            (name,) = re.findall(r'src="\./([^"]+\.js)"', page)
            served_script = requests.get(f"{served.url}/{name}", timeout=60).text
        assert "What might this be?" in served_script
        assert HEADING not in served_script
    finally:
        source.write_text(before, "utf-8")


@pytest.mark.registry
def test_a_page_that_does_not_compile_is_not_installed(checkout: Checkout):
    wrong = checkout.tree / WEBAPP / "src" / "wrong.ts"
    wrong.write_text('export const number: number = "text";\n', "utf-8")
    before = checkout.built()
    try:
        answer = checkout.install()
    finally:
        wrong.unlink()
    assert answer.returncode != 0
    assert "src/wrong.ts(1,14): error TS2322" in answer.stderr
    assert "npm run build failed" in answer.stderr
    assert checkout.built() == before


@pytest.mark.registry
def test_without_a_network_it_says_what_to_do(tmp_path: Path):
    checkout = Checkout(tmp_path)
    answer = checkout.install(
        npm_config_registry="http://127.0.0.1:9/",  # where nothing listens
        npm_config_cache=str(tmp_path / "cache"),
        npm_config_fetch_retries="0",
    )
    assert answer.returncode != 0
    assert "The web page could not be built: npm ci failed" in answer.stderr
    assert "HATCH_BUILD_NO_HOOKS=true" in answer.stderr
    assert checkout.install(HATCH_BUILD_NO_HOOKS="true").returncode == 0
    assert not checkout.dist.exists()


@pytest.mark.registry
def test_the_wheel_holds_the_page_and_its_sources_and_no_more(checkout: Checkout, tmp_path: Path):
    """Built from the source distribution, which has to hold all that the build needs."""
    options = ["--quiet", "--python", checkout.python, "--out-dir", tmp_path]
    answer = run_uv("build", *options, checkout.tree, PATH=checkout.path)
    assert answer.returncode == 0, answer.stderr
    (sdist,) = tmp_path.glob("*.tar.gz")
    (wheel,) = tmp_path.glob("*.whl")
    with tarfile.open(sdist) as archive:
        sources = archive.getnames()
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.namelist()
        in_page = [i for i in archive.infolist() if "/webapp/dist/browser/" in i.filename]
    assert f"{WEBAPP.as_posix()}/dist/index.html" in packed
    assert f"{WEBAPP.as_posix()}/dist/react.js" in packed  # which notebook 06 serves
    assert f"{WEBAPP.as_posix()}/src/api.ts" in packed
    # What `export.browser` copies; LiteRT.js is by far the largest of it.
    assert {Path(info.filename).name for info in in_page} == IN_PAGE
    assert sum(info.compress_size for info in in_page) <= 4_000_000
    assert not [name for name in packed if name.endswith(".map")]
    for page in ("services/digit_page", "services/mpg_page", "services/pets_page", "webapp/dist"):
        assert any(n.startswith(f"course_utils/{page}/assets/") for n in packed), page
    assert not [name for name in [*sources, *packed] if "node_modules" in name]
    assert not [name for name in sources if "/webapp/dist" in name]
    assert len(packed) == len(set(packed))


@posix
def test_make_installs_after_an_edit_and_not_otherwise(tmp_path: Path):
    tree = copy_tree(tmp_path)
    page = tree / WEBAPP / "dist" / "index.html"
    page.parent.mkdir()
    page.touch()
    (tree / ".venv").mkdir()
    (tree / ".venv" / "ready").touch()

    def builds() -> bool:
        answer = make(tree, "--dry-run", "demo", f"PYTHON={sys.executable}")
        return "tools/install.py" in answer.stdout

    source = tree / WEBAPP / "src"
    for change in (
        (source / "App.tsx").touch,
        (source / "components" / "Stage.tsx").unlink,
        (tree / WEBAPP / "package-lock.json").touch,
        (tree / "requirements.lock").touch,
    ):
        time.sleep(0.05)
        page.touch()  # built, as far as make can tell
        assert not builds()
        time.sleep(0.05)
        change()
        assert builds()


def test_every_version_is_exact_and_no_host_is_named():
    package = json.loads((ROOT / WEBAPP / "package.json").read_text("utf-8"))
    lock = (ROOT / WEBAPP / "package-lock.json").read_text("utf-8")
    for version in (package["dependencies"] | package["devDependencies"]).values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert '"resolved"' not in lock
