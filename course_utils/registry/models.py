"""A network and its contract, which lies beside it: what it takes, and what its answer means."""

from pathlib import Path

import numpy as np
import pandas as pd

from course_utils.images import read_image
from course_utils.inference import (
    FeatureSchema,
    Predictor,
    as_probabilities,
    check_photo_network,
    labelled_rows,
    labels_path,
    load_labels,
    schema_path,
)
from course_utils.inference.pixels import choose_pixels

FILE, LABEL = "file", "label"  # columns of a table of photos
PHOTOS_AT_ONCE = 32  # decoded, each 600 kB of numbers


class Model:
    """A network that the registry can judge.

    A schema beside it says that it takes rows of numbers, class names beside it that it is a
    classifier. With class names alone it classifies photos, which a table names in its column
    ``file``.
    """

    def __init__(self, file: Path, version: int = 0):
        """``version`` is its number, if it has one already.

        Raises:
            FileNotFoundError: there is no such file, or neither a schema nor class names beside it.
            ValueError: one of them cannot be read, or the network does not fit them.
        """
        self.file = file
        self.version = version
        self.labels = load_labels(file) if labels_path(file).is_file() else None
        self.schema = None
        if schema_path(file).is_file() or not self.labels:
            self.schema = FeatureSchema.load(schema_path(file))
        self._network = Predictor.load(file)
        if self.schema:
            self.schema.check_network(self._network, file, self.labels)
        else:
            takes, answers = self._network.input_shape, self._network.output_shape
            check_photo_network(file, takes, answers, self.labels or [])

    @property
    def features(self) -> list[str]:
        """The columns that it predicts from."""
        return self.schema.names if self.schema else [FILE]

    @property
    def target(self) -> str:
        """The column of the truth: a number, or the name of a class."""
        return self.schema.target if self.schema else LABEL

    def check(self, table: pd.DataFrame, *, gaps: tuple[str, ...] = ()) -> pd.DataFrame:
        """Check labelled rows, as `labelled_rows` does; ranges are not checked.

        Args:
            table: the rows.
            gaps: features that may be missing in a row.

        Raises:
            ValueError: a column is missing or holds what it must not, or a photo is not there.
        """
        if self.schema:
            return labelled_rows.check(table, self.schema, labels=self.labels, gaps=gaps)
        return labelled_rows.check_photos(table, self.labels or [])

    def read_truth(self, rows: pd.DataFrame) -> np.ndarray:
        """The true values, float64, or the true classes' names; shape ``(n,)``."""
        column = rows[self.target]
        return column.astype(str).to_numpy(object) if self.labels else column.to_numpy(float)

    def prepare(self, rows: pd.DataFrame) -> np.ndarray:
        """What the network takes, of shape ``(n, ...)``, and pixels from 0 to 255 of photos.

        Raises:
            ValueError: a file is no photo.
        """
        if self.schema:
            return rows[self.features].to_numpy(np.float32)
        size = self._network.input_shape[1], self._network.input_shape[0]
        return np.stack([read_image(Path(file).read_bytes(), size=size) for file in rows[FILE]])

    def ask(self, inputs: np.ndarray) -> np.ndarray:
        """The network's answers to what `prepare` gave, float64 of shape ``(n, outputs)``."""
        if not self.schema:
            inputs = choose_pixels(self.file).apply(inputs)
        return self._network.predict(inputs).astype(float)

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Numbers, float64 of shape ``(n, 1)``, or of a classifier probabilities, ``(n, classes)``.

        Raises:
            ValueError: a classifier's answers are no probabilities, or a file is no photo.
        """
        at_once = len(rows) if self.schema else PHOTOS_AT_ONCE
        parts = [rows.iloc[place : place + at_once] for place in range(0, len(rows), at_once)]
        answers = np.concatenate([self.ask(self.prepare(part)) for part in parts])
        return as_probabilities(answers) if self.labels else answers

    def decide(self, answers: np.ndarray) -> np.ndarray:
        """What `predict` found, of shape ``(n,)``: numbers, or the likeliest classes' names."""
        if not self.labels:
            return answers[:, 0]
        return np.array(self.labels, object)[answers.argmax(axis=1)]

    def refuses(self, rows: pd.DataFrame) -> np.ndarray:
        """Which of the rows the service would not take: a feature is out of its range."""
        taken = np.ones(len(rows), dtype=bool)
        for feature in self.schema.features if self.schema else ():
            taken &= feature.accepts_each(rows[feature.name].to_numpy(float))
        return ~taken
