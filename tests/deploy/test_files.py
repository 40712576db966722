"""The files of deploy/: what their linters say, and what several of them have to say alike."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from course_utils.serving.production import DRAIN_TIME_S, KILL_TIMEOUT_S, THREADS_PER_WORKER
from tests.support import dockerfile
from tests.support.serving import COURSE, ROOT

DEPLOY = ROOT / "deploy"
MANIFESTS = DEPLOY / "kubernetes"
UNIT = DEPLOY / "systemd" / "networks-at-work.service"
_, FINAL = dockerfile.stages(dockerfile.DOCKERFILE.read_text("utf-8"))
LONGEST_END = DRAIN_TIME_S + KILL_TIMEOUT_S  # seconds from SIGTERM to the end of `course serve`

LINTERS = {
    "Dockerfile": ["hadolint"],
    "compose.yaml": ["check-jsonschema", "--builtin-schema", "vendor.compose-spec"],
    **{
        f"kubernetes/{path.name}": ["kubernetes-validate", "--strict"]
        for path in sorted(MANIFESTS.iterdir())
    },
    "systemd/networks-at-work.service": ["systemd-analyze", "verify", "--man=no"],
}


def copy(name: str, folder: Path) -> Path:
    """A file of deploy/ in ``folder``; a unit's program is one that is here."""
    text = (DEPLOY / name).read_text("utf-8")
    path = folder / Path(name).name
    path.write_text(text.replace("/opt/networks-at-work/bin/course", str(COURSE)), "utf-8")
    return path


@pytest.mark.parametrize("name", LINTERS)
def test_its_linter_is_content(tool, name, tmp_path):
    program, *options = LINTERS[name]
    command = [tool(program), *options, str(copy(name, tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search("(?i)warn|error|unknown|ignoring", done.stdout + done.stderr), done


def test_the_unit_leaves_little_to_attack(tool, tmp_path):
    """By systemd's own measure, from 0 (safe) to 10; `verify` above says nothing about that."""
    command = [tool("systemd-analyze"), "security", "--offline=true", "--threshold=20"]
    unit = copy(f"systemd/{UNIT.name}", tmp_path)
    done = subprocess.run([*command, str(unit)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def manifests():
    files = [yaml.safe_load(path.read_text("utf-8")) for path in sorted(MANIFESTS.iterdir())]
    return {each["kind"]: each for each in files}


@pytest.fixture(scope="module")
def pod(manifests):
    return manifests["Deployment"]["spec"]["template"]["spec"]


def test_image_and_user_are_the_same_everywhere(compose, pod):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    name = f"networks-at-work/mpg:{version}"
    assert compose["services"]["mpg"]["image"] == pod["containers"][0]["image"] == name
    assert f"--tag {name}" in dockerfile.DOCKERFILE.read_text("utf-8")
    rights = pod["securityContext"]
    assert dockerfile.of(FINAL, "USER") == [f"{rights['runAsUser']}:{rights['runAsGroup']}"]


def test_the_port_is_the_same_everywhere(compose, manifests, pod):
    (port,) = dockerfile.of(FINAL, "EXPOSE")
    command = json.loads(dockerfile.of(FINAL, "ENTRYPOINT")[0])
    assert command[-4:] == ["--host", "0.0.0.0", "--port", port]  # else nobody outside reaches it
    assert compose["services"]["mpg"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    (container,) = pod["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": int(port)}]
    assert manifests["Service"]["spec"]["ports"][0]["targetPort"] == "http"
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[name]["httpGet"]["port"] == "http"


def test_what_selects_the_pods_finds_them(manifests):
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    wanted = [
        manifests["Deployment"]["spec"]["selector"]["matchLabels"],
        manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        manifests["Service"]["spec"]["selector"],
    ]
    for selector in wanted:
        assert selector
        assert selector.items() <= labels
    target = manifests["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", "mpg")
    assert "replicas" not in manifests["Deployment"]["spec"], "the autoscaler says how many"


def test_all_wait_longer_than_the_service_takes_to_end(compose, pod):
    patience = compose["services"]["mpg"]["stop_grace_period"]
    assert float(patience.removesuffix("s")) > LONGEST_END + 1
    before = float(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > before + LONGEST_END + 1
    unit = UNIT.read_text("utf-8")
    assert float(re.search(r"TimeoutStopSec=(\d+)", unit)[1]) > LONGEST_END + 1
    assert "KillMode=mixed" in unit, "else the workers are told to stop with requests waiting"


def test_nothing_more_is_allowed_than_is_used(compose, pod):
    """A linter looks at the form of these files; what they forbid is asked here."""
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
    assert compose["services"]["mpg"]["read_only"] is True
    rights = pod["containers"][0]["securityContext"]
    assert rights["readOnlyRootFilesystem"] is True
    assert rights["allowPrivilegeEscalation"] is False
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False


def test_a_new_one_is_ready_before_an_old_one_goes(manifests):
    rolling = manifests["Deployment"]["spec"]["strategy"]["rollingUpdate"]
    assert rolling["maxUnavailable"] == 0
    assert manifests["HorizontalPodAutoscaler"]["spec"]["minReplicas"] >= 2


def test_models_are_read_where_the_volume_is(compose):
    store = dockerfile.variables(FINAL)["COURSE_HOME"]
    assert compose["services"]["mpg"]["volumes"] == [f"store:{store}"]
    assert f"COURSE_HOME={store}" in UNIT.read_text("utf-8")


def test_the_limits_leave_room_for_the_workers_threads(compose):
    workers = int(json.loads(dockerfile.of(FINAL, "CMD")[0])[1])
    limits = compose["services"]["mpg"]["deploy"]["resources"]["limits"]
    assert limits["pids"] > workers * THREADS_PER_WORKER * 1.5
    tasks = re.search(r"TasksMax=(\d+)", UNIT.read_text("utf-8"))
    assert int(tasks[1]) > workers * THREADS_PER_WORKER * 1.5


def test_tensorflow_serving_is_there_when_asked_for(compose):
    """And is shown the folder that export.py writes, under the name that ask.py asks for."""
    from deploy.tensorflow_serving.export import FOLDER, NAME

    service = compose["services"]["tensorflow-serving"]
    assert service["profiles"] == ["tensorflow-serving"]
    assert service["environment"] == {"MODEL_NAME": NAME}
    source, target, mode = service["volumes"][0].split(":")
    assert (DEPLOY / source).resolve() == (FOLDER / NAME).resolve()
    assert (target, mode) == (f"/models/{NAME}", "ro")
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", service["image"])


def test_the_readme_names_each_file_and_leads_nowhere_else():
    text = (DEPLOY / "README.md").read_text("utf-8")
    for name in (*LINTERS, "wsgi.py", "gunicorn.conf.py", "apache/networks-at-work.conf"):
        assert (DEPLOY / name).is_file()
        assert name in text or f"{Path(name).parts[0]}/" in text, name
    for readme in DEPLOY.rglob("README.md"):
        words = re.findall(r"[\w./-]*deploy/[\w./-]*\w", readme.read_text("utf-8"))
        modules = re.findall(r"-m (deploy[\w.]+)", readme.read_text("utf-8"))
        paths = [ROOT / word.lstrip("/") for word in words if "/models" not in word]
        paths += [ROOT / f"{module.replace('.', '/')}.py" for module in modules]
        assert len(paths) >= 3
        assert not [path for path in paths if not path.exists()]
