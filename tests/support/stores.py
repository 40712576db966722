"""Stores of model records for tests and benchmarks: versions that can be told apart."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from ai_edge_litert.interpreter import Interpreter

from course_utils import registry
from course_utils.datasets import load_auto_mpg
from course_utils.environment import quiet_native_stderr
from tests.support.serving import MODEL

SCHEMA = MODEL.with_name("mpg.schema.json")


def generous(more: float) -> bytes:
    """The shipped network with ``more`` miles per gallon in every answer."""
    content = MODEL.read_bytes()
    with quiet_native_stderr():
        reader = Interpreter(model_content=content)
    reader.allocate_tensors()
    # The last layer's bias, which the scale of the answer has become part of.
    (place,) = (d["index"] for d in reader.get_tensor_details() if d["shape"].tolist() == [1])
    bias = reader.get_tensor(place)
    assert content.count(bias.tobytes()) == 1
    return content.replace(bias.tobytes(), (bias + np.float32(more)).tobytes())


def register(store: Path, more: float, *, training: pd.DataFrame | None = None) -> int:
    """A version of mpg that answers ``more`` than the shipped one, with its training rows."""
    folder = store.with_name(f"{store.name}-files")
    folder.mkdir(exist_ok=True)
    model, rows = folder / "mpg.tflite", folder / "training.csv"
    model.write_bytes(generous(more))
    shutil.copy(SCHEMA, folder)
    table = load_auto_mpg() if training is None else training
    table.to_csv(rows, index=False)
    files = [model, folder / SCHEMA.name, rows]
    return registry.register("mpg", files, training=table, store=store).number


def two_versions(store: Path) -> Path:
    """A store in which version 1 is served and version 2 says two miles per gallon more."""
    for more in (0, 2):
        register(store, more)
    registry.promote("mpg", 1, store=store)
    return store
