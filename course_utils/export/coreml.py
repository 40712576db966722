"""A Keras network as a CoreML package for Apple's devices, and the proof that it is the same.

`convert` writes a ``.mlpackage`` that takes what a camera gives; `verify` reads it back and runs
it, on any system that coremltools exists for (section 13.5).
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.export.conversion import Report, check_path, print_step, write_export
from course_utils.export.mil import import_coremltools
from course_utils.export.mil_parity import verify as verify
from course_utils.export.source import Source
from course_utils.inference.pixels import CAFFE, MINUS_ONE_TO_ONE, RAW, ZERO_TO_ONE, Pixels  # noqa: F401
from course_utils.inference.tracing import trace_network

IMAGE, TABLE = "image", "features"  # names of the input
LABEL, PROBABILITIES = "classLabel", "classLabel_probs"  # of the outputs, as Vision expects them
PRECISIONS = ("float16", "float32")
PALETTE_BITS = {"palette8": 8, "palette6": 6, "palette4": 4}
COMPRESSIONS = (None, "int8", *PALETTE_BITS)
DEPLOYMENT_TARGET = "iOS16"  # the first to know compressed weights in a program
# Tensors with less than this share of the weights stay as they are: those of the first layers,
# whose errors grow in all that follow, and other small ones. For MobileNet this costs 2 % more
# bytes, and takes away a third of the error.
MIN_COMPRESSED_SHARE = 1 / 100


def convert(
    model: Any,
    path: str | Path,
    *,
    labels: Sequence[str] | None = None,
    preprocess: Pixels = RAW,
    compress: str | None = None,
    precision: str = "float16",
    output: str = "output",
    author: str = "",
    licence: str = "",
    overwrite: bool = False,
    report: Report = print_step,
) -> Path:
    """Write a Keras network as a CoreML package for iOS 16 and what came after it.

    Args:
        model: Sequential or functional, of one input, a photo ``(height, width, 3 or 1)`` or a row
            of numbers ``(features,)``, and one output, ``(classes,)``.
        path: of the package, which ends in ``.mlpackage``; a folder.
        labels: names of the classes; then the package is a classifier, with the outputs
            ``classLabel`` and ``classLabel_probs``.
        preprocess: what the network takes, from the pixels of 0 to 255 that the package takes.
        compress: of the weights: None, ``"int8"``, ``"palette8"``, ``"palette6"``, ``"palette4"``.
        precision: ``"float16"``, in which Apple's processors compute, or ``"float32"``.
        output: name of the output where there are no labels, such as ``"mpg"``.
        author: who the package names as its author.
        licence: what it says of its licence.
        overwrite: replace what is at ``path``.
        report: is called as the work goes on; by default each step is printed.

    Returns:
        ``path``.

    Raises:
        UnsupportedNetwork: the network cannot be converted; with the name of the layer.
        ValueError: a parameter is none of those allowed, or ``path`` ends otherwise.
        FileExistsError: ``path`` is there, without ``overwrite``.
        ImportError: on Windows, where coremltools does not exist.
    """
    path = check_path(path, ".mlpackage", overwrite)
    source = Source(model, preprocess, labels)
    _check_choice("compress", compress, COMPRESSIONS)
    _check_choice("precision", precision, PRECISIONS)
    steps = ["tracing the network", f"translating it to CoreML in {precision}"]
    steps += [f"compressing its weights to {compress}"] if compress else []
    steps += [f"writing {path.name}"]
    coremltools = import_coremltools()
    with write_export(path, source, "CoreML", replace_folder=overwrite) as draft:
        report(steps[0], 0, len(steps))
        traced = trace_network(model, source.shape, _input_name(source), examples=1)
        function = traced.get_concrete_function()
        report(steps[1], 1, len(steps))
        packages = [_translate(coremltools, source, function, precision)]
        try:
            if compress:
                report(steps[2], 2, len(steps))
                packages.append(_compress(packages[0], compress))
            report(steps[-1], len(steps) - 1, len(steps))
            packages.append(_describe(coremltools, packages[-1], source, output))
            packages[-1].author, packages[-1].license = author, licence
            packages[-1].save(str(draft))
        finally:
            for package in packages:  # else they stay until the process ends, or for ever
                shutil.rmtree(package.package_path, ignore_errors=True)
    return path


def _check_choice(what: str, value: str | None, allowed: Sequence[str | None]) -> None:
    if value not in allowed:
        raise ValueError(f"{what} is one of {', '.join(map(repr, allowed))}, not {value!r}")


def _input_name(source: Source) -> str:
    return IMAGE if source.is_image else TABLE


def _translate(coremltools: Any, source: Source, function: Any, precision: str) -> Any:
    """The network as coremltools' model, in memory."""
    labels = source.labels
    return coremltools.convert(
        [function],
        source="tensorflow",
        convert_to="mlprogram",
        inputs=[_describe_input(coremltools, source)],
        classifier_config=coremltools.ClassifierConfig(labels) if labels else None,
        minimum_deployment_target=coremltools.target[DEPLOYMENT_TARGET],
        compute_precision=coremltools.precision[precision.upper()],
        skip_model_load=True,
    )


