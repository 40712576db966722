"""A CoreML package compared with the Keras network it was made from, on any system.

Several comparisons, because no one of them sees everything. The probabilities are what matters, but
a softmax hides much. The logits show more; yet a ReLU that is closed for all samples hides what is
wrong behind it. So both networks are run once more with all ReLUs open: what comes out then means
nothing, but nearly every weight has a part in it. In float32, where rounding leaves room for it,
what is computed inside is compared too: a number that is multiplied by almost 0 later shows there.
"""

import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.export.mil import Program, plain_name, quiet_coremltools
from course_utils.export.parity import (
    Check,
    Parity,
    Tolerance,
    agreement,
    are_probabilities,
    check,
    compare,
    largest_of_each,
    size_of_each,
)
from course_utils.export.source import RAW, Pixels, Source, layer_of
from course_utils.export.trace import Graph

#: by the precision of a package: about twice what MobileNet is off on the photos of the course
TOLERANCES = {
    "float32": Tolerance(1e-5, 1e-5),
    "float16": Tolerance(0.05, 0.03),
}
#: of packages with compressed weights; one that goes further no longer is the same network
COMPRESSED = Tolerance(0.25, 0.2)
COLOURS_BGR = 30  # in CoreML's description of an image
OPENED = 8  # samples that are run with open ReLUs, at most: nearly all weights show on each
INSIDE = 2  # samples of which all that is computed inside is compared, at most
OPEN = "without ReLU"


def verify(
    path: str | Path,
    model: Any,
    samples: Any,
    *,
    preprocess: Pixels = RAW,
    tolerance: Tolerance | None = None,
    allow_custom: bool = False,
) -> Parity:
    """Reload a package from the disk, run it and compare it with Keras.

    Its program is computed operation by operation (`mil.Program`); on a Mac, CoreML runs it too.

    Args:
        path: of the ``.mlpackage``.
        model: the Keras network it was made from.
        samples: photos ``(n, height, width, channels)`` in uint8 or rows ``(n, features)``.
        preprocess: as it was given to ``convert``; the package does it by itself.
        tolerance: by default what the package's precision allows (`TOLERANCES`, `COMPRESSED`).
        allow_custom: as in ``convert``.

    Returns:
        Whether it computes the same, and where not.

    Raises:
        FileNotFoundError: no package is there.
        ValueError: it is damaged, or takes or gives something else than the network.
        mil.UnknownOperation: its program contains an operation that is not computed here.
    """
    source = Source(model, preprocess, allow_custom=allow_custom)
    photos = source.check_samples(samples)
    program = Program.load(path)
    pair = _Pair(program, source, photos)
    precision = program.precision
    allowed = tolerance or TOLERANCES.get(precision, COMPRESSED)
    wanted = source.expected(photos)
    got, checks = pair.checks(wanted, allowed)
    place = "" if all(each.passed for each in checks) else pair.first_difference(checks, allowed)
    runtime = "its program operation by operation"
    if sys.platform == "darwin":
        runtime += ", and CoreML"
        answers = answers_of_coreml(path, program, photos)
        loose = tolerance or max(allowed, TOLERANCES["float16"], key=lambda each: each.logits)
        checks += compare(answers, wanted, loose, program.labels, "on this Mac: ")
    return Parity(
        file=Path(path).name,
        runtime=runtime,
        precision=precision,
        samples=len(photos),
        checks=tuple(checks),
        agreement=agreement(got, wanted),
        place=place,
    )


