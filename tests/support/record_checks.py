"""Whether a record is valid, and what its model answers."""

import json
from typing import Any

import numpy as np
import pandas as pd
from jsonschema import Draft202012Validator

from course_utils.environment import PACKAGE_FOLDER
from course_utils.inference import Predictor
from tests.support.records import FEATURES
from tests.support.serving import MODEL

SCHEMA = json.loads((PACKAGE_FOLDER / "registry" / "record.schema.json").read_text("utf-8"))


def valid(document: dict[str, Any]) -> list[str]:
    """What is wrong with a record by its schema."""
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(document)]


def predicted(table: pd.DataFrame) -> "np.ndarray[Any, Any]":
    return Predictor.load(MODEL).predict(table[FEATURES])[:, 0].astype(float)
