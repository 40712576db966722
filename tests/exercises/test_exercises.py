"""Each exercise: the stub in the notebook fails its check kindly, the shown solution passes."""

import ast
import hashlib
import importlib
import itertools
import json
import pickletools
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests
from flask import Flask, request
from scipy import stats

from course_utils.exercises import Exercise, start_here, transfer_cats_dogs
from course_utils.inference import Predictor, to_litert
from tests.support.notebooks import NOTEBOOKS, code_cells, each_notebook, read, tags

# Of Keras' own, when it saves a model under NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def exercise_cells(path):
    cells = code_cells(read(path))
    return [c.source for c in cells if any(tag.startswith("exercise-") for tag in tags(c))]


def in_module(path):
    module = importlib.import_module(f"course_utils.exercises.{path.stem[3:]}")
    return {name: value for name, value in vars(module).items() if isinstance(value, Exercise)}


ALL = [(path.stem, name) for path in NOTEBOOKS for name in in_module(path)]


def the(stem, name):
    return in_module(Path(f"{stem}.ipynb"))[name]


@each_notebook
def test_notebook_and_module_have_the_same_exercises(path):
    cells = exercise_cells(path)
    assert 2 <= len(cells) <= 3
    assert len(cells) == len(in_module(path))


@pytest.mark.parametrize(("stem", "name"), ALL)
def test_solution_passes(stem, name):
    exercise = the(stem, name)
    assert exercise.problem(exercise.solve) == ""


@each_notebook
def test_stubs_fail_kindly_until_the_solution_is_written(path, capsys):
    """Run each cell as it stands, then with what `solution` shows in place of the dots."""
    space: dict = {}
    for source in exercise_cells(path):
        exec(source, space)
        assert capsys.readouterr().out == (
            "Not yet: the three dots are still there; put your code in their place.\n"
        )
        function = re.search(r"^def (\w+)", source, re.MULTILINE)[1]
        exercise = eval(re.search(r"^(\w+)\.check\(", source, re.MULTILINE)[1], space)
        exercise.solution()
        shown = capsys.readouterr().out
        assert f"def {function}(" in shown, "the solution solves the function of the cell"
        exec(_solved(source, shown), space)
        assert capsys.readouterr().out == "Right! That is what was asked for.\n"


@each_notebook
def test_a_stub_names_the_kinds_of_its_arguments_and_of_its_result(path):
    for source in exercise_cells(path):
        (function,) = (n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef))
        text = ast.get_docstring(function) or ""
        for argument in function.args.args:
            assert re.search(rf"^    {argument.arg} \(.+\): \w", text, re.M), source
        assert re.search(r"^Returns:\n    \w.*: ", text, re.M), source


@each_notebook
def test_a_notebook_says_once_how_to_get_a_hint_and_a_solution(path):
    prose = "\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")
    first = re.search(r"^(\w+)\.check\(", exercise_cells(path)[0], re.M)[1]
    assert prose.count(f"`{first}.hint()`") == prose.count(f"`{first}.solution()`") == 1


def _solved(cell, shown):
    """The cell with its stub replaced by the text that `solution` prints."""
    return re.sub(r"^def .*?# your code here\n", lambda _: shown, cell, flags=re.M | re.S)


def without_waiting(labels, delay, predict, learn):
    """Learns from each label at once, however late it comes."""
    errors = []
    for row, label in enumerate(labels):
        errors.append(predict(row) - label)
        learn(row)
    return errors


def without_a_draft(rows, folder, predict, size):
    """Right as long as no file is left half written."""
    files = []
    for first in range(0, len(rows), size):
        files.append(folder / f"{first}.csv")
        if not files[-1].exists():
            chunk = rows.iloc[first : first + size]
            chunk.assign(prediction=predict(chunk)).to_csv(files[-1], index=False)
    return pd.concat(map(pd.read_csv, files), ignore_index=True)


def with_the_first_label(log, labels):
    """Joins by id, but keeps a label that was corrected later."""
    requests = [json.loads(line) for line in log.read_text().splitlines()]
    features = pd.DataFrame([{"id": each["id"]} | each["features"] for each in requests])
    return features.merge(labels.drop_duplicates("id"), on="id").drop(columns="id")


def without_compression(folder, megabits):
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return size, 8 * size / (megabits * 1e6)


def without_escaping(fields):
    """Right for names that are no HTML."""
    html = ""
    for field in fields:
        name, low, high = field["name"], field["minimum"], field["maximum"]
        numbers = f'min="{low}" max="{high}" value="{(low + high) / 2}"'
        html += f'<label>{name} <input type="range" id="{name}" {numbers}></label>'
    return html


