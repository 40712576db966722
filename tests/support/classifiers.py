"""Two classifiers that are quick to make: of rows of numbers, and of photos."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_iris

from course_utils.inference import write_labels
from tests.support.serving import ROOT

SPECIES = ["setosa", "versicolor", "virginica"]
COLOURS = ["red", "green", "blue"]

# A learner's own training: a linear classifier, found by scikit-learn, as a network.
TRAIN_IRIS = '''
import numpy as np
from sklearn.linear_model import LogisticRegression
from course_utils.environment import quiet_native_stderr
from course_utils.inference import FeatureSchema, to_litert, write_labels


def train(rows, folder):
    """A linear classifier of four lengths."""
    with quiet_native_stderr():
        import keras
    features = rows[["sepal_length", "sepal_width", "petal_length", "petal_width"]]
    linear = LogisticRegression(max_iter=1000).fit(features, rows["species"])
    right = linear.score(features, rows["species"])
    assert right > 0.6, f"only {right:.0%} are right"
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    network.set_weights([linear.coef_.T, linear.intercept_])
    model = folder / "iris.tflite"
    model.write_bytes(to_litert(network))
    write_labels(model, list(linear.classes_))
    FeatureSchema.from_frame(rows, target="species").save(folder / "iris.schema.json")
'''

MAKE_COLOURS = """
import sys
import numpy as np
from course_utils.environment import quiet_native_stderr
from course_utils.inference import to_litert
with quiet_native_stderr():
    import keras
layers = keras.layers
network = keras.Sequential([
    keras.Input((8, 8, 3)), layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")
])
network.set_weights([np.eye(3) * float(sys.argv[2]), np.zeros(3)])
open(sys.argv[1], "wb").write(to_litert(network))
"""


def load_flowers() -> pd.DataFrame:
    """The 150 irises, with short names of columns and of species."""
    bunch = load_iris(as_frame=True)
    names = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    table = bunch.data.set_axis(names, axis=1)
    return table.assign(species=np.array(SPECIES)[bunch.target])


def run_python(source: str, *arguments: object) -> None:
    command = [sys.executable, "-c", source, *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)


def make_iris(folder: Path, rows: pd.DataFrame) -> list[Path]:
    """What a learner registers: model, schema, classes, the code and the rows."""
    code, table = folder / "train_iris.py", folder / "training.csv"
    code.write_text(TRAIN_IRIS)
    rows.to_csv(table, index=False)
    run_python(
        "import pathlib, runpy, sys, pandas\n"
        "train = runpy.run_path(sys.argv[1])['train']\n"
        "train(pandas.read_csv(sys.argv[2]), pathlib.Path(sys.argv[3]))",
        *(code, table, folder),
    )
    beside = [folder / f"iris.{kind}" for kind in ("tflite", "schema.json", "labels.json")]
    return [*beside, code, table]


def make_colours(folder: Path, steepness: float = 0.02) -> list[Path]:
    """A network that names the strongest of three colours, and its classes."""
    folder.mkdir(exist_ok=True)
    model = folder / "colours.tflite"
    run_python(MAKE_COLOURS, model, steepness)
    write_labels(model, COLOURS)
    return [model, model.with_name("colours.labels.json")]


def paint(folder: Path, each: int = 8, seed: int = 0) -> pd.DataFrame:
    """A table of photos in which one colour is the strongest; of the last the label is wrong."""
    folder.mkdir(exist_ok=True)
    rng, rows = np.random.default_rng(seed), []
    for number in range(each * len(COLOURS)):
        place = number % len(COLOURS)
        pixels = rng.integers(0, 120, (20, 30, 3))
        pixels[..., place] += 100
        file = folder / f"{number:03d}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(file)
        rows.append({"file": str(file), "label": COLOURS[place]})
    rows[-1]["label"] = COLOURS[0]
    return pd.DataFrame(rows)
