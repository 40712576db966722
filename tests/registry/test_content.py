"""A record fills itself, and what it says is true."""

import getpass
import hashlib
import os
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from ai_edge_litert.interpreter import Interpreter
from jsonschema import Draft202012Validator
from PIL import Image
from sklearn import metrics

from course_utils import registry
from course_utils.inference import FeatureSchema
from course_utils.registry import origin
from tests.support.record_checks import SCHEMA, predicted, valid
from tests.support.records import CARS, ENDED, FEATURES, FILES, STARTED, TESTING, TRAINING, register
from tests.support.serving import MODEL, ROOT


def test_a_record_is_as_its_schema_says(kept: Path):
    Draft202012Validator.check_schema(SCHEMA)
    for version in (1, 2):
        assert valid(registry.load("mpg", version, store=kept).document) == []


@pytest.mark.parametrize("absent", sorted(SCHEMA["properties"]))
def test_the_schema_asks_for_everything(record: registry.Record, absent: str):
    rest = {key: value for key, value in record.document.items() if key != absent}
    assert valid(rest) == [f"'{absent}' is a required property"]


def test_who_and_when(record: registry.Record, kept: Path):
    assert record.document["trained"] == {
        "by": getpass.getuser().split("@")[0],
        "started": "2026-01-31T12:00:00.000+00:00",
        "ended": "2026-01-31T12:05:00.000+00:00",
    }
    registered = datetime.fromisoformat(record.document["registered"])
    assert timedelta() <= datetime.now(UTC) - registered < timedelta(hours=1)
    untold = registry.load("mpg", 2, store=kept).document["trained"]
    assert untold["started"] is None
    ended = datetime.fromisoformat(untold["ended"]).timestamp()
    assert ended == pytest.approx(MODEL.stat().st_mtime, abs=0.001)  # when it was saved


def test_no_address_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(getpass, "getuser", lambda: "ada@example.org")
    assert register(tmp_path).document["trained"]["by"] == "ada"

    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert register(tmp_path).document["trained"]["by"] == "unknown"


def test_times_without_a_zone_are_this_machines_and_have_an_order(tmp_path: Path):
    local = STARTED.astimezone().replace(tzinfo=None)
    kept = register(tmp_path, started=local, ended=ENDED)
    assert kept.document["trained"]["started"] == "2026-01-31T12:00:00.000+00:00"
    with pytest.raises(ValueError, match=r"ended .* before it started"):
        register(tmp_path, started=ENDED, ended=STARTED)


def test_metrics_are_those_of_the_testing_rows(record: registry.Record, kept: Path):
    for document, rows, role in (
        (record.document, TESTING, "testing"),
        (registry.load("mpg", 2, store=kept).document, CARS, "training"),
    ):
        found = document["metrics"]
        assert (found["rows"], found["count"]) == (role, len(rows))
        truth, answers = rows["mpg"], predicted(rows)
        rmse = metrics.root_mean_squared_error(truth, answers)
        assert found["computed"]["rmse"] == pytest.approx(rmse)
        assert found["computed"]["mae"] == pytest.approx(
            metrics.mean_absolute_error(truth, answers)
        )
        assert found["computed"]["r2"] == pytest.approx(metrics.r2_score(truth, answers))
    assert record.document["metrics"]["given"] == {"epochs_run": 42}


def test_importance_is_what_shuffling_costs(record: registry.Record, kept: Path):
    found = record.document["importance"]["features"]
    assert {entry["name"] for entry in found} == set(FEATURES)
    assert [entry["mean"] for entry in found] == sorted(
        (entry["mean"] for entry in found), reverse=True
    )
    before = record.document["metrics"]["computed"]["rmse"]
    random = np.random.default_rng(1)
    for entry in found:  # another shuffling: the same within what shuffling varies by
        rises = []
        for _ in range(50):
            shuffled = TESTING.assign(**{entry["name"]: random.permutation(TESTING[entry["name"]])})
            answers = predicted(shuffled)
            rises.append(metrics.root_mean_squared_error(TESTING["mpg"], answers) - before)
        assert abs(entry["mean"] - np.mean(rises)) < 5 * np.std(rises) / np.sqrt(5)
    again = register(kept.parent / "again", files=FILES).document["importance"]
    assert again["features"] == found


