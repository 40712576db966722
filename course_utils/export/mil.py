"""A saved CoreML package, run without a Mac: its program (MIL), operation by operation.

coremltools reads a package on every system but runs it only on macOS. Its program is a list of
operations such as ``conv`` and ``relu6``; here each is computed (`mil_ops`), with the weights as
the file holds them. A type of 16 bits is rounded to after each operation, as a processor with 16
bits does, though it may sum up in another order.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.environment import quiet_native_stderr
from course_utils.export.graph import ACTIVATIONS
from course_utils.inference.tracing import quiet_converters


def import_coremltools() -> Any:
    """The package ``coremltools``.

    Raises:
        ImportError: there is none for this system.
    """
    try:
        with quiet_native_stderr(), quiet_converters():
            import coremltools
    except ImportError:
        raise ImportError(
            "CoreML needs the package coremltools, which exists for macOS and Linux only. On "
            "Windows, run this in Colab or in WSL; LiteRT and ONNX work here."
        ) from None
    return coremltools


class Program:
    """The program of a package, and what the package says about it.

    Attributes:
        spec: the description of the package, as coremltools reads it.
        operations: in their order, without the constants.
        labels: the names of a classifier's classes; None for any other.
    """

    def __init__(self, spec: Any, program: Any):
        function = program.functions["main"]
        self.spec = spec
        self.operations = [op for op in function.operations if not _is_constant(op)]
        self._version = function.opset_version
        self._input = next(iter(function.inputs.values()))
        self._answer, self.labels = function.outputs[0], None
        last = self.operations[-1]
        if last.op_type == "classify":
            self._answer = last.inputs["probabilities"]
            self.labels = [str(label) for label in last.inputs["classes"].val]
        constants = [op for op in function.operations if _is_constant(op)]
        self._constants = {op.outputs[0]: _read_constant(op) for op in constants}
        self._compressed = any(op.op_type != "const" for op in constants)

    @classmethod
    def load(cls, path: str | Path) -> "Program":
        """Read a ``.mlpackage`` from the disk.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is damaged, or holds no program.
            ImportError: coremltools does not exist for this system.
        """
        path = Path(path)
        if not path.is_dir():
            raise FileNotFoundError(f"{path} is not there, or is no CoreML package (a folder).")
        coremltools = import_coremltools()
        from coremltools.converters.mil.frontend.milproto.load import load

        try:
            with quiet_converters():
                model = coremltools.models.MLModel(str(path), skip_model_load=True)
                spec = model.get_spec()
                version, weights = spec.specificationVersion, model.weights_dir
                program = load(spec, specification_version=version, file_weights_dir=weights)
        except Exception as error:  # its readers, some in C++, raise what the damage makes them
            raise ValueError(f"{path.name} cannot be read, it is damaged: {error}") from error
        return cls(spec, program)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of an example as Keras has it: ``(height, width, channels)`` or ``(features,)``."""
        shape = tuple(int(size) for size in self._input.shape[1:])
        return (*shape[1:], shape[0]) if len(shape) == 3 else shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the answer to an example."""
        return tuple(int(size) for size in self._answer.shape[1:])

    @property
    def precision(self) -> str:
        """What it computes with, and how its weights are stored; from the program itself."""
        computing = [op for op in self.operations if op.op_type not in ("cast", "classify")]
        half = any(_type_of(op.outputs[0]) == np.float16 for op in computing)
        compressed = ", compressed weights" if self._compressed else ""
        return f"{'float16' if half else 'float32'}{compressed}"

    @property
    def output(self) -> str:
        """The tensor that is the answer: of a classifier, the probabilities that it names."""
        return str(self._answer.name)

    @property
    def logits(self) -> str:
        """The tensor that the last softmax or sigmoid takes; the answer where there is none."""
        makers = {var.name: op for op in self.operations for var in op.outputs}
        name = self.output
        while (op := makers.get(name)) and op.op_type in ("cast", "identity", *ACTIVATIONS):
            name = str(op.inputs["x"].name)
            if op.op_type in ACTIVATIONS:
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
            tensor: what goes in, ``(1, channels, height, width)`` or ``(1, features)``.
            wanted: names of the tensors to return.
            opened: names of tensors made by a ReLU, which lets everything pass for once. What
                comes out may leave the range of 16 bits, so it is not rounded to them then.

        Returns:
            The tensors by name, in float32.

        Raises:
            NotImplementedError: with the operation and its name.
        """
        values: dict[Any, Any] = {**self._constants, self._input: tensor}
        with np.errstate(all="ignore"):  # of infinities NaN becomes, which never passes
            for op in self.operations:
                if op.outputs and op.outputs[0].name in opened:
                    values[op.outputs[0]] = values[op.inputs["x"]]
                elif op.op_type != "classify":
                    values |= self._compute(op, values, rounded=not opened)
        named = {var.name: value for var, value in values.items()}
        return {name: np.asarray(named[name], np.float32) for name in wanted}

    def _compute(self, op: Any, values: Mapping[Any, Any], *, rounded: bool) -> dict[Any, Any]:
        """The results of one operation, by its variables."""
        from course_utils.export.mil_ops import compute

        arguments = {
            name: _look_up(var, values) for name, var in op.inputs.items() if var is not None
        }
        results = compute(op, arguments, self._version)
        return {
            var: _cast(result, var, rounded=rounded)
            for var, result in zip(op.outputs, results, strict=True)
        }


def _is_constant(op: Any) -> bool:
    return op.op_type == "const" or op.op_type.startswith("constexpr")


def _read_constant(op: Any) -> Any:
    """What a constant holds, decompressed; floating point in 32 bits."""
    value = op.outputs[0].val
    if value is None:
        value = op.materialized_val_inference()
    if isinstance(value, np.bool_):
        return bool(value)  # NumPy's own functions refuse theirs as an option
    return value.astype(np.float32) if getattr(value, "dtype", None) == np.float16 else value


def _type_of(var: Any) -> Any:
    """The type of a tensor that the program declares, as NumPy's."""
    from coremltools.converters.mil.mil import types

    return types.nptype_from_builtin(var.dtype)


def _look_up(var: Any, values: Mapping[Any, Any]) -> Any:
    """What a variable of the program, or a list of them, holds."""
    if isinstance(var, (list, tuple)):
        return [_look_up(each, values) for each in var]
    return values[var]


def _cast(result: Any, var: Any, *, rounded: bool) -> np.ndarray:
    """A result in the type that the program declares; of 16 bits, as 32 that are ``rounded``.

    Processors for 16 bits sum up in 32 too.
    """
    kind = _type_of(var)
    if kind != np.float16:
        return np.asarray(result, kind)
    return np.asarray(result, kind if rounded else np.float32).astype(np.float32)
