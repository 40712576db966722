"""The image of deploy/Dockerfile, as far as it can be known without a Docker engine.

In the place of ``docker build``, which needs one, the first stage is replayed: the files that COPY
names, the commands of RUN (all but that which brings uv). What comes of it is served from as the
second stage says: its variables, its user, who may write nowhere else, its command, its health
check. The base image, and so its Python, is the one thing taken on trust.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pathspec
import pytest
import requests
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from course_utils import registry
from course_utils.datasets import load_auto_mpg
from course_utils.inference import Predictor
from deploy.tensorflow_serving.ask import ask_service
from tests.conftest import run_uv
from tests.setup.test_lock import locked
from tests.support import dockerfile, list_files
from tests.support.cars import cars
from tests.support.servers import no_user_switch, unprivileged
from tests.support.serving import MODEL, ROOT, ask_mpg, running
from tools.install import uv_environment

pytestmark = pytest.mark.thorough

BUILD, FINAL = dockerfile.stages(dockerfile.DOCKERFILE.read_text("utf-8"))
HOME = "/opt/course"  # where the image has the environment
ENTRYPOINT, CMD = (json.loads(dockerfile.of(FINAL, name)[0]) for name in ("ENTRYPOINT", "CMD"))
UID = 10001
ABSENT = ["tensorflow", "keras", "pandas", "matplotlib", "sklearn", "coremltools", "ray", "pip"]

posix = pytest.mark.skipif(os.name == "nt", reason="the commands of the Dockerfile are a shell's")


def list_context() -> list[str]:
    """The files that Docker would be sent: those in git or new there, the ignored ones left out."""
    # Unlike in a .gitignore, a pattern is about the root, unless it says otherwise.
    ignored = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    lines = [line for line in ignored if line and not line.startswith("#")]
    rooted = [re.sub(r"^(!?)(?!\*)", r"\1/", line) for line in lines]
    spec = pathspec.PathSpec.from_lines("gitignore", rooted)
    return [name for name in list_files() if not spec.match_file(name)]


FILES = list_context()


def list_copies() -> list[tuple[str, str]]:
    """Each file that COPY takes from the context, and the place where it is put.

    Raises:
        AssertionError: a source is not in the context.
    """
    found = []
    for words in map(str.split, dockerfile.of(BUILD, "COPY")):
        *sources, target = words
        for source in sources:
            taken = [name for name in FILES if name == source or name.startswith(f"{source}/")]
            assert taken, f"COPY {source}: not in the context"
            for name in taken:
                rest = name.removeprefix(source).lstrip("/")
                if target.endswith("/") and not rest:
                    rest = Path(name).name
                found.append((name, f"{target.rstrip('/')}/{rest}" if rest else target))
    return found


def build(folder: Path) -> Path:
    """Copy and run what the first stage does; the environment that comes of it, instead of `HOME`.

    Python and uv are this environment's, and uv keeps what it downloads.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = uv_environment() | dockerfile.variables(BUILD) | {"PATH": path}
    del settings["UV_NO_CACHE"]
    work, environment = folder / "build", folder / "course"
    for name, target in list_copies():
        path = work / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((ROOT / name).read_bytes())
    first, *commands = dockerfile.of(BUILD, "RUN")
    assert first.startswith("pip install --no-cache-dir uv=="), first
    for command in commands:
        run(["sh", "-ec", command.replace(HOME, str(environment))], cwd=work, env=settings)
    return environment


def test_what_is_copied_is_there_and_not_ignored():
    copied = [name for name, _ in list_copies()]
    assert sorted(copied) == sorted(FILES), "what is sent is what is copied"
    assert "data/models/mpg.tflite" in copied
    assert not [name for name in copied if name.startswith(("tests", "benchmarks", "."))]