def test_golden_rows_hold_the_extremes_and_what_the_model_said(record: registry.Record):
    rows = record.document["golden"]["rows"]
    assert len(rows) == 20
    asked = pd.DataFrame([row["features"] for row in rows], columns=FEATURES)
    said = np.array([row["prediction"] for row in rows])
    assert said == pytest.approx(predicted(asked), rel=1e-6)
    answers = predicted(TESTING)
    assert said.min() == pytest.approx(answers.min())
    assert said.max() == pytest.approx(answers.max())
    for entry in record.document["importance"]["features"][:6]:
        column = TESTING[entry["name"]].astype("float32")
        assert asked[entry["name"]].min() == column.min()
        assert asked[entry["name"]].max() == column.max()
    known = set(TESTING[FEATURES].astype("float32").itertuples(index=False, name=None))
    assert set(asked.astype("float32").itertuples(index=False, name=None)) <= known


def test_parameters_are_those_of_the_weights_file(record: registry.Record):
    found = record.document["parameters"]
    assert found["source"] == "mpg.weights.h5"
    named = {tensor["name"]: tensor for tensor in found["tensors"]}
    assert not [name for name in named if "optimizer" in name]
    with h5py.File(FILES[2]) as file:
        kernel = file["layers/dense_1/vars/0"][()]
        total = sum(
            file[f"layers/{layer}/vars"][place].size
            for layer in ("dense", "dense_1", "dense_2", "normalization")
            for place in file[f"layers/{layer}/vars"]
        )
    tensor = named["dense_1/0"]
    assert (tensor["shape"], tensor["dtype"], tensor["count"]) == ([64, 64], "float32", 4096)
    assert tensor["mean"] == pytest.approx(kernel.astype(float).mean())
    assert tensor["std"] == pytest.approx(kernel.astype(float).std())
    assert (tensor["minimum"], tensor["maximum"]) == (kernel.min(), kernel.max())
    assert tensor["sha256"] == hashlib.sha256(kernel.tobytes()).hexdigest()
    assert found["count"] == total


def test_without_weights_the_parameters_are_the_tflite_files(kept: Path):
    found = registry.load("mpg", 2, store=kept).document["parameters"]
    assert found["source"] == "mpg.tflite"
    with h5py.File(FILES[2]) as file:
        kernel = np.ascontiguousarray(file["layers/dense_1/vars/0"][()].T)
    digests = {tensor["sha256"] for tensor in found["tensors"]}
    assert hashlib.sha256(kernel.tobytes()).hexdigest() in digests
    everything = Interpreter(str(MODEL)).get_tensor_details()
    assert {tensor["name"] for tensor in found["tensors"]} < {d["name"] for d in everything}


def git(*arguments: str) -> int:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, check=False
    ).returncode


def test_code_and_packages_are_named(record: registry.Record):
    code, around = record.document["code"], record.document["environment"]
    # Of an unpacked archive, or where git refuses, there is no commit to be had.
    known = git("rev-parse", "HEAD") == 0 if (ROOT / ".git").exists() else False
    assert (code["commit"] is not None) == known
    if known:  # somebody may have committed since it was read
        assert git("merge-base", "--is-ancestor", code["commit"], "HEAD") == 0
    assert around["python"] == sys.version.split()[0]
    assert around["packages"]["numpy"] == np.__version__
    lines = "".join(f"{name}=={version}\n" for name, version in around["packages"].items())
    assert around["sha256"] == hashlib.sha256(lines.encode()).hexdigest()


def test_a_package_half_removed_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "gone-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    found = origin.environment.__wrapped__()
    assert found["packages"]["numpy"] == np.__version__
    assert None not in found["packages"]


def test_a_model_that_may_only_be_read_is_kept(tmp_path: Path):
    for path in FILES[:2]:
        copy = Path(shutil.copy(path, tmp_path))
        copy.chmod(0o444)
    record = register(tmp_path / "store", files=[tmp_path / path.name for path in FILES[:2]])
    assert record.model.read_bytes() == MODEL.read_bytes()
    assert record.model.stat().st_mode & stat.S_IWUSR  # it was opened once more, to be synced


