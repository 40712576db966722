"""A saved model as a fast function for one example or a few.

``model.predict`` is made for large batches: for a single row it spends milliseconds on set-up and
microseconds on arithmetic. LiteRT (the runtime of phones) runs the same network without
the set-up; `Predictor` wraps it so that many threads of a web service can share one model.
"""

import contextlib
import hashlib
import json
import tempfile
import zipfile
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.environment import quiet_native_stderr
from course_utils.inference.tracing import check_network, explain_failure, write_savedmodel

KERAS_SUFFIXES = (".keras", ".h5")
# How a pickle begins in each protocol that Python has written by default since 3.0.
PICKLE_STARTS = (b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5")


class Predictor:
    """Predictions of one model, safe to call from many threads.

    Each call borrows an interpreter of its own (a LiteRT interpreter serves one thread at a
    time) and gives it back, so there are never more interpreters than concurrent calls.
    """

    _announced = False  # whether LiteRT has announced itself, which it does once in a process

    def __init__(self, model: bytes):
        """``model`` is the content of a LiteRT (``.tflite``) file.

        Raises:
            ValueError: the bytes are not a LiteRT model.
        """
        self._model = model
        try:
            # Only the first time: what other threads write meanwhile is dropped, too.
            with contextlib.nullcontext() if Predictor._announced else quiet_native_stderr():
                first = self._make_interpreter()
        except ValueError as error:
            raise ValueError(f"not a LiteRT model: {error}") from error
        Predictor._announced = True
        example, answer = first.get_input_details()[0], first.get_output_details()[0]
        self._input, self._output = example["index"], answer["index"]
        #: shape of one example and of its answer, without the batch axis
        self.input_shape = tuple(int(n) for n in example["shape"][1:])
        self.output_shape = tuple(int(n) for n in answer["shape"][1:])
        # Interpreters not in use, each with the batch size it is set to.
        self._idle: deque[tuple[Any, int]] = deque([(first, int(example["shape"][0]))])

    @classmethod
    def load(cls, path: str | Path, *, sha256: str | None = None) -> "Predictor":
        """Load a ``.tflite`` file, or convert a ``.keras`` or ``.h5`` file on the way.

        A model file from a stranger can run code while it is loaded: give ``sha256``, the
        digest its author published, and nothing else is loaded.

        Raises:
            FileNotFoundError: no such file.
            ValueError: wrong digest, a pickle, code of a stranger's in a ``.keras`` or ``.h5``
                file, or a kind of file this cannot read.
        """
        path = Path(path)
        content = path.read_bytes()
        if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256.lower():
            raise ValueError(
                f"{path.name} is not the file you asked for: its SHA-256 differs. "
                "Nothing was loaded."
            )
        refuse_pickle(path)
        if path.suffix in KERAS_SUFFIXES:
            return cls(keras_to_litert(path))
        if path.suffix != ".tflite":
            raise ValueError(f"{path.name}: expected one of .tflite, {', '.join(KERAS_SUFFIXES)}")
        return cls(content)

    def predict(self, batch: Any) -> np.ndarray:
        """Predict a batch.

        Args:
            batch: anything NumPy reads as an array of shape ``(n, *input_shape)``.

        Returns:
            float32 array of shape ``(n, *output_shape)``.

        Raises:
            ValueError: the shape does not fit the model.
        """
        examples = np.ascontiguousarray(batch, dtype=np.float32)
        if examples.shape[1:] != self.input_shape or not examples.size:
            raise ValueError(
                f"the model takes examples of shape {self.input_shape}, "
                f"at least one of them; got an array of shape {examples.shape}"
            )
        try:
            interpreter, size = self._idle.pop()
        except IndexError:
            interpreter, size = self._make_interpreter(), 1
        if size != len(examples):
            interpreter.resize_tensor_input(self._input, examples.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(self._input, examples)
        interpreter.invoke()
        prediction = interpreter.get_tensor(self._output)  # a copy, so it outlives the loan
        # Where anything above failed the interpreter is not given back: its state is unknown.
        self._idle.append((interpreter, len(examples)))
        return prediction

    def _make_interpreter(self) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_content=self._model, num_threads=1)
        interpreter.allocate_tensors()
        return interpreter


def refuse_pickle(path: str | Path) -> None:
    """Raise if a file is a pickle, which shows in how it begins.

    A pickle is a program for a small machine, and loading it runs the program: whoever wrote the
    file may do all that you may do. joblib's and dill's files are pickles, too; compressed
    ones begin otherwise and are not recognized. Nothing of ours
    loads one; this says why, before another loader complains of a format.

    Raises:
        ValueError: it is one; the message says why that matters and what to use instead.
        OSError: the file cannot be read.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(2)
    if start in PICKLE_STARTS:
        raise ValueError(
            f"{path.name} is a pickle, and a pickle can run any code as it is loaded. Nothing was "
            "loaded. Ask for the model as .keras, .tflite or .onnx, which load without running "
            "code of their author's; one of your own you can load where you made it and save "
            'again: Keras with model.save("model.keras"), scikit-learn with skl2onnx.'
        )


def keras_to_litert(path: Path) -> bytes:
    """The model in a ``.keras`` or ``.h5`` file as the content of a LiteRT file.

    Raises:
        ValueError: it carries Python code, or Keras cannot load it.
    """
    with quiet_native_stderr():
        import keras
    if _carries_code(path):
        raise ValueError(
            f"{path.name} carries Python code of its author's (a lambda), which would run with the "
            "network. Nothing was loaded. Ask for the model with a layer of Keras' own in its "
            "place, or as a .tflite file, which holds no Python."
        )
    try:
        # Uncompiled: an .h5 file may name its loss in a way that Keras no longer reads.
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises what the file's format makes it raise
        said = (str(error).strip() or type(error).__name__).splitlines()[0]  # of a page, at times
        raise ValueError(f"{path.name} is not a model that Keras can load: {said}") from None
    return to_litert(model)


def _carries_code(path: Path) -> bool:
    """Whether a Keras file has a lambda in it.

    Keras' safe mode refuses those as well, but before 3.11.3 not in an .h5 file (CVE-2025-9905),
    and it advises to switch the safe mode off.
    """
    import h5py

    kinds: set[str] = set()
    broken = OSError, KeyError, ValueError, TypeError, RecursionError, zipfile.BadZipFile
    with contextlib.suppress(*broken):  # what is wrong with it Keras will say
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                layers = archive.read("config.json")
        else:
            with h5py.File(path) as file:
                layers = file.attrs["model_config"]
        json.loads(layers, object_hook=lambda part: kinds.add(str(part.get("class_name"))))
    return "__lambda__" in kinds


def to_litert(model: Any, *, half: bool = False) -> bytes:
    """A Keras model as the content of a LiteRT file.

    It takes, computes and returns float32; with ``half`` its weights are stored in float16: half
    the file.

    Raises:
        UnsupportedNetwork: it cannot be converted; with the name of the layer.
    """
    with quiet_native_stderr():
        import tensorflow as tf

    check_network(model)
    # By way of a SavedModel: `from_concrete_functions` loses the statistics of a Normalization
    # layer (NaN out).
    with tempfile.TemporaryDirectory() as folder, explain_failure(model, "LiteRT"):
        write_savedmodel(model, folder, "float32")
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if half:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        return bytes(converter.convert())
