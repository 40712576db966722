"""How far what was exported is from Keras, in figures and in a sentence."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

SMALLEST = 1e-37  # below it float32 loses digits, so logarithms of probabilities stop there


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
            probabilities), or one of these, or ``"inside"``, with ``"without ReLU: "`` or
            ``"on this Mac: "`` before.
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
        runtime: what ran it.
        precision: what it computes with and how its weights are stored.
        samples: how many were compared.
        checks: the comparisons.
        agreement: the share of samples with the same likeliest class; None without classes.
        place: where inside the network it first goes wrong, if it does and that can be known.
    """

    file: str
    runtime: str
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

    @property
    def worst(self) -> Check:
        """The check that is furthest beyond its tolerance, or nearest to it."""
        ratios = [
            np.nan_to_num(each.difference / each.tolerance, nan=np.inf) for each in self.checks
        ]
        return self.checks[int(np.argmax(ratios))]

    def to_dict(self) -> dict[str, Any]:
        """All of it in plain types, for JSON or a table."""
        return {**asdict(self), "passed": self.passed}

    def __str__(self) -> str:
        verdict = (
            "computes what Keras computes" if self.passed else "DOES NOT compute what Keras does"
        )
        lines = [
            f"{self.file} ({self.precision}, {self.runtime}) {verdict}, {self.samples} samples"
        ]
        lines += [f"  {check}" for check in self.checks]
        if self.agreement is not None:
            lines.append(f"  same likeliest class: {self.agreement:.1%}")
        return "\n".join([*lines, f"  {self.place}"] if self.place else lines)


def are_probabilities(answers: np.ndarray) -> bool:
    """Whether each row is a probability for each of several classes."""
    sums = answers.sum(axis=1)
    return answers.shape[1] > 1 and bool((answers >= 0).all() and np.abs(sums - 1).max() < 1e-3)


def logits_of(probabilities: np.ndarray) -> np.ndarray:
    """What a softmax was given, but for a constant in each row: here the row's mean is 0."""
    with np.errstate(invalid="ignore"):  # of infinities NaN becomes, which never passes
        logs = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))
        return logs - logs.mean(axis=1, keepdims=True)


def check(
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


def largest_of_each(logits: np.ndarray) -> np.ndarray:
    """The largest absolute value of each row, as a column."""
    return np.maximum(np.abs(logits).max(axis=1, keepdims=True), 1e-6)


def size_of_each(outputs: np.ndarray) -> np.ndarray:
    """The absolute value of each number; at least a tenth of the largest, for those near 0."""
    sizes = np.abs(outputs)
    return np.maximum(sizes, max(sizes.max() / 10, 1e-6))


def compare(
    got: np.ndarray,
    wanted: np.ndarray,
    tolerance: Tolerance,
    labels: Sequence[str] | None = None,
    prefix: str = "",
) -> list[Check]:
    """The checks on answers alone, for runtimes that show nothing else.

    The logits of probabilities are their logarithms, each row's mean taken off.
    """
    if not are_probabilities(wanted):
        scale = size_of_each(wanted)
        return [check(f"{prefix}outputs", got, wanted, tolerance.logits, scale, labels)]
    logits, right = logits_of(got), logits_of(wanted)
    scale = largest_of_each(right)
    return [
        check(f"{prefix}probabilities", got, wanted, tolerance.probabilities, labels=labels),
        check(f"{prefix}logits", logits, right, tolerance.logits, scale, labels),
    ]


def agreement(got: np.ndarray, wanted: np.ndarray) -> float | None:
    """The share of samples with the same likeliest class; None where there are no classes."""
    if not are_probabilities(wanted):
        return None
    return float((got.argmax(axis=1) == wanted.argmax(axis=1)).mean())


def size_on_disk(path: str | Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    path = Path(path)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
