"""How far what was exported is from Keras, in figures and in a sentence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.export.source import Source, compute_in_batches

Shapes = tuple[tuple[int, ...], tuple[int, ...]]  # of an example and of its answer
#: two softmaxes of equal logits differ by up to four units in the last place of a float32, and the
#: logarithms of their probabilities by as much
RESOLUTION = 4 * float(np.finfo(np.float32).eps)
MIN_PROBABILITY = 1e-37  # below it float32 loses digits, so logarithms of probabilities stop there


@dataclass(frozen=True)
class Tolerance:
    """How far a difference may go.

    Attributes:
        probabilities: each, absolutely.
        logits: in parts of the sample's largest; answers that are no probabilities, in parts of
            themselves.
    """

    probabilities: float
    logits: float


@dataclass(frozen=True)
class Check:
    """The largest difference of one kind, and where it is.

    Attributes:
        what: ``"probabilities"``, ``"logits"``, ``"outputs"`` (of a network that gives no
            probabilities), ``"without ReLU: logits"``, ``"inside"`` or ``"without ReLU: inside"``.
        difference: the largest.
        tolerance: what it may be.
        sample: which sample it is on.
        output: the class, by its name or number; inside, the layer.
        got: what the exported network gave there.
        wanted: what Keras gives.
    """

    what: str
    difference: float
    tolerance: float
    sample: int
    output: str
    got: float
    wanted: float

    @property
    def passed(self) -> bool:
        return self.difference <= self.tolerance  # not of NaN

    def __str__(self) -> str:
        sign = "<=" if self.passed else "> "
        text = f"{self.what}: {self.difference:.1e} {sign} {self.tolerance:.0e}"
        if self.passed:
            return text
        where = f"sample {self.sample}, {self.output}: {self.got:.6g} for {self.wanted:.6g}"
        return f"{text} ({where})"


@dataclass(frozen=True)
class Parity:
    """What ``verify`` found. ``print`` it, or ask ``passed``.

    Attributes:
        file: name of what was compared.
        precision: what it computes with and how its weights are stored.
        samples: how many were compared.
        checks: the comparisons.
        agreement: the share of samples with the same likeliest class; None without classes.
        place: where inside the network it first goes wrong, if it does and that can be known.
    """

    file: str
    precision: str
    samples: int
    checks: tuple[Check, ...]
    agreement: float | None = None
    place: str = ""

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def differences(self) -> dict[str, float]:
        """The largest difference of each kind: ``{"probabilities": 1e-7, ...}``."""
        return {check.what: check.difference for check in self.checks}

    def __str__(self) -> str:
        does = "computes what Keras computes" if self.passed else "DOES NOT compute what Keras does"
        lines = [f"{self.file} ({self.precision}) {does}, {self.samples} samples"]
        lines += [f"  {check}" for check in self.checks]
        if self.agreement is not None:
            lines.append(f"  same likeliest class: {self.agreement:.1%}")
        return "\n".join([*lines, f"  {self.place}"] if self.place else lines)


def compare_runtime(
    file: str,
    source: Source,
    samples: Any,
    tolerance: Tolerance,
    *,
    run: Callable[[np.ndarray], np.ndarray],
    shapes: Shapes,
    labels: Sequence[str] | None,
) -> Parity:
    """Compare the answers of an exported file with those of the network that it was made from.

    Args:
        file: its name.
        source: the network.
        samples: as `Source.check_samples` takes them.
        tolerance: what a difference may be.
        run: what the file's runtime computes, ``(n, classes)``, of some examples.
        shapes: of an example and of its answer, as the file has them.
        labels: the names of the classes, where the file has them.

    Raises:
        ValueError: it takes or gives something else, or names more or fewer classes.
    """
    examples = source.check_samples(samples)
    check_origin(file, source, shapes, labels)
    got, wanted = compute_in_batches(run, examples), source.predict(examples)
    checks = compare_answers(got, wanted, tolerance, labels)
    return Parity(file, "float32", len(examples), tuple(checks), measure_agreement(got, wanted))


def check_origin(file: str, source: Source, shapes: Shapes, labels: Sequence[str] | None) -> None:
    """Whether a file can have been made from a network.

    Raises:
        ValueError: it takes or gives something else, or names more or fewer classes.
    """
    if shapes != (source.shape, (source.classes,)):
        raise ValueError(
            f"{file} takes {shapes[0]} and gives {shapes[1]}, the network takes "
            f"{source.shape} and gives {(source.classes,)}: it was made from another one."
        )
    if labels is not None and len(labels) != source.classes:
        raise ValueError(f"{file} names {len(labels)} of {source.classes} classes.")


def compare_answers(
    got: np.ndarray,
    wanted: np.ndarray,
    tolerance: Tolerance,
    labels: Sequence[str] | None = None,
    logits: tuple[np.ndarray, np.ndarray] | None = None,
) -> list[Check]:
    """The checks on the answers of a network, ``(samples, outputs)``.

    ``logits`` are those behind both, for runtimes that show them; else they are the logarithms of
    the probabilities, each row's mean taken off.
    """
    if not is_classifier(wanted):
        scale = np.abs(wanted)  # of numbers near 0, a tenth of the largest counts
        scale = np.maximum(scale, max(scale.max() / 10, 1e-6))
        return [make_check("outputs", got, wanted, tolerance.logits, scale, labels)]
    theirs, ours = logits or (recover_logits(got), recover_logits(wanted))
    scale = find_largest(ours)
    if logits is None:
        scale = np.maximum(scale, RESOLUTION / max(tolerance.logits, RESOLUTION))
    return [
        make_check("probabilities", got, wanted, tolerance.probabilities, labels=labels),
        make_check("logits", theirs, ours, tolerance.logits, scale, labels),
    ]


def make_check(
    what: str,
    got: np.ndarray,
    wanted: np.ndarray,
    tolerance: float,
    scale: np.ndarray | float = 1.0,
    labels: Sequence[str] | None = None,
) -> Check:
    """Compare two arrays of shape ``(samples, outputs)``; ``scale`` is what a difference is of."""
    with np.errstate(invalid="ignore"):  # infinity minus infinity is NaN, and fails
        differences = np.abs(got.astype(np.float64) - wanted) / scale
    position = int(np.argmax(np.nan_to_num(differences, nan=np.inf, posinf=np.inf)))
    sample, output = divmod(position, differences.shape[1])
    return Check(
        what=what,
        difference=float(differences[sample, output]),
        tolerance=tolerance,
        sample=sample,
        output=labels[output] if labels else f"output {output}",
        got=float(got[sample, output]),
        wanted=float(wanted[sample, output]),
    )


def is_classifier(answers: np.ndarray) -> bool:
    """Whether answers are a classifier's: in each row, a probability for each of its classes."""
    sums = answers.sum(axis=1)
    return answers.shape[1] > 1 and bool((answers >= 0).all() and np.abs(sums - 1).max() < 1e-3)


def recover_logits(probabilities: np.ndarray) -> np.ndarray:
    """What a softmax was given, but for a constant in each row: here the row's mean is 0."""
    with np.errstate(invalid="ignore"):  # of infinities NaN becomes, which never passes
        logs = np.log(np.maximum(probabilities.astype(np.float64), MIN_PROBABILITY))
        return logs - logs.mean(axis=1, keepdims=True)


def find_largest(logits: np.ndarray) -> np.ndarray:
    """The largest absolute value of each row, as a column."""
    return np.maximum(np.abs(logits).max(axis=1, keepdims=True), 1e-6)


def measure_agreement(got: np.ndarray, wanted: np.ndarray) -> float | None:
    """The share of samples with the same likeliest class; None where there are no classes."""
    if not is_classifier(wanted):
        return None
    return float((got.argmax(axis=1) == wanted.argmax(axis=1)).mean())


def measure_size(path: str | Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    path = Path(path)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
