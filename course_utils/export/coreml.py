"""A Keras network as a CoreML package for Apple's devices, and the proof that it is the same.

`convert` writes a ``.mlpackage`` that takes what a camera gives; `verify` reads it back and runs
it, on any system that coremltools exists for (section 13.5).
"""

import re
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.environment import __version__
from course_utils.export.mil import plain_name, quiet_coremltools
from course_utils.export.mil_parity import verify
from course_utils.export.palette import palette
from course_utils.export.source import (
    CAFFE,
    MINUS_ONE_TO_ONE,
    RAW,
    ZERO_TO_ONE,
    About,
    Pixels,
    Report,
    Source,
    Unsupported,
    all_layers,
    check_path,
    layer_of,
    printed,
    replacing,
)
from course_utils.export.trace import plain, traced

__all__ = [
    "CAFFE",
    "MINUS_ONE_TO_ONE",
    "RAW",
    "ZERO_TO_ONE",
    "About",
    "Pixels",
    "Unsupported",
    "convert",
    "verify",
]

IMAGE, TABLE = "image", "features"  # names of the input
LABEL, PROBABILITIES = "classLabel", "classLabel_probs"  # of the outputs, as Vision expects them
PRECISIONS = ("float16", "float32")
COMPRESSIONS = (None, "int8", "palette8", "palette6", "palette4")
OLDEST = "iOS16"  # the first to know compressed weights in a program
UNTRANSLATED = ("LSTM", "GRU", "SimpleRNN", "Bidirectional", "ConvLSTM2D")  # fail without a name
# Tensors with less than this share of the weights stay as they are. They are those of the first
# layers, whose errors grow in all that follow: for MobileNet 2 % more bytes, a third less error.
SMALL = 1 / 100


def convert(
    model: Any,
    path: str | Path,
    *,
    labels: Sequence[str] | None = None,
    preprocess: Pixels = RAW,
    compress: str | None = None,
    precision: str = "float16",
    target: str = OLDEST,
    output: str = "output",
    about: About | None = None,
    allow_custom: bool = False,
    overwrite: bool = False,
    report: Report = printed,
) -> Path:
    """Write a Keras network as a CoreML package.

    Args:
        model: Sequential or functional, of one input, a photo ``(height, width, 3 or 1)`` or a row
            of numbers ``(features,)``, and one output, ``(classes,)``.
        path: of the package, which ends in ``.mlpackage``; a folder.
        labels: names of the classes; then the package is a classifier, with the outputs
            ``classLabel`` and ``classLabel_probs``.
        preprocess: what the network takes, from the pixels of 0 to 255 that the package takes.
        compress: of the weights: None, ``"int8"``, ``"palette8"``, ``"palette6"``, ``"palette4"``.
        precision: ``"float16"``, in which Apple's processors compute, or ``"float32"``.
        target: the oldest system that is to run it, such as ``"iOS16"`` or ``"macOS14"``.
        output: name of the output where there are no labels, such as ``"mpg"``.
        about: what the package says about itself.
        allow_custom: try layers that Keras does not bring, too.
        overwrite: replace what is at ``path``.
        report: is called as the work goes on; by default each step is printed.

    Returns:
        ``path``.

    Raises:
        Unsupported: the network cannot be converted; with the name of the layer.
        ValueError: a parameter is none of those allowed, or ``path`` ends otherwise.
        FileExistsError: ``path`` is there, without ``overwrite``.
        ImportError: on Windows, where coremltools does not exist.
    """
    path = check_path(path, ".mlpackage", overwrite)
    source = Source(model, preprocess, allow_custom=allow_custom)
    names = source.check_labels(labels)
    _one_of("compress", compress, COMPRESSIONS)
    _one_of("precision", precision, PRECISIONS)
    steps = ["tracing the network", f"translating it to CoreML in {precision}"]
    steps += [f"compressing its weights to {compress}"] if compress else []
    steps += [f"writing {path.name}"]
    with quiet_coremltools() as coremltools, replacing(path) as draft:
        system = _target(coremltools, target)
        report(steps[0], 0, len(steps))
        function = traced(source.model, source.shape, IMAGE if source.is_image else TABLE)
        report(steps[1], 1, len(steps))
        package = _translated(coremltools, source, function, names, precision, system)
        if compress:
            report(steps[2], 2, len(steps))
            package = _compressed(package, compress)
        report(steps[-1], len(steps) - 1, len(steps))
        package = _described(coremltools, package, source, about or About(), output, bool(names))
        package.save(str(draft))
    report(f"{path.name} is written", len(steps), len(steps))
    return path


def _one_of(what: str, value: str | None, allowed: Sequence[str | None]) -> None:
    if value not in allowed:
        raise ValueError(f"{what} is one of {', '.join(map(repr, allowed))}, not {value!r}")


def _target(coremltools: Any, name: str) -> Any:
    """The deployment target of that name.

    Raises:
        ValueError: there is none, or it is too old for such packages.
    """
    systems = coremltools.target.__members__
    known = {
        key: value
        for key, value in systems.items()
        if key.startswith(("iOS", "macOS")) and value >= systems[OLDEST]
    }
    _one_of("target", name, sorted(known))
    return known[name]


