"""A saved CoreML package, run without a Mac: its program (MIL), operation by operation.

coremltools reads a package on every system but runs it only on macOS. Its program is a list of
operations such as ``conv`` and ``relu6``; here each is computed by TensorFlow (`mil_ops`), with
the weights as the file holds them. A type of 16 bits is rounded to after each operation, as
a processor with 16 bits does, though it may sum up in another order.
"""

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.environment import quiet_native_stderr

LAST = ("softmax", "sigmoid")  # what makes probabilities of logits


def plain_name(name: str) -> str:
    """A tensor's name without what coremltools adds to it where it changes its type."""
    return re.sub(r"_cast_fp16(_\d+)?$", "", name)


class UnknownOperation(NotImplementedError):
    """The program contains an operation that `mil_ops` does not compute."""


@contextlib.contextmanager
def quiet_coremltools() -> Iterator[Any]:
    """The package ``coremltools``, while its progress bars and warnings are kept silent.

    It warns that it was not tested with a TensorFlow this new, and that it cannot predict on this
    system: `verify` makes up for both.

    Raises:
        ImportError: there is none for this system.
    """
    log = logging.getLogger("coremltools")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with quiet_native_stderr():
            import tensorflow  # noqa: F401  (coremltools loads it, and it announces itself)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import coremltools
        except ImportError:
            raise ImportError(
                "CoreML needs the package coremltools, which exists for macOS and Linux only. "
                "On Windows, run this in Colab or in WSL; LiteRT and ONNX work here."
            ) from None
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield coremltools
    finally:
        log.setLevel(level)


class Program:
    """The program of a package, and what the package says about it."""

    def __init__(self, spec: Any, program: Any):
        self.spec = spec
        function = program.functions["main"]
        #: the operations in their order, without the constants
        self.operations = [op for op in function.operations if not _is_constant(op)]
        self._input = next(iter(function.inputs.values()))
        self._outputs = function.outputs
        self._weights: dict[str, Any] = {}
        self._constants = [op for op in function.operations if op.op_type.startswith("constexpr")]

    @classmethod
    def load(cls, path: str | Path) -> "Program":
        """Read a ``.mlpackage`` from the disk.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is damaged, or holds no program of one input.
            ImportError: coremltools does not exist for this system.
        """
        path = Path(path)
        if not path.is_dir():
            raise FileNotFoundError(f"{path} is not there, or is no CoreML package (a folder).")
        with quiet_coremltools() as coremltools:
            from coremltools.converters.mil.frontend.milproto.load import load

            try:
                model = coremltools.models.MLModel(str(path), skip_model_load=True)
                spec = model.get_spec()
                version = spec.specificationVersion
                program = load(
                    spec, specification_version=version, file_weights_dir=model.weights_dir
                )
            except Exception as error:  # its readers, some in C++, raise what the damage makes them
                raise ValueError(f"{path.name} cannot be read, it is damaged: {error}") from error
        if len(program.functions["main"].inputs) != 1:
            raise ValueError(f"{path.name} takes several inputs; networks of the course take one.")
        return cls(spec, program)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of the tensor that goes in, the batch of one included."""
        return tuple(int(size) for size in self._input.shape)

    @property
    def precision(self) -> str:
        """What it computes with, and how its weights are stored; from the program itself."""
        from coremltools.converters.mil.mil import types

        floats = {types.nptype_from_builtin(op.outputs[0].dtype) for op in self._computing()}
        name = "float16" if np.float16 in floats else "float32"
        stored = sorted({_storage(op) for op in self._constants})
        return " + ".join([name, *stored])

    def _computing(self) -> list[Any]:
        return [op for op in self.operations if op.op_type not in ("cast", "classify")]

    @property
    def output(self) -> str:
        """The tensor that is the answer: of a classifier, the probabilities that it names."""
        last = self.operations[-1]
        if last.op_type == "classify":
            return str(last.inputs["probabilities"].name)
        return str(self._outputs[0].name)

    @property
    def labels(self) -> list[str] | None:
        """The names of a classifier's classes."""
        last = self.operations[-1]
        if last.op_type != "classify":
            return None
        return [str(label) for label in last.inputs["classes"].val]

    @property
    def logits(self) -> str:
        """The tensor that the last softmax or sigmoid takes; the answer where there is none."""
        makers = {var.name: op for op in self.operations for var in op.outputs}
        name = self.output
        while (op := makers.get(name)) and op.op_type in ("cast", "identity", *LAST):
            name = str(op.inputs["x"].name)
            if op.op_type in LAST:
                return name
        return self.output

    def run(
        self,
        tensor: np.ndarray,
        wanted: Collection[str],
        opened: Collection[str] = (),
    ) -> dict[str, np.ndarray]:
        """Compute the program.

        Args:
            tensor: what goes in, of `input_shape`.
            wanted: names of the tensors to return.
            opened: names of tensors made by a ReLU, which lets everything pass for once. What
                comes out may leave the range of 16 bits, so it is not rounded to them then.

        Returns:
            The tensors by name, in float32.

        Raises:
            UnknownOperation: with the operation and its name.
        """
        import tensorflow as tf

        values: dict[str, Any] = {self._input.name: tf.constant(tensor, tf.float32)}
        for op in self.operations:
            if op.op_type == "classify":
                continue
            if op.outputs[0].name in opened:
                values[op.outputs[0].name] = values[op.inputs["x"].name]
                continue
            arguments = {name: self._value(var, values) for name, var in op.inputs.items()}
            results = _compute(op, arguments, rounded=not opened)
            values |= zip((var.name for var in op.outputs), results, strict=True)
        return {name: tf.cast(values[name], tf.float32).numpy() for name in wanted}

    def _value(self, var: Any, values: Mapping[str, Any]) -> Any:
        """What a variable of the program holds; constants stay what NumPy has of them."""
        if isinstance(var, (list, tuple)):
            return [self._value(each, values) for each in var]
        if var is None:
            return None
        if var.name in values:
            return values[var.name]
        if var.name not in self._weights:
            self._weights[var.name] = _stored(var)
        return self._weights[var.name]


