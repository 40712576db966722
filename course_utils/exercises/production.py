"""Exercises of notebook 14."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from course_utils.exercises import Exercise


def follow(pointer: Any, load: Any) -> Any:
    """Return a WSGI callable that answers with the version that a file names."""
    current: list[Any] = [None, None]  # number and app of the version that answers

    def app(environ: Any, start_response: Any) -> Any:
        try:
            number = int(pointer.read_text())
            if number != current[0]:
                current[:] = number, load(number)
        except Exception:
            pass  # the version before goes on

        def start(status: Any, headers: Any) -> Any:
            return start_response(status, [*headers, ("X-Model-Version", str(current[0]))])

        return current[1](environ, start)

    return app


def _test_follower(answer: Callable[..., Any]) -> None:
    loaded = []

    def load(number: int) -> Any:
        loaded.append(number)
        assert number != 3, "version 3 cannot be loaded"

        def version(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [])
            return [str(number).encode()]

        return version

    with tempfile.TemporaryDirectory() as folder:
        pointer = Path(folder, "current")
        pointer.write_text("1")
        app = answer(pointer, load)
        assert callable(app), "your function should return a WSGI callable, such as a function."
        for content, wanted in (("1", "1"), ("1", "1"), ("2", "2"), ("", "2"), ("3", "2")):
            pointer.write_text(content)
            got: dict[str, str] = {}
            body = b"".join(app({"PATH_INFO": "/"}, lambda _, found, got=got: got.update(found)))
            assert (body.decode(), got.get("X-Model-Version")) == (wanted, wanted), (
                f"with the pointer {content!r} version {wanted} should answer, and the header "
                f"X-Model-Version should say so; version {body.decode()} did, with {got}."
            )
    assert loaded == [1, 2, 3], f"load a version only when the number changes, not {loaded}."


follower = Exercise(
    test=_test_follower,
    solve=follow,
    hints=(
        "Define the WSGI callable inside your function. Keep number and app of the version that "
        "answers in a list, which it can change.",
        "Read and load in one try block, and change the list only after load has returned.",
        "Pass on a start_response of your own, which adds the header and calls the original.",
    ),
)


def compare_classes(truth: Any, served: Any, candidate: Any) -> tuple[float, float, float]:
    """Return the difference of two error rates and its 95 % interval."""
    from scipy.stats import bootstrap

    def difference(served: Any, candidate: Any, axis: int = -1) -> Any:
        return candidate.mean(axis=axis) - served.mean(axis=axis)

    wrong = (served != truth).astype(float), (candidate != truth).astype(float)
    low, high = bootstrap(wrong, difference, paired=True).confidence_interval
    return float(difference(*wrong)), float(low), float(high)


def _test_paired(answer: Callable[..., Any]) -> None:
    import numpy as np

    truth = np.array(["cat", "dog"] * 100)
    served, candidate = truth.copy(), truth.copy()
    served[:60], candidate[:40] = "bird", "bird"  # every error of the candidate is shared
    value, low, high = answer(truth, served, candidate)
    assert np.isclose(value, -0.1), f"60 and 40 of 200 are wrong, so -0.1 is right, not {value}."
    assert np.allclose([low, high], [-0.145, -0.06], atol=0.02), (
        f"the interval should be about -0.145 to -0.06, not {low:.3f} to {high:.3f}: draw the same "
        "rows for both."
    )


paired = Exercise(
    test=_test_paired,
    solve=compare_classes,
    hints=(
        "(served != truth).astype(float) is 1 where the served one is wrong; its mean is the error "
        "rate.",
        "scipy.stats.bootstrap((wrong_served, wrong_candidate), difference, paired=True), where "
        "difference takes the two samples and axis.",
    ),
)


def release_wine(old: Any, new: Any, store: str) -> Any:
    """Register a model of wines, train it again, and make version 2 a canary."""
    import runpy
    import tempfile
    from pathlib import Path

    from course_utils import registry

    code = """
import json

import keras
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from course_utils.inference import FeatureSchema, to_litert


def train(rows, folder):
    features = rows.drop(columns="cultivar")
    scale = StandardScaler().fit(features)
    model = LogisticRegression().fit(scale.transform(features), rows["cultivar"])
    softmax = keras.layers.Dense(len(model.classes_), activation="softmax")
    scaling = keras.layers.Normalization(mean=scale.mean_, variance=scale.var_)
    network = keras.Sequential([keras.Input((features.shape[1],)), scaling, softmax])
    softmax.set_weights([model.coef_.T, model.intercept_])
    (folder / "wine.tflite").write_bytes(to_litert(network))
    (folder / "wine.labels.json").write_text(json.dumps(model.classes_.tolist()))
    FeatureSchema.from_frame(rows, target="cultivar").save(folder / "wine.schema.json")
    return folder / "wine.tflite"
"""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "train_wine.py").write_text(code)
        runpy.run_path(str(folder / "train_wine.py"))["train"](old, folder)
        old.to_csv(folder / "training.csv", index=False)
        others = sorted({*folder.iterdir()} - {folder / "wine.tflite"})
        files = [folder / "wine.tflite", *others]
        registry.register("wine", files, training=old, store=store)
    registry.promote("wine", 1, store=store)
    registry.retrain("wine", new, store=store, force=True)
    registry.promote("wine", 1, store=store)
    return registry.try_canary("wine", 2, 0.1, store=store)


def _test_release(answer: Callable[..., Any]) -> None:
    from sklearn.datasets import load_wine

    from course_utils import registry

    data = load_wine(as_frame=True)
    wines = data.data.assign(cultivar=[f"cultivar {number}" for number in data.target])
    wines = wines.sample(frac=1, random_state=14)
    with tempfile.TemporaryDirectory() as store:
        got = answer(wines[:90], wines[90:], store)
        versions = registry.list_versions("wine", store=store)
        assert versions == [1, 2], f"wine should have the versions 1 and 2, not {versions}."
        for number in versions:
            registry.verify(registry.load("wine", number, store=store))
        errors = registry.compare("wine", wines[90:], store=store).errors
        worst = max(errors.scores["error rate"])
        assert worst < 0.2, f"a wrong class for {worst:.0%} of the new wines is too many."
        found = registry.read_serving("wine", store=store)
        said = found.version, found.canary, found.share
        assert said == (1, 2, 0.1), f"served, canary and share should be (1, 2, 0.1), not {said}."
        assert got == found, "return what try_canary returns."


release = Exercise(
    test=_test_release,
    solve=release_wine,
    hints=(
        "The training file defines train(rows, folder): it saves wine.tflite, wine.schema.json and "
        "wine.labels.json, and returns the path of the first. Write it with %%writefile.",
        "FeatureSchema.from_frame(rows, target='cultivar').save(...) writes the schema. The labels "
        "are a list in JSON, in the order of the network's outputs.",
        "Register the three files, training.csv (the rows) and your training file. After retrain, "
        "promote version 1 and try_canary version 2.",
    ),
)
