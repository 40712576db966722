"""A saved model as a fast function for one example or a few.

``model.predict`` is made for large batches: for a single row it spends milliseconds on set-up and
microseconds on arithmetic. LiteRT (the runtime of phones) runs the same network without
the set-up; `Predictor` wraps it so that many threads of a web service can share one model.
"""

import contextlib
import hashlib
import tempfile
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.environment import quiet_native_stderr
from course_utils.inference.model_files import KERAS_SUFFIXES, check_kind, load_keras
from course_utils.inference.tracing import check_network, explain_failure, write_savedmodel

MAX_SUM_ERROR = 1e-3  # of the probabilities of one example


class Predictor:
    """Predictions of one model, safe to call from many threads.

    Each call borrows an interpreter of its own (a LiteRT interpreter serves one thread at a
    time) and gives it back, so there are never more interpreters than concurrent calls.
    """

    _announced = False  # whether LiteRT has announced itself, which it does once in a process

    def __init__(self, model: bytes):
        """``model`` is the content of a LiteRT (``.tflite``) file.

        Raises:
            ValueError: the bytes are not a LiteRT model, or one with several inputs or outputs, or
                with other numbers than float32.
        """
        self._model = model
        try:
            # Only the first time: what other threads write meanwhile is dropped, too.
            with contextlib.nullcontext() if Predictor._announced else quiet_native_stderr():
                first = self._make_interpreter()
        except ValueError as error:
            raise ValueError(f"not a LiteRT model: {error}") from error
        except RuntimeError as error:
            said = str(error).strip().splitlines()[0]
            raise ValueError(
                f"LiteRT cannot run it: {said}. It runs most layers of Keras' own, each size of "
                "the input given, as in keras.Input((224, 224, 3))."
            ) from error
        Predictor._announced = True
        inputs, outputs = first.get_input_details(), first.get_output_details()
        kinds = {part["dtype"].__name__ for part in [*inputs, *outputs]}
        if len(inputs) != 1 or len(outputs) != 1 or kinds != {"float32"}:
            raise ValueError(
                f"it has {len(inputs)} inputs and {len(outputs)} outputs, of {', '.join(kinds)}. "
                "Save it with one of each, of float32 (not quantized)."
            )
        example, answer = inputs[0], outputs[0]
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
            ValueError: wrong digest, a pickle, code of somebody else in a ``.keras`` or ``.h5``
                file, a kind of file this cannot read, or a network that this cannot run.
        """
        path = Path(path)
        check_kind(path)
        content = path.read_bytes()
        if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256.lower():
            raise ValueError(
                f"{path.name} is not the file you asked for: its SHA-256 differs. "
                "Nothing was loaded."
            )
        if path.suffix in KERAS_SUFFIXES:
            content = keras_to_litert(path)
        try:
            return cls(content)
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from None

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


def keras_to_litert(path: Path) -> bytes:
    """The model in a ``.keras`` or ``.h5`` file as the content of a LiteRT file.

    Raises:
        ValueError: as `load_keras` raises it, which reads the file.
    """
    return to_litert(load_keras(path))


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


def as_probabilities(answers: np.ndarray) -> np.ndarray:
    """A probability for each class, of shape ``(n, classes)``.

    Args:
        answers: a network's, of shape ``(n, outputs)``. A single output is the probability of the
            second of two classes.

    Raises:
        ValueError: they are no probabilities.
    """
    if answers.shape[1] == 1:
        answers = np.hstack([1 - answers, answers])
    # Written so that it is false of NaN, too.
    if not (answers.min() >= 0 and np.abs(answers.sum(axis=1) - 1).max() <= MAX_SUM_ERROR):
        raise ValueError(
            "it does not return probabilities, each from 0 to 1 and together 1. End the network "
            f'with softmax, such as Dense({answers.shape[1]}, activation="softmax"), or a single '
            "output with sigmoid, and save it again."
        )
    return answers
