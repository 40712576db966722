"""A CoreML package compared with the Keras network it was made from, on any system.

Several comparisons, because no single one finds every fault. The probabilities are what matters,
but a softmax hides many faults. The logits show more, but a ReLU that returns 0 for all samples
hides the faults before it. So both networks are run once more with each ReLU passing its input on.
The result is no prediction, but nearly every weight has a part in it. In float32, where rounding
errors are small enough, the values inside are compared, too: this shows faults in a number that is
later multiplied by almost 0.
"""

import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.export.graph import RELUS, Graph
from course_utils.export.mil import Program
from course_utils.export.parity import (
    Check,
    Parity,
    Tolerance,
    check_origin,
    compare_answers,
    find_largest,
    make_check,
    measure_agreement,
)
from course_utils.export.source import RAW, Pixels, Source
from course_utils.inference.tracing import find_layer

#: by the precision of a package: about twice MobileNet's difference on the photos of the course
TOLERANCES = {
    "float32": Tolerance(1e-5, 1e-5),
    "float16": Tolerance(0.05, 0.03),
}
#: of packages with compressed weights; one that goes further no longer is the same network
COMPRESSED_TOLERANCE = Tolerance(0.25, 0.2)
COLOURS_BGR = 30  # in CoreML's description of an image
MAX_OPENED = 8  # samples that are run with open ReLUs: nearly all weights show on each
MAX_INSIDE = 2  # samples of which all that is computed inside is compared
WITHOUT_RELU = "without ReLU"


def verify(path: str | Path, model: Any, samples: Any, *, preprocess: Pixels = RAW) -> Parity:
    """Reload a package from the disk, compute its program, and compare it with Keras.

    The largest difference allowed depends on the package's precision (`TOLERANCES`,
    `COMPRESSED_TOLERANCE`).

    Args:
        path: of the ``.mlpackage``.
        model: the Keras network it was made from.
        samples: photos ``(n, height, width, channels)`` in uint8 or rows ``(n, features)``.
        preprocess: as it was given to ``convert``; the package does it by itself.

    Returns:
        Whether it computes the same, and where not.

    Raises:
        FileNotFoundError: no package is there.
        ValueError: it is damaged, or takes or gives something else than the network.
        NotImplementedError: its program contains an operation that is not computed here.
    """
    source, program = Source(model, preprocess), Program.load(path)
    examples = source.check_samples(samples)
    shapes = program.input_shape, program.output_shape
    check_origin(Path(path).name, source, shapes, program.labels)
    return _Comparison(program, source, examples).compare(Path(path).name)


