"""What every peer serves: the course's networks, called as the course calls them.

Imports nothing of the course: it runs in the environment of each peer.
"""

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

MODEL = Path("data/models/mpg.tflite")
PHOTO_MODEL = os.environ.get("PHOTO_MODEL", "")  # with its classes' names beside it
#: Whether to write an access log and keep metrics.
DUTIES = os.environ.get("DUTIES") == "1"


class Network:
    """One LiteRT interpreter. Each worker has one thread that predicts, so no lock is needed."""

    def __init__(self, path: str | Path):
        self._interpreter = Interpreter(model_content=Path(path).read_bytes(), num_threads=1)
        self._interpreter.allocate_tensors()
        example = self._interpreter.get_input_details()[0]
        self._input, self.shape = example["index"], example["shape"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def predict(self, batch: Any) -> np.ndarray:
        self._interpreter.set_tensor(self._input, np.ascontiguousarray(batch, np.float32))
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)

    def predict_mpg(self, row: list[float]) -> float:
        return float(self.predict([row])[0, 0])


def read_features() -> dict[str, dict[str, Any]]:
    """Each feature's type, minimum and maximum, from the schema beside the model."""
    schema = json.loads(MODEL.with_name("mpg.schema.json").read_text("utf-8"))
    properties: dict[str, dict[str, Any]] = schema["properties"]
    return properties


class PhotoClassifier:
    """Decodes, resizes and classifies a photo, as the floor of `benchmarks.image_service` does."""

    def __init__(self) -> None:
        self._network = Network(PHOTO_MODEL)
        labels = Path(PHOTO_MODEL).with_suffix(".labels.json")
        self._labels: list[str] = json.loads(labels.read_text("utf-8"))
        self._size = tuple(int(side) for side in self._network.shape[2:0:-1])

    def classify(self, file: bytes) -> list[dict[str, Any]]:
        from PIL import Image

        with Image.open(io.BytesIO(file)) as image:
            image.draft("RGB", tuple(4 * side for side in self._size))
            pixels = image.convert("RGB").resize(self._size, Image.Resampling.BILINEAR)
        answer = self._network.predict(np.asarray(pixels, np.float32)[np.newaxis])[0]
        best = np.argsort(-answer, kind="stable")[:5]
        return [{"name": self._labels[i], "prob": round(float(answer[i]), 6)} for i in best]
