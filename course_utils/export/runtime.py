"""An exported file in a runtime of its own, which exists for every system, against Keras."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.export.parity import Parity, Tolerance, agreement, compare
from course_utils.export.source import Source

BATCH = 16  # samples at a time


@dataclass(frozen=True)
class Runtime:
    """What runs an exported file.

    Attributes:
        name: of the runtime.
        run: some samples in, their answers out, ``(n, classes)``.
        takes: shape of a sample.
        gives: shape of its answer.
    """

    name: str
    run: Callable[[Any], np.ndarray]
    takes: tuple[int, ...]
    gives: tuple[int, ...]

    def compared(
        self,
        file: str,
        source: Source,
        samples: Any,
        labels: Sequence[str] | None,
        tolerance: Tolerance,
    ) -> Parity:
        """The answers of a file beside those of the network that it was made from.

        Raises:
            ValueError: it takes or gives something else, or names more or fewer classes.
        """
        if (self.takes, self.gives) != (source.shape, (source.classes,)):
            raise ValueError(
                f"{file} takes {self.takes} and gives {self.gives}, the network takes "
                f"{source.shape} and gives {(source.classes,)}: it was made from another one."
            )
        if labels is not None and len(labels) != source.classes:
            raise ValueError(f"{file} names {len(labels)} of {source.classes} classes.")
        parts = [samples[i : i + BATCH] for i in range(0, len(samples), BATCH)]
        got = np.concatenate([self.run(part) for part in parts])
        wanted = source.expected(samples)
        return Parity(
            file=file,
            runtime=self.name,
            precision="float32",
            samples=len(samples),
            checks=tuple(compare(got, wanted, tolerance, labels)),
            agreement=agreement(got, wanted),
        )