def _stored(var: Any) -> Any:
    """A constant; numbers of floating point as TensorFlow takes them, the others as they are."""
    import tensorflow as tf

    value = var.val if var.val is not None else var.op.materialized_val_inference()
    if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind == "f":
        return tf.constant(value, tf.float32)
    return value


def _is_constant(op: Any) -> bool:
    return op.op_type == "const" or op.op_type.startswith("constexpr")


def _storage(op: Any) -> str:
    """How a compressed tensor is stored: since iOS 18 operations are named otherwise."""
    if op.op_type == "constexpr_lut_to_dense":
        shape = op.inputs["lut"].val.shape  # of one table, or (..., entries, 1) of several
        return f"{int(np.log2(shape[0] if len(shape) == 1 else shape[-2]))}-bit palette"
    if op.op_type in ("constexpr_affine_dequantize", "constexpr_blockwise_shift_scale"):
        return "int8"
    return str(op.op_type.removeprefix("constexpr_"))


def _compute(op: Any, arguments: dict[str, Any], *, rounded: bool) -> list[Any]:
    """The results of one operation, ``rounded`` to the types that the program declares."""
    import tensorflow as tf
    from coremltools.converters.mil.mil import types

    from course_utils.export.mil_ops import OPERATIONS

    if op.op_type not in OPERATIONS:
        raise UnknownOperation(
            f"The program contains the operation {op.op_type!r} ({op.name}), which is not "
            "computed here. Add it to OPERATIONS in course_utils/export/mil_ops.py."
        )
    try:
        results = OPERATIONS[op.op_type]({name: _wide(a) for name, a in arguments.items()})
    except NotImplementedError as error:
        raise UnknownOperation(
            f"The operation {op.op_type!r} ({op.name}) is not computed {error}."
        ) from None
    results = list(results) if isinstance(results, (list, tuple)) else [results]
    kinds = [types.nptype_from_builtin(var.dtype) for var in op.outputs]
    if not rounded:
        kinds = [np.float32 if kind == np.float16 else kind for kind in kinds]
    return [tf.cast(result, kind) for result, kind in zip(results, kinds, strict=True)]


def _wide(value: Any) -> Any:
    """Numbers of 16 bits as 32: TensorFlow sums those up as processors for 16 bits do."""
    import tensorflow as tf

    if isinstance(value, list):
        return [_wide(each) for each in value]
    if getattr(value, "dtype", None) in (np.float16, tf.float16):
        return tf.cast(value, tf.float32)
    return value