class _Comparison:
    """A program and the network it was made from, on the same samples.

    Attributes:
        shared: the program's operations whose result the network has too, by its name there;
            without products and recurrent cells.
        relus: the names of those that are a ReLU in both.
    """

    def __init__(self, program: Program, source: Source, samples: np.ndarray):
        self.program, self.source, self.samples = program, source, samples
        self.tolerance = TOLERANCES.get(program.precision, COMPRESSED_TOLERANCE)
        self.graph = Graph(source.model, source.shape)
        made = {_plain_name(op.outputs[0].name): op for op in program.operations}
        # coremltools moves constants from one product into another, and from one sum into another
        # in the cells of an unrolled recurrent layer. The operations keep their names.
        self.shared = {
            name: op
            for name, op in made.items()
            if name in self.graph.nodes and op.op_type != "mul" and "_cell" not in name
        }
        relus = {name for name, op in self.shared.items() if op.op_type in RELUS}
        self.relus = relus & self.graph.relus

    def compare(self, file: str) -> Parity:
        """Run both, the program from ``file``, and compare what they compute."""
        program = self.program
        got, logits = self._run_program([program.output, program.logits], self.samples)
        right = self._run_keras(self.samples)
        wanted = self.source.predict(self.samples)
        checks = compare_answers(got, wanted, self.tolerance, program.labels, (logits, right))
        if self.relus:
            checks.append(self._check_opened())
        if program.precision == "float32":
            samples = range(min(len(self.samples), MAX_INSIDE))
            found = [each for i in samples for each in self._check_inside(i)]
            checks += [max(found, key=_rate_difference)] if found else []
        failed = [each for each in checks if not each.passed]
        return Parity(
            file=file,
            precision=program.precision,
            samples=len(self.samples),
            checks=tuple(checks),
            agreement=measure_agreement(got, wanted),
            place=self._find_place(failed) if failed else "",
        )

    def _check_opened(self) -> Check:
        """The logits while every ReLU lets everything pass."""
        samples = self.samples[:MAX_OPENED]
        (got,) = self._run_program([self.program.logits], samples, self._opened)
        right = self._run_keras(samples, self.relus)
        scale, labels = find_largest(right), self.program.labels
        what = f"{WITHOUT_RELU}: logits"
        return make_check(what, got, right, self.tolerance.logits, scale, labels)

    def _check_inside(self, sample: int) -> list[Check]:
        """A check of each tensor that program and network share, in their order, ReLUs open."""
        names = [op.outputs[0].name for op in self.shared.values()]
        nodes = [self.graph.nodes[name] for name in self.shared]
        got = self.program.run(self._feed(self.samples[sample]), names, self._opened)
        prepared = self.source.prepare(self.samples[sample : sample + 1])
        right = self.graph.run(prepared, nodes, self.relus)[0]
        what = f"{WITHOUT_RELU}: inside" if self.relus else "inside"
        checks = []
        for op, node, wanted in zip(self.shared.values(), nodes, right, strict=True):
            layer = find_layer(self.source.model, node) or node
            found = _check_tensor(what, got[op.outputs[0].name], wanted, self.tolerance.logits)
            place = f"layer {layer!r}, operation {op.op_type}"
            checks += [replace(each, sample=sample, output=place) for each in found]
        return checks

    def _find_place(self, failed: list[Check]) -> str:
        """The first operation whose result is off, on the sample that is worst."""
        inside = self._check_inside(failed[0].sample)
        limit = 10 * self.tolerance.logits  # a fault shows more clearly than what it adds up to
        beyond = [each for each in inside if not each.difference <= limit]
        beyond += [each for each in inside if not each.passed]
        if not beyond:
            return ""
        return f"first off at the {beyond[0].output}, by {beyond[0].difference:.1e} of the largest"

    @property
    def _opened(self) -> set[str]:
        """The ReLUs' tensors, as the program calls them."""
        return {self.shared[name].outputs[0].name for name in self.relus}

    def _run_program(
        self, wanted: list[str], samples: np.ndarray, opened: Collection[str] = ()
    ) -> list[np.ndarray]:
        """Tensors of the program, one row for each sample."""
        rows = [self.program.run(self._feed(each), wanted, opened) for each in samples]
        return [np.concatenate([row[name].reshape(1, -1) for row in rows]) for name in wanted]

    def _run_keras(self, samples: np.ndarray, opened: Collection[str] = ()) -> np.ndarray:
        """The logits of the network, one row for each sample."""
        rows = self.graph.run(self.source.prepare(samples), [self.graph.logits], opened)
        return np.concatenate([row[0].reshape(1, -1) for row in rows])

    def _feed(self, sample: np.ndarray) -> np.ndarray:
        """A sample as the package takes it: what the system hands over, with nothing done to it."""
        if not self.source.is_image:
            return sample[None]
        space = self.program.spec.description.input[0].type.imageType.colorSpace
        ordered = sample[..., ::-1] if space == COLOURS_BGR else sample
        return ordered.transpose(2, 0, 1)[None].astype(np.float32)


def _plain_name(name: str) -> str:
    """A tensor's name without what coremltools adds to it where it changes its type."""
    return re.sub(r"_cast_fp16(_\d+)?$", "", name)


def _rate_difference(each: Check) -> float:
    return float(np.nan_to_num(each.difference, nan=np.inf))


def _check_tensor(what: str, got: np.ndarray, wanted: np.ndarray, tolerance: float) -> list[Check]:
    """The check of a tensor; none where the shapes do not fit, as after a fusion.

    A converter lays out images its own way: where shapes leave both open, the nearer one counts.
    """
    layouts = [got, got.transpose(0, 2, 3, 1)] if got.ndim == 4 else [got]
    rows = [each.reshape(1, -1) for each in layouts if each.shape == wanted.shape]
    right = wanted.reshape(1, -1)
    scale = find_largest(right)
    found = [make_check(what, row, right, tolerance, scale) for row in rows]
    return [min(found, key=_rate_difference)] if found else []
