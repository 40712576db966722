"""The operations of a CoreML program (MIL), each in a line or a few of TensorFlow.

They follow the definitions in coremltools (``coremltools.converters.mil.mil.ops.defs``). Here are
those that the networks of the course consist of, and their neighbours. Images are laid out as in
MIL: ``(n, channels, height, width)``.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

#: the arguments of an operation, by their names in MIL; an optional one may be absent or None
Arguments = Mapping[str, Any]
Operation = Callable[[Arguments], Any]


def _numbers(values: Any) -> list[int]:
    return [int(value) for value in np.atleast_1d(values)]


def _same(size: int, kernel: int, stride: int, dilation: int, lower: bool) -> tuple[int, int]:
    """Padding before and after, so that ``size / stride`` values come out, rounded up."""
    wanted = (-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1
    total = max(wanted - size, 0)
    less, more = total // 2, total - total // 2
    return (more, less) if lower else (less, more)


def _padding(a: Arguments, kernel: list[int], dilations: list[int]) -> list[tuple[int, int]]:
    """Padding of height and width, each before and after."""
    kind, strides = str(a["pad_type"]), _numbers(a["strides"])
    if kind == "valid":
        return [(0, 0), (0, 0)]
    if kind == "custom":
        top, bottom, left, right = _numbers(a["pad"])
        return [(top, bottom), (left, right)]
    sides = zip(a["x"].shape[2:], kernel, strides, dilations, strict=True)
    return [_same(*side, lower=kind == "same_lower") for side in sides]


def _channels_last(x: Any) -> Any:
    return tf.transpose(x, [0, 2, 3, 1])


def _channels_first(x: Any) -> Any:
    return tf.transpose(x, [0, 3, 1, 2])


def _only_images(x: Any) -> None:
    if len(x.shape) != 4:
        raise NotImplementedError(f"on tensors of shape {tuple(x.shape)}: only images (4 axes)")


def _conv(a: Arguments) -> Any:
    _only_images(a["x"])
    weight, groups = tf.transpose(a["weight"], [2, 3, 1, 0]), int(a["groups"])
    strides, dilations = _numbers(a["strides"]), _numbers(a["dilations"])
    pads = _padding(a, list(weight.shape[:2]), dilations)
    x = _channels_last(tf.pad(a["x"], [(0, 0), (0, 0), *pads]))
    if groups > 1 and groups == x.shape[-1]:  # one kernel, or a few, to each channel
        height, width, _, outputs = weight.shape
        weight = tf.reshape(weight, [height, width, groups, outputs // groups])
        y = tf.nn.depthwise_conv2d(x, weight, [1, *strides, 1], "VALID", dilations=dilations)
    else:
        parts = zip(tf.split(x, groups, -1), tf.split(weight, groups, -1), strict=True)
        convolved = [tf.nn.conv2d(*part, strides, "VALID", dilations=dilations) for part in parts]
        y = tf.concat(convolved, -1)
    if a.get("bias") is not None:
        y += a["bias"]
    return _channels_first(y)


def _pool(kind: str) -> Operation:
    def pool(a: Arguments) -> Any:
        _only_images(a["x"])
        if a.get("ceil_mode"):
            raise NotImplementedError("with ceil_mode")
        kernel, strides = _numbers(a["kernel_sizes"]), _numbers(a["strides"])
        pads = [(0, 0), (0, 0), *_padding(a, kernel, [1, 1])]

        def pooled(x: Any, empty: float) -> Any:
            padded = _channels_last(tf.pad(x, pads, constant_values=empty))
            return tf.nn.pool(padded, kernel, kind, strides, "VALID")

        y = pooled(a["x"], -np.inf if kind == "MAX" else 0.0)
        if kind == "AVG" and a.get("exclude_padding_from_average"):
            y /= pooled(tf.ones_like(a["x"]), 0.0)  # the share of the window that is image
        return _channels_first(y)

    return pool


def _batch_norm(a: Arguments) -> Any:
    shape = [1, -1] + [1] * (len(a["x"].shape) - 2)
    gamma = 1.0 if a.get("gamma") is None else a["gamma"]
    beta = 0.0 if a.get("beta") is None else a["beta"]
    factor = gamma / tf.sqrt(a["variance"] + a["epsilon"])
    shift = beta - a["mean"] * factor
    return a["x"] * tf.reshape(factor, shape) + tf.reshape(shift, shape)


def _linear(a: Arguments) -> Any:
    y = tf.matmul(a["x"], a["weight"], transpose_b=True)
    return y if a.get("bias") is None else y + a["bias"]


def _matmul(a: Arguments) -> Any:
    turned = {"transpose_a": bool(a["transpose_x"]), "transpose_b": bool(a["transpose_y"])}
    return tf.matmul(a["x"], a["y"], **turned)


def _pad(a: Arguments) -> Any:
    pads = np.reshape(a["pad"], (-1, 2))
    before = [(0, 0)] * (len(a["x"].shape) - len(pads))  # the pads are those of the last axes
    mode = {"constant": "CONSTANT", "reflect": "REFLECT"}.get(str(a["mode"]))
    if mode is None:
        raise NotImplementedError(f"in mode {a['mode']}")
    fill = a.get("constant_val")
    return tf.pad(a["x"], [*before, *pads], mode, constant_values=0 if fill is None else fill)


def _slice(a: Arguments) -> Any:
    def flags(name: str) -> list[bool]:
        return list(a[name]) if a.get(name) is not None else [False] * len(begin)

    begin, end = _numbers(a["begin"]), _numbers(a["end"])
    stride = _numbers(a["stride"]) if a.get("stride") is not None else [1] * len(begin)
    masks = map(flags, ("begin_mask", "end_mask", "squeeze_mask"))
    axes = zip(begin, end, stride, *masks, strict=True)
    return a["x"][
        tuple(
            start if squeeze else slice(None if first else start, None if last else stop, step)
            for start, stop, step, first, last, squeeze in axes
        )
    ]


def _squeeze(a: Arguments) -> Any:
    return tf.squeeze(a["x"], None if a.get("axes") is None else _numbers(a["axes"]))


def _expand_dims(a: Arguments) -> Any:
    y = a["x"]
    for axis in sorted(_numbers(a["axes"])):
        y = tf.expand_dims(y, axis)
    return y


def _reduce(function: Operation) -> Operation:
    def reduce(a: Arguments) -> Any:
        axes = None if a.get("axes") is None else _numbers(a["axes"])
        return function(a["x"], axis=axes, keepdims=bool(a["keep_dims"]))  # type: ignore[call-arg]

    return reduce


def _of_x(function: Callable[[Any], Any]) -> Operation:
    return lambda a: function(a["x"])


def _of_x_and_y(function: Callable[[Any, Any], Any]) -> Operation:
    return lambda a: function(a["x"], a["y"])


#: operation in MIL -> what computes it
OPERATIONS: dict[str, Operation] = {
    "add": _of_x_and_y(tf.add),
    "sub": _of_x_and_y(tf.subtract),
    "mul": _of_x_and_y(tf.multiply),
    "real_div": _of_x_and_y(tf.divide),
    "maximum": _of_x_and_y(tf.maximum),
    "minimum": _of_x_and_y(tf.minimum),
    "pow": _of_x_and_y(tf.pow),
    "abs": _of_x(tf.abs),
    "exp": _of_x(tf.exp),
    "square": _of_x(tf.square),
    "sqrt": _of_x(tf.sqrt),
    "log": lambda a: tf.math.log(a["x"] + a["epsilon"]),
    "rsqrt": lambda a: tf.math.rsqrt(a["x"] + a["epsilon"]),
    "inverse": lambda a: 1 / (a["x"] + a["epsilon"]),
    "relu": _of_x(tf.nn.relu),
    "relu6": _of_x(tf.nn.relu6),
    "sigmoid": _of_x(tf.sigmoid),
    "silu": _of_x(tf.nn.silu),
    "softplus": _of_x(tf.nn.softplus),
    "softsign": _of_x(tf.nn.softsign),
    "tanh": _of_x(tf.tanh),
    "leaky_relu": lambda a: tf.nn.leaky_relu(a["x"], a["alpha"]),
    "elu": lambda a: tf.where(a["x"] >= 0, a["x"], a["alpha"] * (tf.exp(a["x"]) - 1)),
    "clip": lambda a: tf.clip_by_value(a["x"], a["alpha"], a["beta"]),
    "sigmoid_hard": lambda a: tf.clip_by_value(a["alpha"] * a["x"] + a["beta"], 0, 1),
    "softmax": lambda a: tf.nn.softmax(a["x"], int(a["axis"])),
    "conv": _conv,
    "linear": _linear,
    "matmul": _matmul,
    "max_pool": _pool("MAX"),
    "avg_pool": _pool("AVG"),
    "batch_norm": _batch_norm,
    "reduce_mean": _reduce(tf.reduce_mean),
    "reduce_sum": _reduce(tf.reduce_sum),
    "reduce_max": _reduce(tf.reduce_max),
    "reduce_min": _reduce(tf.reduce_min),
    "identity": _of_x(tf.identity),
    "cast": _of_x(tf.convert_to_tensor),  # `mil.Program` gives it the type that is declared
    "reshape": lambda a: tf.reshape(a["x"], _numbers(a["shape"])),
    "transpose": lambda a: tf.transpose(a["x"], _numbers(a["perm"])),
    "expand_dims": _expand_dims,
    "squeeze": _squeeze,
    "concat": lambda a: tf.concat(list(a["values"]), int(a["axis"])),
    "slice_by_index": _slice,
    "pad": _pad,
}