def with_an_open_batch_axis(model, rows):
    """Computes what Keras computes, but LiteRT.js refuses the file."""
    content = to_litert(model)
    return content, np.abs(Predictor(content).predict(rows) - np.asarray(model(rows))).max()


def all_pairs_of_texts(content):
    """Finds what is fetched, and much that is not: it does not look at the instruction."""
    texts = [text for _, text, _ in pickletools.genops(content) if isinstance(text, str)]
    return {*texts, *map(" ".join, itertools.pairwise(texts))}


def of_the_top_level(folder):
    """Leaves out what lies in subfolders, as the files of a SavedModel do."""
    files = [path for path in folder.iterdir() if path.is_file()]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def of_two_known_parts(parts):
    """Right as long as there is a proxy and a network, and nothing else."""
    proxies, networks = parts["proxy"], parts["network"]
    most = {"proxy": proxies[0] / proxies[1], "network": networks[0] / networks[1]}
    return min(most.items(), key=lambda part: part[1])


def to_the_first(addresses):
    """Right, but that all requests go to one address."""
    app = Flask("one")

    @app.post("/api/mpg")
    def forward():
        for address in addresses:
            try:
                reply = requests.post(f"{address}/api/mpg", json=request.json, timeout=5)
                return reply.json(), reply.status_code
            except requests.ConnectionError:
                pass
        return {}, 503

    return app


def without_errors(ask, clients, number):
    """Counts bad statuses, and ends at the first error."""
    failed = sum(ask() >= 400 for _ in range(number))
    return {"per_second": 1.0, "failed": failed}


def adding_without_nan():
    """Right, but for the texts that Python reads as no number at all."""
    app = Flask("adding")

    @app.get("/add")
    def add():
        try:
            return {"sum": float(request.args["a"]) + float(request.args["b"])}
        except (KeyError, ValueError):
            return {}, 400

    return app


def trusting_service():
    """Converts whatever it gets, and crashes on text."""
    app = Flask("litres")

    @app.post("/api/litres")
    def convert():
        return {"litres": round(235.215 / request.get_json()["mpg"], 1)}

    return app


def forgetful(folder):
    """Right in one process: its memory is an attribute."""
    import keras

    class Forgetful(keras.callbacks.Callback):
        best = float("inf")

        def on_epoch_end(self, epoch, logs=None):
            if logs["val_loss"] < self.best:
                self.best = logs["val_loss"]
                self.model.save(folder / "best.keras")

    return Forgetful()


def log_everything(predict, log):
    """Logs also what it refuses."""
    app = Flask("logging")

    @app.post("/predict")
    def answer():
        row = request.get_json(silent=True)
        with log.open("a") as file:
            file.write(json.dumps(row) + "\n")
        return ({"prediction": predict(row)}, 200) if isinstance(row, dict) else ({}, 400)

    return app


def allow_everybody(app, origins):
    """Right for the listed origins, and open to all others."""

    @app.after_request
    def add_headers(response):
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    return app


def without_adjustment(old, new):
    """Takes each p-value for itself."""
    tests = {name: stats.ks_2samp(old[name], new[name]) for name in old.select_dtypes("number")}
    return {name: t.statistic for name, t in tests.items() if t.pvalue < 0.05 and t.statistic > 0.1}


def without_size(old, new):
    """Calls everything significant a change."""
    tests = {name: stats.ks_2samp(old[name], new[name]) for name in old.select_dtypes("number")}
    return {name: t.statistic for name, t in tests.items() if t.pvalue * len(tests) < 0.05}


def with_a_base_that_is_trained(base, classes):
    """Right, but that nothing is frozen."""
    network = transfer_cats_dogs.build_network(base, classes)
    base.trainable = True
    network.compile("adam", "sparse_categorical_crossentropy")
    return network


def unfreezing_normalization(network, name):
    """Takes the name into account, and not the kind of a layer."""
    names = [layer.name for layer in network.layers]
    for layer in network.layers:
        layer.trainable = names.index(layer.name) >= names.index(name)
    return sum(weight.numpy().size for weight in network.trainable_weights)


def without_catching(url, bodies):
    """Right as long as there is a service."""
    counts = Counter()
    for body in bodies:
        counts[requests.post(url, json=body, timeout=60).status_code] += 1
    return counts