class _Pair:
    """A program and the network it was made from, on the same samples."""

    def __init__(self, program: Program, source: Source, photos: np.ndarray):
        self.program, self.source, self.photos = program, source, photos
        shape = source.shape
        takes = (shape[2], *shape[:2]) if source.is_image else shape
        if program.input_shape != (1, *takes):
            raise ValueError(
                f"the package takes {program.input_shape}, but the network {(1, *takes)}: it was "
                "made from another one."
            )
        self.prepared = source.pixels.apply(photos) if source.is_image else photos
        self.graph = Graph(source.model, shape)
        made = {plain_name(op.outputs[0].name): op for op in program.operations}
        self.common = {name: op for name, op in made.items() if name in self.graph.nodes}
        common = self.common.items()
        relus = {name for name, op in common if op.op_type in ("relu", "relu6")}
        self.relus = relus & self.graph.relus

    def checks(self, wanted: np.ndarray, allowed: Tolerance) -> tuple[np.ndarray, list[Check]]:
        """What the program answers, and how it compares."""
        program, labels = self.program, self.program.labels
        if not are_probabilities(wanted):
            labels = None
        elif labels is None:
            labels = [f"class {number}" for number in range(wanted.shape[1])]
        got, logits = self._program([program.output, program.logits])
        if got.shape != wanted.shape:
            raise ValueError(
                f"the package gives {got.shape[1]} numbers, but the network {wanted.shape[1]}: it "
                "was made from another one."
            )
        right = wanted if labels is None else self._keras([self.graph.logits])[0]
        scale = size_of_each(wanted) if labels is None else largest_of_each(right)
        if labels is None:
            checks = [check("outputs", got, wanted, allowed.logits, scale)]
        else:
            checks = [
                check("probabilities", got, wanted, allowed.probabilities, labels=labels),
                check("logits", logits, right, allowed.logits, scale, labels),
            ]
        return got, checks + self._hidden(allowed, labels)

    def _hidden(self, allowed: Tolerance, labels: list[str] | None) -> list[Check]:
        """What the answers do not show."""
        checks = []
        if self.relus:
            got = self._program([self.program.logits], self._opened, OPENED)[0]
            right = self._keras([self.graph.logits], self.relus, OPENED)[0]
            scale = largest_of_each(right)
            checks.append(check(f"{OPEN}: logits", got, right, allowed.logits, scale, labels))
        if self.program.precision == "float32":
            opened = bool(self.relus)
            samples = range(min(len(self.photos), INSIDE))
            found = [each for i in samples for each in self._inside(i, allowed, opened=opened)]
            checks += [max(found, key=_badness)] if found else []
        return checks

    @property
    def _opened(self) -> set[str]:
        """The ReLUs' tensors, as the program calls them."""
        return {self.common[name].outputs[0].name for name in self.relus}

    def _program(
        self, wanted: list[str], opened: Collection[str] = (), most: int | None = None
    ) -> list[np.ndarray]:
        """Tensors of the program, one row a sample."""
        rows = [self._run(photo, wanted, opened) for photo in self.photos[:most]]
        return [np.concatenate([row[name].reshape(1, -1) for row in rows]) for name in wanted]

    def _run(self, photo: np.ndarray, wanted: list[str], opened: Collection[str]) -> Any:
        return self.program.run(self._fed(photo), wanted, opened)

    def _fed(self, photo: np.ndarray) -> np.ndarray:
        """A sample as the package takes it: what the system hands over, with nothing done to it."""
        if not self.source.is_image:
            return photo[None]
        space = self.program.spec.description.input[0].type.imageType.colorSpace
        ordered = photo[..., ::-1] if space == COLOURS_BGR else photo
        return ordered.transpose(2, 0, 1)[None].astype(np.float32)

    def _keras(
        self, nodes: list[str], opened: Collection[str] = (), most: int | None = None
    ) -> list[np.ndarray]:
        rows = self.graph.run(self.prepared[:most], nodes, opened)
        return [np.concatenate([row[i].reshape(1, -1) for row in rows]) for i in range(len(nodes))]

    def _inside(self, sample: int, allowed: Tolerance, *, opened: bool) -> list[Check]:
        """A check of each tensor that program and network share, in their order."""
        names = [op.outputs[0].name for op in self.common.values()]
        nodes = [self.graph.nodes[name] for name in self.common]
        relus = (self._opened, self.relus) if opened else ((), ())
        got = self._run(self.photos[sample], names, relus[0])
        right = self.graph.run(self.prepared[sample : sample + 1], nodes, relus[1])[0]
        what = f"{OPEN}: inside" if opened else "inside"
        checks = []
        for op, node, wanted in zip(self.common.values(), nodes, right, strict=True):
            layer = layer_of(self.source.model, node) or node
            found = _nearest(what, got[op.outputs[0].name], wanted, allowed.logits)
            place = f"layer {layer!r}, operation {op.op_type}"
            checks += [replace(each, sample=sample, output=place) for each in found]
        return checks

    def first_difference(self, checks: list[Check], allowed: Tolerance) -> str:
        """The first operation whose result is off, on the sample that is worst."""
        failed = [each for each in checks if not each.passed]
        opened = all(each.what.startswith(OPEN) for each in failed)
        inside = self._inside(failed[0].sample, allowed, opened=opened)
        beyond = [each for each in inside if not each.difference <= 10 * allowed.logits]
        beyond += [each for each in inside if not each.passed]
        if not beyond:
            return ""
        return f"first off at the {beyond[0].output}, by {beyond[0].difference:.1e} of the largest"


def _badness(each: Check) -> float:
    return float(np.nan_to_num(each.difference, nan=np.inf))


def _nearest(what: str, got: np.ndarray, wanted: np.ndarray, tolerance: float) -> list[Check]:
    """The check of a tensor; none where the shapes do not fit, as after a fusion.

    A converter lays out images its own way: where shapes leave both open, the nearer one counts.
    """
    layouts = [got, got.transpose(0, 2, 3, 1)] if got.ndim == 4 else [got]
    rows = [each.reshape(1, -1) for each in layouts if each.shape == wanted.shape]
    right = wanted.reshape(1, -1)
    scale = largest_of_each(right)
    found = [check(what, row, right, tolerance, scale) for row in rows]
    return [min(found, key=_badness)] if found else []


def answers_of_coreml(path: str | Path, program: Program, photos: np.ndarray) -> np.ndarray:
    """What CoreML itself answers, ``(n, classes)``; only on a Mac.

    It was written by coremltools' documentation: no test of the course runs on a Mac.
    """
    from PIL import Image

    description = program.spec.description
    name, output = description.input[0].name, description.output[0].name
    labels, answers = program.labels, []
    with quiet_coremltools() as coremltools:
        model = coremltools.models.MLModel(
            str(path), compute_units=coremltools.ComputeUnit.CPU_ONLY
        )
        for photo in photos:
            example = Image.fromarray(photo.squeeze()) if photo.ndim == 3 else photo[None]
            answer = model.predict({name: example})
            if labels is None:
                answers.append(np.asarray(answer[output]).ravel())
            else:
                by_name = answer[description.predictedProbabilitiesName]
                answers.append(np.array([by_name[label] for label in labels]))
    return np.stack(answers).astype(np.float32)