def _translated(
    coremltools: Any,
    source: Source,
    function: Any,
    labels: list[str] | None,
    precision: str,
    target: Any,
) -> Any:
    """The network as coremltools' model, in memory.

    Raises:
        Unsupported: an operation does not exist in CoreML, or a shape is known only at run time.
    """
    try:
        package = coremltools.convert(
            [function],
            source="tensorflow",
            convert_to="mlprogram",
            inputs=[_input(coremltools, source)],
            classifier_config=coremltools.ClassifierConfig(labels) if labels else None,
            minimum_deployment_target=target,
            compute_precision=coremltools.precision[precision.upper()],
            skip_model_load=True,
        )
    except Exception as error:  # it raises what the operation makes it raise
        traceback.clear_frames(error.__traceback__)  # temporary folders go now, not at some time
        raise _refused(source.model, error) from error
    _must_be_static(package._mil_program.functions["main"].operations, source.model, function)
    return package


def _must_be_static(operations: Any, model: Any, function: Any) -> None:
    """No tensor whose size depends on what the network is given.

    Raises:
        Unsupported: with the layer that makes it.
    """
    from coremltools.converters.mil.mil.types.symbolic import any_symbolic

    nodes = {plain(node.name): node.name for node in function.graph.get_operations()}
    for op in operations:
        if op.op_type in ("const", "classify"):  # lists of texts have no shape
            continue
        if any(any_symbolic(var.shape) for var in op.outputs):
            name = plain_name(op.outputs[0].name)
            layer = layer_of(model, nodes.get(name, name)) or name
            raise Unsupported(
                f"The layer {layer!r} gives a tensor of a dynamic shape: its size depends on what "
                f"goes in (operation {op.op_type!r}). A phone needs to know it beforehand."
            )


def _refused(model: Any, error: Exception) -> Unsupported:
    """What coremltools said, and the layer that they are about."""
    said = str(error)
    node = re.search(r'name: "([^"]+)"', said)
    unknown = re.search(r"TF op '?(\w+)'? not implemented", said)
    layer = layer_of(model, node.group(1)) if node else ""
    what = f"The layer {layer!r}" if layer else f"The network {model.name!r}"
    if unknown:
        return Unsupported(
            f"{what} uses the operation {unknown.group(1)}, which cannot be translated to CoreML. "
            "Build the layer from others."
        )
    odd = [each for each in all_layers(model) if type(each).__name__ in UNTRANSLATED]
    hint = f" Its layer {odd[0].name!r} is a likely cause." if odd and not layer else ""
    reason = said.strip().splitlines() or [type(error).__name__]
    return Unsupported(f"{what} cannot be translated to CoreML: {reason[0]}.{hint}")


def _input(coremltools: Any, source: Source) -> Any:
    shape = (1, *source.shape)
    if not source.is_image:
        return coremltools.TensorType(name=TABLE, shape=shape)
    layouts = coremltools.colorlayout
    layout = layouts.BGR if source.pixels.bgr else layouts.RGB
    bias: Any = source.pixels.biases(source.shape[-1])
    if source.shape[-1] == 1:
        layout, bias = layouts.GRAYSCALE, bias[0]
    return coremltools.ImageType(
        name=IMAGE, shape=shape, scale=source.pixels.scale, bias=bias, color_layout=layout
    )


def _compressed(package: Any, how: str) -> Any:
    """The package with smaller weights; biases and other small tensors stay."""
    import coremltools.optimize.coreml as optimize

    operations = package._mil_program.functions["main"].operations
    constants = [op.val.val for op in operations if op.op_type == "const"]
    weights = sum(np.size(each) for each in constants if getattr(each, "ndim", 0) > 1)
    least = max(int(weights * SMALL), 1)
    if how == "int8":
        whole = optimize.OpLinearQuantizerConfig(mode="linear", weight_threshold=least)
        return optimize.linear_quantize_weights(package, optimize.OptimizationConfig(whole))
    bits = int(how.removeprefix("palette"))
    table = optimize.OpPalettizerConfig(
        mode="custom",
        lut_function=lambda weight: palette(weight, bits),
        weight_threshold=least,
    )
    return optimize.palettize_weights(package, optimize.OptimizationConfig(table))


def _described(
    coremltools: Any, package: Any, source: Source, about: About, output: str, classifies: bool
) -> Any:
    """The package with its outputs named, and with what a person has to know in it."""
    spec, weights = package.get_spec(), package.weights_dir
    if not classifies:
        coremltools.utils.rename_feature(spec, spec.description.output[0].name, output)
    package = coremltools.models.MLModel(spec, weights_dir=weights, skip_model_load=True)
    package.author, package.license, package.version = about.author, about.licence, about.version
    package.short_description = about.summary or f"The network {source.model.name}, made with Keras"
    entry = IMAGE if source.is_image else TABLE
    package.input_description[entry] = about.input or source.describe_input()
    if classifies:
        package.output_description[LABEL] = "The likeliest class"
        meaning = about.output or "The probability of each class, from 0 to 1"
        package.output_description[PROBABILITIES] = meaning
    else:
        package.output_description[output] = about.output or f"{source.classes} numbers"
    package.user_defined_metadata["com.networks-at-work.version"] = __version__
    return package