def in_one_step(weights, bits):
    """Rounds with one step for the whole layer, so that small columns become 0."""
    step = np.abs(weights).max() / (2 ** (bits - 1) - 1)
    return np.round(weights / step).astype(int), np.full(weights.shape[1], step)


def two_kinds_in_one(html):
    """Takes a full address for one that a path prefix breaks, as the notebook once did."""
    links = re.findall(r'src="([^"]*)"', html)
    return [link for link in links if link.startswith(("/", "http"))], []


def crashing_app(page, classify):
    """Right, but for errors: Flask answers them in HTML."""
    app = Flask("crashing")
    app.add_url_rule("/", view_func=lambda: page)

    @app.post("/name")
    def name():
        return {"name": classify(request.files["photo"].read())}

    return app


def by_rows(table, share):
    """Right but for the groups, which are in both tables."""
    count = round(share * len(table))
    return table.iloc[count:], table.iloc[:count]


def of_the_likeliest(truth, probabilities, k):
    """Right for k = 1 only."""
    found = probabilities.argmax(axis=1) == truth
    return {int(c): float(found[truth == c].mean()) for c in set(truth.tolist())}


def loading_each_time(pointer, load):
    """Right, but it loads the version again for each request."""

    def app(environ, start_response):
        number = int(pointer.read_text() or 2)
        version = ("X-Model-Version", str(number))
        return load(number)(environ, lambda code, found: start_response(code, [*found, version]))

    return app


def unpaired(truth, served, candidate):
    """Draws the rows of each classifier by themselves."""
    wrong = (served != truth).astype(float), (candidate != truth).astype(float)
    found = stats.bootstrap(wrong, lambda a, b, axis=-1: b.mean(axis=axis) - a.mean(axis=axis))
    return wrong[1].mean() - wrong[0].mean(), *found.confidence_interval


