"""The operations of a CoreML program (MIL), computed on this machine.

coremltools computes most operations itself, where a program's constants are folded. Here are those
that it only describes (``coremltools.converters.mil.mil.ops.defs``) and that networks of the
course consist of. Images are laid out as in MIL: ``(n, channels, height, width)``.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from coremltools.converters.mil import Builder
from coremltools.converters.mil.mil import Function

#: the arguments of an operation, by their names in MIL; an optional one may be absent
Arguments = Mapping[str, Any]


def compute(kind: str, arguments: Arguments, version: Any) -> Any:
    """The result of one operation.

    Args:
        kind: of operation, such as ``"conv"``.
        arguments: in NumPy, floating point in 32 bits.
        version: of the set of operations that the program is written in.

    Returns:
        An array, or a list of them from an operation of several results.

    Raises:
        NotImplementedError: with the reason.
    """
    if kind in OPERATIONS:
        return OPERATIONS[kind](arguments)
    with Function({}, opset_version=version):
        made = getattr(Builder, kind)(**arguments)
    results = [var.val for var in made] if isinstance(made, (list, tuple)) else made.val
    if results is None:
        raise NotImplementedError("here. Add it to OPERATIONS in course_utils/export/mil_ops.py")
    return results


def _conv(a: Arguments) -> Any:
    x, weight = _channels_last(a["x"]), tf.transpose(a["weight"], [2, 3, 1, 0])
    groups, padding = int(a["groups"]), _padding(a)
    strides, dilations = a["strides"].tolist(), a["dilations"].tolist()
    if groups == 1:
        y = tf.nn.conv2d(x, weight, strides, padding, dilations=dilations)
    elif groups == x.shape[-1]:  # one kernel, or a few, for each channel
        height, width, _, outputs = weight.shape
        weight = tf.reshape(weight, [height, width, groups, outputs // groups])
        y = tf.nn.depthwise_conv2d(x, weight, [1, *strides, 1], padding, dilations=dilations)
    else:
        raise NotImplementedError(f"in {groups} groups")
    return _channels_first(y + a.get("bias", 0.0))


def _conv_transpose(a: Arguments) -> Any:
    x, weight = _channels_last(a["x"]), tf.transpose(a["weight"], [2, 3, 1, 0])
    if int(a["groups"]) != 1 or a.get("output_shape") is None:
        raise NotImplementedError("in groups, or without the shape of its result")
    batch, channels, height, width = a["output_shape"].tolist()
    shape = [batch, height, width, channels]
    y = tf.nn.conv2d_transpose(
        x, weight, shape, a["strides"].tolist(), _padding(a), dilations=a["dilations"].tolist()
    )
    return _channels_first(y + a.get("bias", 0.0))


def _upsample_bilinear(a: Arguments) -> Any:
    if a["align_corners"]:
        raise NotImplementedError("with align_corners")
    scales = a["scale_factor_height"], a["scale_factor_width"]
    size = [round(n * float(by)) for n, by in zip(a["x"].shape[2:], scales, strict=True)]
    return _channels_first(tf.image.resize(_channels_last(a["x"]), size))


def _on_rows(compute_image: Callable[[Arguments], Any]) -> Callable[[Arguments], Any]:
    """An operation on images that takes rows ``(n, channels, length)``, too: images one high."""

    def run(a: Arguments) -> Any:
        if a["x"].ndim != 3:
            return compute_image(a)
        before = {"strides": [1], "dilations": [1], "kernel_sizes": [1], "pad": [0, 0]}
        image = {name: np.array([*before[name], *a[name]]) for name in before.keys() & a.keys()}
        image |= {name: a[name][:, :, None] for name in {"x", "weight"} & a.keys()}
        return compute_image({**a, **image})[:, :, 0]

    return run


def _pool(kind: str) -> Callable[[Arguments], Any]:
    def pool(a: Arguments) -> Any:
        kernel, strides = a["kernel_sizes"].tolist(), a["strides"].tolist()
        y = tf.nn.pool(_channels_last(a["x"]), kernel, kind, strides, _padding(a))
        return _channels_first(y)

    return pool


def _padding(a: Arguments) -> Any:
    """The padding of an image, as TensorFlow's functions take it."""
    kind = str(a["pad_type"])
    if kind == "custom":
        top, bottom, left, right = a["pad"].tolist()
        return [[0, 0], [top, bottom], [left, right], [0, 0]]
    return kind.upper()  # "SAME" or "VALID"


def _channels_last(x: Any) -> Any:
    if len(x.shape) != 4:
        raise NotImplementedError(f"on tensors of shape {tuple(x.shape)}: only images (4 axes)")
    return tf.transpose(x, [0, 2, 3, 1])


def _channels_first(x: Any) -> Any:
    return tf.transpose(x, [0, 3, 1, 2]).numpy()


def _batch_norm(a: Arguments) -> Any:
    shape = [1, -1] + [1] * (a["x"].ndim - 2)
    factor = a["gamma"] / np.sqrt(a["variance"] + a["epsilon"])
    shift = a["beta"] - a["mean"] * factor
    return a["x"] * factor.reshape(shape) + shift.reshape(shape)


#: operation in MIL -> what computes it
OPERATIONS: dict[str, Callable[[Arguments], Any]] = {
    "avg_pool": _on_rows(_pool("AVG")),
    "batch_norm": _batch_norm,
    "cast": lambda a: a["x"],  # `mil.Program` gives it the type that is declared
    "conv": _on_rows(_conv),
    "conv_transpose": _conv_transpose,
    "max_pool": _on_rows(_pool("MAX")),
    "silu": lambda a: a["x"] / (1 + np.exp(-a["x"])),
    "upsample_bilinear": _upsample_bilinear,
}
