"""A network for the iPhone against Keras: equality, size against error, and what goes unnoticed.

    python -m benchmarks.coreml_parity [--seed 0] [--only equal|sizes|weights|bytes]

- equal: the float32 packages of MobileNet (56 photos and crops of them) and of the MPG network (all
  rows) against Keras.
- sizes: float32, float16, int8 and palettes, LiteRT and ONNX: size, time, error, and how often the
  likeliest class is Keras', on all photos and on those that MobileNet knows.
- weights: in each tensor of MobileNet's float32 package in turn one random number is moved, by
  one standard deviation of its tensor and by less: is it noticed?
- bytes: single bytes of the file of weights are inverted, ten for each place in a number.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from course_utils.environment import set_tensorflow_defaults
from course_utils.export import coreml, litert, onnx
from course_utils.export.parity import Parity, measure_size
from tests.support import networks

TINY = coreml.MINUS_ONE_TO_ONE
STEPS = (1.0, 0.1, 0.01, 0.001)  # standard deviations
PACKAGES = {
    "CoreML float32": {"precision": "float32"},
    "CoreML float16": {},
    "CoreML int8": {"compress": "int8"},
    "CoreML 8-bit palette": {"compress": "palette8"},
    "CoreML 6-bit palette": {"compress": "palette6"},
    "CoreML 4-bit palette": {"compress": "palette4"},
}
AGREEMENT = {"CoreML float16": 0.99, "CoreML int8": 0.97, "CoreML 8-bit palette": 0.97}


def silent(step: str, done: int, total: int) -> None:
    """A report to nobody."""


def package(folder: Path, model: Any, **options: Any) -> Path:
    return coreml.convert(
        model,
        folder / "network.mlpackage",
        labels=networks.imagenet_labels(),
        preprocess=TINY,
        overwrite=True,
        report=silent,
        **options,
    )


def equal(console: Console, folder: Path, seed: int) -> bool:
    model, photos = networks.mobilenet(), networks.crops()
    image = coreml.verify(
        package(folder, model, precision="float32"), model, photos, preprocess=TINY
    )
    network, rows = networks.mpg_network()
    path = folder / "mpg.mlpackage"
    coreml.convert(network, path, precision="float32", output="mpg", report=silent)
    cars = coreml.verify(path, network, rows)
    table = Table("network", "samples", "what", "largest difference", title="float32 against Keras")
    for name, parity in (("MobileNet", image), ("MPG", cars)):
        for what, difference in parity.differences.items():
            table.add_row(name, str(parity.samples), what, f"{difference:.1e}")
    console.print(table)
    return (
        len(photos) >= 50
        and image.passed
        and image.differences["probabilities"] <= 1e-5
        and cars.differences["outputs"] <= 1e-4
    )


def exports(folder: Path, model: Any) -> Iterator[tuple[str, Path, float, Any]]:
    """Each export of MobileNet: name, file, seconds it took, what verifies it."""
    labels = networks.imagenet_labels()
    for name, options in PACKAGES.items():
        began = time.perf_counter()
        path = package(folder, model, **options)
        yield name, path, time.perf_counter() - began, coreml.verify
    for name, module, file in (("LiteRT", litert, "n.tflite"), ("ONNX", onnx, "n.onnx")):
        began = time.perf_counter()
        path = module.convert(model, folder / file, labels=labels, preprocess=TINY, report=silent)
        yield name, path, time.perf_counter() - began, module.verify


def sizes(console: Console, folder: Path, seed: int) -> bool:
    model, all_photos = networks.mobilenet(), networks.crops()
    known = networks.crops(parts=networks.MORE_CROPS, names=networks.known_photos(model))
    columns = ("export", "MB", "s", "prob.", "logits", "all", "known", "verify")
    title = "MobileNet: size, time, largest differences, same likeliest class"
    table, good = Table(*columns, title=title), len(known) >= 50
    for name, path, seconds, verify in exports(folder, model):
        parity: Parity = verify(path, model, all_photos, preprocess=TINY)
        certain = verify(path, model, known, preprocess=TINY)
        good &= seconds < 20 and certain.agreement >= AGREEMENT.get(name, 0)
        differences = [f"{parity.differences[what]:.1e}" for what in ("probabilities", "logits")]
        shares = [f"{each.agreement:.1%}" for each in (parity, certain)]
        size = f"{measure_size(path) / 1e6:.1f}"
        said = "passes" if parity.passed else "fails"
        table.add_row(name, size, f"{seconds:.1f}", *differences, *shares, said)
    console.print(table)
    console.print(
        f"all: {len(all_photos)} photos and crops; known: {len(known)} of those photos that show a "
        "class of ImageNet which Keras' MobileNet finds"
    )
    return good


def weights(console: Console, folder: Path, seed: int) -> bool:
    model, photos = networks.mobilenet(), networks.crops(parts=networks.CROPS[:1])[:3]
    path = package(folder, model, precision="float32")
    tensors, dice = networks.map_tensors(path), np.random.default_rng(seed)
    places = [int(dice.integers(tensor.size)) for tensor in tensors.values()]
    title = f"One number of each of {len(tensors)} tensors moved, {len(photos)} photos compared"
    table = Table("by (standard deviations)", "noticed", "not noticed in", title=title)
    shares = {}
    for step in STEPS:
        missed = []
        triples = list(zip(tensors, tensors.values(), places, strict=True))
        for name, tensor, place in track(triples, f"by {step:g}", console=console):
            before = tensor.flat[place]
            tensor.flat[place] += step * tensor.std()
            if coreml.verify(path, model, photos, preprocess=TINY).passed:
                missed.append(name)
            tensor.flat[place] = before
        shares[step] = 1 - len(missed) / len(tensors)
        table.add_row(f"{step:g}", f"{shares[step]:.1%}", ", ".join(missed[:3]))
    console.print(table)
    always = [step for step in STEPS if shares[step] == 1]
    console.print(f"Always noticed: from {min(always):g} on" if always else "None always noticed")
    assert coreml.verify(path, model, photos, preprocess=TINY).passed, "it was not put back"
    return shares[1.0] >= 0.9


def flipped(path: Path, position: int, model: Any, photos: np.ndarray) -> bool:
    """Whether it is noticed that this byte of the weights is inverted."""
    file = networks.weight_file(path)
    networks.flip_byte(file, position)
    try:
        return not coreml.verify(path, model, photos, preprocess=TINY).passed
    except ValueError:  # the file cannot be read any more
        return True
    finally:
        networks.flip_byte(file, position)


def inverted(console: Console, folder: Path, seed: int, number: int = 10) -> bool:
    model, photos = networks.mobilenet(), networks.crops(parts=networks.CROPS[:1])[:3]
    path = package(folder, model, precision="float32")
    tensors = [*networks.map_tensors(path).values()]
    dice = np.random.default_rng(seed)
    kinds = (
        "lowest of the fraction",
        "middle of the fraction",
        "highest, and a bit of the exponent",
    )
    table = Table("byte of a number", "noticed", title="One byte of the weights inverted")
    shares = []
    for byte, kind in enumerate((*kinds, "sign and exponent")):
        noticed = 0
        for _ in track(range(number), kind, console=console):
            tensor = tensors[dice.integers(len(tensors))]
            position = tensor.offset + 4 * int(dice.integers(tensor.size)) + byte
            noticed += flipped(path, position, model, photos)
        shares.append(noticed / number)
        table.add_row(kind, f"{shares[-1]:.0%}")
    console.print(table)
    return shares[3] >= 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=["equal", "sizes", "weights", "bytes"])
    arguments = parser.parse_args()
    set_tensorflow_defaults()
    checks = {"equal": equal, "sizes": sizes, "weights": weights, "bytes": inverted}
    failed = []
    for name, check in checks.items():
        if arguments.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                if not check(Console(), Path(folder), arguments.seed):
                    failed.append(name)
    if failed:
        sys.exit(f"Not as promised: {', '.join(failed)}")


if __name__ == "__main__":
    main()