@pytest.mark.registry
@pytest.mark.parametrize("platform", ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"])
def test_the_images_own_python_has_wheels_of_all(platform):
    """Of the versions in the lock: what the image's Python installs, on both kinds of machine."""
    version = dockerfile.of(BUILD, "FROM")[0].split(":")[1].split("-")[0].rpartition(".")[0]
    where = ["--python-platform", platform, "--python-version", version]
    options = ["--quiet", "--only-binary", ":all:", "--no-header", "--no-annotate"]
    answer = run_uv("pip", "compile", *options, *where, "deploy/requirements.txt")
    assert answer.returncode == 0, answer.stderr
    names = [canonicalize_name(Requirement(line).name) for line in answer.stdout.splitlines()]
    assert "ai-edge-litert" in names
    assert not {*ABSENT} & {*names}


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    """The environment that the image would have."""
    if reason := no_user_switch():
        pytest.skip(reason)
    return build(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def store() -> Iterator[Path]:
    """What the volume is to the image; not in pytest's folder, which nobody else may look into."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def container(image, store, tmp_path_factory):
    """A command in the surroundings that the image gives it: its user, its variables, no others."""
    temporary = tmp_path_factory.mktemp("tmp")
    found = dockerfile.variables(FINAL) | {"COURSE_HOME": str(store)}
    found["PATH"] = found["PATH"].replace(HOME, str(image)).replace("$PATH", os.defpath)
    found |= {"HOME": "/", "TMPDIR": str(temporary)}  # a user without an entry has this home
    settings = [f"{name}={value}" for name, value in found.items()]

    def command(*words: str) -> list[str]:
        return unprivileged(["env", "-i", *settings, *words], UID, store, temporary)

    return command


@pytest.fixture(scope="module")
def served(container):
    """The service, started as the image starts it; what is added for a free port comes last."""
    with running(container(*ENTRYPOINT, *CMD, "--host", "127.0.0.1"), workers=2) as served:
        yield served


def run(command: list[str], **options: Any) -> str:
    """Run it to its end; what it printed.

    Raises:
        AssertionError: it failed.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@posix
@pytest.mark.registry
def test_its_packages_are_few_and_the_locks(image):
    pip = [sys.executable, "-m", "pip", "--python", str(image / "bin" / "python")]
    listing = json.loads(run([*pip, "list", "--format=json"]))
    found = {canonicalize_name(each["name"]): each["version"] for each in listing}
    assert found.pop("networks-at-work")
    for name, version in found.items():
        here = [each for each in locked()[name] if not each.marker or each.marker.evaluate()]
        assert [str(each.specifier) for each in here] == [f"=={version}"], name
    assert not {*ABSENT} & {*found}
    question = f"import importlib.util as u; print([n for n in {ABSENT} if u.find_spec(n)])"
    assert run([str(image / "bin" / "python"), "-c", question]).strip() == "[]"


@posix
@pytest.mark.registry
def test_it_predicts_what_the_network_predicts(served):
    examples = cars(50, seed=4)
    right = Predictor.load(MODEL).predict([[*car.values()] for car in examples])[:, 0]
    assert ask_service(served.url, examples) == pytest.approx(right, rel=1e-5)


@posix
@pytest.mark.registry
def test_it_has_what_is_probed(served):
    text = (ROOT / "deploy" / "kubernetes" / "deployment.yaml").read_text("utf-8")
    pod = yaml.safe_load(text)["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    paths = {probe["httpGet"]["path"] for name, probe in container.items() if "Probe" in name}
    paths.add(pod["metadata"]["annotations"]["prometheus.io/path"])
    assert paths == {"/readyz", "/healthz", "/metrics"}
    for path in paths:
        assert requests.get(f"{served.url}{path}", timeout=60).status_code == 200, path


@posix
@pytest.mark.registry
def test_its_health_check_and_its_end(container):
    (check,) = dockerfile.of(FINAL, "HEALTHCHECK")
    with running(container(*ENTRYPOINT, "--host", "127.0.0.1")) as served:
        asked = check.partition("CMD ")[2].replace(":5000", f":{served.address[1]}")
        assert str(served.address[1]) in asked
        question = container(*json.loads(asked))
        assert subprocess.run(question, check=False).returncode == 0
        served.terminate()
        assert served.process.wait(timeout=60) == 0
        gone = subprocess.run(question, capture_output=True, check=False)
        assert gone.returncode == 1


@posix
@pytest.mark.registry
def test_it_serves_what_is_promoted_in_its_volume(container, store):
    """As the comment in compose.yaml has it; the command `course models` is in the image, too."""
    cars = load_auto_mpg().drop(columns="name").dropna().head(60)
    files = [MODEL, MODEL.with_name("mpg.schema.json")]
    registry.register("mpg", files, training=cars, store=store / "records")
    run(["chmod", "--recursive", "a+rwX", str(store / "records")])
    run(container("course", "models", "promote", "mpg", "1"))
    shown = run(container("course", "models", "card", "mpg"))
    assert "Model card: mpg, version 1" in shown
    options = ["--host", "127.0.0.1", "--store", str(store / "records")]
    with running(container(*ENTRYPOINT, *options)) as served:
        answer = ask_mpg(served.url)
        assert answer.status_code == 200
        assert answer.headers["X-Model-Version"] == "1"


@posix
@pytest.mark.registry
def test_what_it_has_no_packages_for_it_says(container, store):
    (store / "rows.csv").write_text("weight,mpg\n3000,20\n", "utf-8")
    command = container("course", "predict", "mpg", "--input", "rows.csv", "--output", "out.csv")
    done = subprocess.run(command, cwd=store, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"Error: This needs (duckdb|pandas), which is not .*\n", done.stderr)