WRONG = [
    ("00_start_here", "best", lambda url, cars: cars[0]),
    ("00_start_here", "best", lambda url, cars: min(cars, key=lambda car: car["weight"])),
    ("00_start_here", "best", lambda url, cars: 39.7),
    ("00_start_here", "ready", lambda url: True),
    ("00_start_here", "own_car", lambda: {"weight": "heavy"}),
    ("00_start_here", "own_car", lambda: start_here.CARS[1]),
    ("00_start_here", "own_car", lambda: 21.0),
    ("01_flask_hello_world", "greeting", lambda: "Hello"),
    ("01_flask_hello_world", "adding", adding_without_nan),
    ("01_flask_hello_world", "lookup", lambda rows: Flask("empty")),
    ("02_mpg_service", "fill", lambda cars: cars.fillna({"horsepower": 93.5})),
    ("02_mpg_service", "fill", lambda cars: cars.dropna()),
    ("02_mpg_service", "litre_service", trusting_service),
    ("02_mpg_service", "own_ranges", lambda table: {"people": (0, 12)}),
    ("02_mpg_service", "own_ranges", lambda table: dict.fromkeys(table, (0, 12))),
    ("03_mpg_client", "predict", lambda url, cars: [20.0 for _ in cars]),
    ("03_mpg_client", "predict", lambda url, cars: [None for _ in cars]),
    ("03_mpg_client", "explained", lambda response: str(response.status_code)),
    ("03_mpg_client", "explained", lambda response: response.json()["mpg"]),
    ("03_mpg_client", "counted", lambda url, bodies: {200: len(bodies)}),
    ("03_mpg_client", "counted", without_catching),
    ("04_image_api", "build", lambda classify: None),
    ("04_image_api", "letterbox", lambda photo, size: photo.resize((size, size))),
    ("04_image_api", "folder", lambda url, folder: {}),
    ("05_checkpoint_resume", "keeper", lambda folder: None),
    ("05_checkpoint_resume", "keeper", forgetful),
    ("05_checkpoint_resume", "newest", lambda folder: (max(folder.glob("*.keras")), 9)),
    ("05_checkpoint_resume", "newest", lambda folder: (folder / "epoch-10-loss-0.3.keras", "10")),
    ("05_checkpoint_resume", "lost", lambda model, path: []),
    ("05_checkpoint_resume", "lost", lambda model, path: list(range(len(model.variables)))),
    ("06_web_app", "links", lambda html: ([], [])),
    ("06_web_app", "links", two_kinds_in_one),
    ("06_web_app", "build", lambda page, classify: None),
    ("06_web_app", "build", crashing_app),
    ("06_web_app", "own_page", lambda url: {"a.png": 200}),
    ("07_drift", "request_log", lambda predict, log: None),
    ("07_drift", "request_log", log_everything),
    ("07_drift", "filling", lambda train, new: (train.fillna(0), new.fillna(0))),
    ("07_drift", "filling", lambda train, new: (train.fillna(2), new.fillna(new.median()))),
    ("07_drift", "own_tables", without_adjustment),
    ("07_drift", "own_tables", without_size),
    ("08_coreml", "pixels", lambda low, high: (1 / 127.5, -1)),
    ("08_coreml", "quantize", in_one_step),
    ("08_coreml", "own", lambda model, rows: (b"", 0.0)),
    ("09_digit_service", "cors_by_hand", lambda app, origins: app),
    ("09_digit_service", "cors_by_hand", allow_everybody),
    ("09_digit_service", "even_light", lambda grey: grey < 0.5),
    ("09_digit_service", "own_photos", lambda url, folder: {"right": 5}),
    ("10_transfer_cats_dogs", "build", lambda base, classes: None),
    ("10_transfer_cats_dogs", "build", with_a_base_that_is_trained),
    ("10_transfer_cats_dogs", "unfreeze", lambda network, name: len(network.layers)),
    ("10_transfer_cats_dogs", "unfreeze", unfreezing_normalization),
    ("10_transfer_cats_dogs", "threshold", lambda url, folder: 0.64),
    ("11_transfer_many_classes", "split", by_rows),
    ("11_transfer_many_classes", "split", lambda table, share: (table, table)),
    ("11_transfer_many_classes", "recalls", lambda truth, probabilities, k: 0.5),
    ("11_transfer_many_classes", "recalls", of_the_likeliest),
    ("11_transfer_many_classes", "service", lambda url, folder: {"red": 0.75, "blue": 0.5}),
    ("12_in_the_browser", "download", lambda folder, megabits: (200_000, 0.1)),
    ("12_in_the_browser", "download", without_compression),
    ("12_in_the_browser", "sliders", lambda fields: ""),
    ("12_in_the_browser", "sliders", without_escaping),
    ("12_in_the_browser", "own", lambda model, rows: (b"", 0.0)),
    ("12_in_the_browser", "own", with_an_open_batch_axis),
    ("13_saving_models", "checked", lambda path, digests: path.read_bytes()),
    ("13_saving_models", "checked", lambda path, digests: digests[path.name]),
    ("13_saving_models", "stranger", lambda content: set()),
    ("13_saving_models", "stranger", all_pairs_of_texts),
    ("13_saving_models", "own", lambda folder: {}),
    ("13_saving_models", "own", of_the_top_level),
    ("14_production", "follower", lambda pointer, load: load(int(pointer.read_text()))),
    ("14_production", "follower", loading_each_time),
    ("14_production", "paired", unpaired),
    ("14_production", "release", lambda old, new, store: None),
    ("15_batch_and_online", "parts", lambda rows, folder, predict, size: rows),
    ("15_batch_and_online", "parts", without_a_draft),
    ("15_batch_and_online", "stream", lambda labels, delay, predict, learn: []),
    ("15_batch_and_online", "stream", without_waiting),
    ("15_batch_and_online", "own_log", lambda log, labels: labels),
    ("15_batch_and_online", "own_log", with_the_first_label),
    ("16_scale_out", "balancer", lambda addresses: None),
    ("16_scale_out", "balancer", to_the_first),
    ("16_scale_out", "bottleneck", lambda parts: ("proxy", 1 / 0.002)),
    ("16_scale_out", "bottleneck", of_two_known_parts),
    ("16_scale_out", "own_load", lambda ask, clients, number: {"per_second": 5.0, "failed": 8}),
    ("16_scale_out", "own_load", without_errors),
]


@pytest.mark.parametrize(("stem", "name", "answer"), WRONG)
def test_a_wrong_answer_is_told_what_is_missing(stem, name, answer, capsys):
    the(stem, name).check(answer)
    said = capsys.readouterr().out
    assert said.startswith("Not yet: ")
    assert "three dots" not in said


@pytest.mark.parametrize(("stem", "name"), ALL)
def test_hints_go_further_each_time_and_stay_at_the_last(stem, name, capsys):
    exercise = the(stem, name)
    exercise._hinted = 0
    total = len(exercise.hints)
    for number in (*range(1, total + 1), total):
        exercise.hint()
        said = f"Hint {number} of {total}: {exercise.hints[number - 1]}\n"
        assert capsys.readouterr().out == said
