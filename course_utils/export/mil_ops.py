"""The operations of a CoreML program (MIL), computed on this machine.

coremltools computes most operations itself, where a program's constants are folded. Here are those
that it only describes (``coremltools.converters.mil.mil.ops.defs``) and that networks of the
course consist of. Tensors are laid out as in MIL: ``(n, channels, height, width)``, with one axis
less for a row and one more for a volume.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from coremltools.converters.mil import Builder
from coremltools.converters.mil.mil import Function

#: the arguments of an operation, by their names in MIL; an optional one may be absent
Arguments = Mapping[str, Any]


def compute(op: Any, arguments: Arguments, version: Any) -> list[Any]:
    """The results of one operation.

    Args:
        op: the operation, as coremltools has it.
        arguments: in NumPy, floating point in 32 bits.
        version: of the set of operations that the program is written in.

    Raises:
        NotImplementedError: with the operation and its name.
    """
    if op.op_type in OPERATIONS:
        return [OPERATIONS[op.op_type](arguments)]
    with Function({}, opset_version=version):
        made = getattr(Builder, op.op_type)(**arguments)
    results = [var.val for var in (made if isinstance(made, (list, tuple)) else [made])]
    if any(result is None for result in results):
        raise NotImplementedError(
            f"The operation {op.op_type!r} ({op.name}) is not computed here. Add it to OPERATIONS "
            "in course_utils/export/mil_ops.py."
        )
    return results


def _conv(a: Arguments) -> Any:
    x, weight = _channels_last(a["x"]), np.moveaxis(a["weight"], (0, 1), (-1, -2))
    groups, padding = int(a["groups"]), str(a["pad_type"]).upper()
    strides, dilations = a["strides"].tolist(), a["dilations"].tolist()
    if padding == "CUSTOM":
        x, padding = np.pad(x, [(0, 0), *a["pad"].reshape(-1, 2), (0, 0)]), "VALID"
    if x.ndim == 4 and 1 < groups == x.shape[-1]:  # faster than one after the other
        weight = weight.reshape(*weight.shape[:2], groups, -1)
        y = tf.nn.depthwise_conv2d(x, weight, [1, *strides, 1], padding, dilations=dilations)
    else:
        pairs = zip(np.split(x, groups, -1), np.split(weight, groups, -1), strict=True)
        parts = [tf.nn.convolution(*pair, strides, padding, dilations=dilations) for pair in pairs]
        y = np.concatenate(parts, -1)
    return _channels_first(y + a.get("bias", 0.0))


def _upsample_bilinear(a: Arguments) -> Any:
    scales = a["scale_factor_height"], a["scale_factor_width"]
    size = [round(n * float(by)) for n, by in zip(a["x"].shape[2:], scales, strict=True)]
    return _channels_first(tf.image.resize(_channels_last(a["x"]), size))


def _pool(kind: str) -> Callable[[Arguments], Any]:
    def pool(a: Arguments) -> Any:
        kernel, strides, padding = a["kernel_sizes"].tolist(), a["strides"].tolist(), a["pad_type"]
        y = tf.nn.pool(_channels_last(a["x"]), kernel, kind, strides, str(padding).upper())
        return _channels_first(y)

    return pool


def _channels_last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, 1, -1)


def _channels_first(x: Any) -> np.ndarray:
    return np.moveaxis(np.asarray(x), -1, 1)


def _batch_norm(a: Arguments) -> Any:
    shape = [1, -1] + [1] * (a["x"].ndim - 2)
    factor = a["gamma"] / np.sqrt(a["variance"] + a["epsilon"])
    shift = a["beta"] - a["mean"] * factor
    return a["x"] * factor.reshape(shape) + shift.reshape(shape)


#: operation in MIL -> what computes it
OPERATIONS: dict[str, Callable[[Arguments], Any]] = {
    "avg_pool": _pool("AVG"),
    "batch_norm": _batch_norm,
    "cast": lambda a: a["x"],  # `mil.Program` gives it the type that is declared
    "conv": _conv,
    "max_pool": _pool("MAX"),
    "silu": lambda a: a["x"] / (1 + np.exp(-a["x"])),
    "upsample_bilinear": _upsample_bilinear,
}