def _describe_input(coremltools: Any, source: Source) -> Any:
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


def _compress(package: Any, how: str) -> Any:
    """The package with smaller weights; biases and other small tensors stay."""
    import coremltools.optimize.coreml as optimize

    operations = package._mil_program.functions["main"].operations
    constants = [op.val.val for op in operations if op.op_type == "const"]
    weights = sum(np.size(each) for each in constants if getattr(each, "ndim", 0) > 1)
    threshold = max(int(weights * MIN_COMPRESSED_SHARE), 1)
    if how == "int8":
        whole = optimize.OpLinearQuantizerConfig(mode="linear", weight_threshold=threshold)
        return optimize.linear_quantize_weights(package, optimize.OptimizationConfig(whole))
    table = optimize.OpPalettizerConfig(
        mode="custom",
        lut_function=lambda weight: _make_palette(weight, PALETTE_BITS[how]),
        weight_threshold=threshold,
    )
    return optimize.palettize_weights(package, optimize.OptimizationConfig(table))


def _make_palette(weight: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Cluster the numbers of a tensor.

    coremltools' own search takes 40 seconds more for MobileNet's 256 values in each tensor.

    Returns:
        The clusters' means, ``(2 ** bits,)``, and for each number of the flattened tensor the
        position of its own, in uint8.
    """
    from sklearn.cluster import KMeans

    values, position, counts = np.unique(
        weight.ravel().astype(np.float16), return_inverse=True, return_counts=True
    )
    number = min(1 << bits, len(values))
    clusters = KMeans(number, n_init=1, random_state=0).fit(
        values[:, None].astype(np.float64), sample_weight=counts
    )
    table = np.zeros(1 << bits, weight.dtype)
    table[:number] = clusters.cluster_centers_[:, 0]
    return table, clusters.labels_[position].astype(np.uint8)


def _describe(coremltools: Any, package: Any, source: Source, output: str) -> Any:
    """The package with its outputs named, and with what a person has to know in it."""
    spec, weights = package.get_spec(), package.weights_dir
    if not source.labels:
        coremltools.utils.rename_feature(spec, spec.description.output[0].name, output)
    package = coremltools.models.MLModel(spec, weights_dir=weights, skip_model_load=True)
    package.short_description = f"The network {source.model.name}, made with Keras"
    package.input_description[_input_name(source)] = source.describe_input()
    if source.labels:
        package.output_description[LABEL] = "The likeliest class"
        package.output_description[PROBABILITIES] = "The probability of each class, from 0 to 1"
    else:
        package.output_description[output] = f"{source.classes} numbers"
    return package