def test_the_configuration_is_kept_as_json_can(tmp_path: Path):
    told = {"rate": np.float32(0.5), "path": Path("a"), 3: {1}, "nan": float("nan"), "none": None}
    document = register(tmp_path, configuration=told, metrics={"auc": np.nan}).document
    assert document["configuration"] == {
        "given": {"rate": 0.5, "path": "a", "3": [1], "nan": None, "none": None},
        "keras": None,
    }
    assert document["metrics"]["given"] == {"auc": None}
    assert valid(document) == []


def test_charts_are_pictures_with_a_description(record: registry.Record):
    charts = record.document["charts"]
    assert [chart["file"] for chart in charts] == [
        *("predicted.png", "residuals.png", "ranking.png", "distributions.png", "loss.svg")
    ]
    for chart in charts[:-1]:
        path = record.folder / "charts" / chart["file"]
        with Image.open(path) as image:
            image.load()
            darkest, lightest = image.convert("L").getextrema()
        assert darkest < 100 < lightest
        assert path.stat().st_size < 60_000
    rmse = record.document["metrics"]["computed"]["rmse"]
    assert f"root mean squared error {rmse:.3g}" in charts[0]["alt"]
    assert "weight" in charts[2]["alt"]


def test_a_chart_of_ones_own_has_its_own_name(tmp_path: Path):
    (chart := tmp_path / "predicted.png").write_bytes(b"\x89PNG")
    with pytest.raises(ValueError, match=r"There is a chart predicted\.png already: rename yours"):
        register(tmp_path / "store", charts=[chart])
    with pytest.raises(FileNotFoundError):
        register(tmp_path / "store", charts=[tmp_path / "gone.png"])


def test_the_schema_beside_the_model_says_the_order(tmp_path: Path):
    turned = TRAINING[["mpg", *reversed(FEATURES)]]
    with_schema = register(tmp_path, training=turned, testing=None).document
    assert with_schema["model"]["features"] == FEATURES
    without = register(tmp_path, files=FILES[:1], training=turned, testing=None).document
    assert without["model"]["features"] == FEATURES[::-1]
    ours, theirs = (d["metrics"]["computed"]["rmse"] for d in (with_schema, without))
    assert ours < 3 < theirs  # the network takes columns by their place


def test_the_code_digest_is_the_same_with_the_line_ends_of_windows(tmp_path: Path):
    """Of a copy of the package, with and without."""
    digests = []
    for ends in (b"\n", b"\r\n"):
        folder = tmp_path / f"{len(ends)}" / "course_utils"
        (folder / "registry").mkdir(parents=True)
        for name in ("__init__.py", "environment.py", "registry/origin.py"):
            text = (ROOT / "course_utils" / name).read_bytes().replace(b"\n", ends)
            (folder / name).write_bytes(text)
        (folder / "registry" / "__init__.py").touch()
        ask = "from course_utils.registry.origin import code; print(code())"
        done = subprocess.run(
            [sys.executable, "-c", ask],
            cwd=folder.parent,
            env=os.environ | {"PYTHONPATH": str(folder.parent)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "'commit': None" in done.stdout
        digests.append(done.stdout)
    assert digests[0] == digests[1]


def test_a_schema_that_is_none_is_refused(tmp_path: Path):
    (bad := tmp_path / "mpg.schema.json").write_text("{}", "utf-8")
    with pytest.raises(ValueError, match="is not a saved FeatureSchema"):
        register(tmp_path / "store", files=[MODEL, bad])
    other = tmp_path / "other.schema.json"  # not the model's: kept, not read
    FeatureSchema.load(FILES[1]).save(other)
    document = register(
        tmp_path / "store", files=[MODEL, other], training=CARS[["mpg", *FEATURES]], testing=None
    ).document
    assert [entry["path"] for entry in document["files"] if entry["path"].startswith("files/")] == [
        "files/mpg.tflite",
        "files/other.schema.json",
    ]
