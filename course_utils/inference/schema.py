"""From a table of examples to a strict contract for one more example.

`FeatureSchema.from_frame` reads the range of each feature off the training data; `validate`
then answers for a single example, naming every fault at once, and `to_json_schema` says the
same to machines (JSON Schema, draft 2020-12). Section 13.1 of the chapter checks ranges too;
here types, unknown names and infinities are refused as well.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils.inference.labels import fits_labels

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from course_utils.inference.predictor import Predictor

SHOWN_CHARACTERS = 40  # of a value, in a message
NUMBERS = (int, float)  # made once: `int | float` would be made at each check
JSON_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with an example or a request."""

    pointer: str  # JSON pointer (RFC 6901) to the place; "" is the whole document
    detail: str  # one sentence for a person
    received: str  # what stood there, shortened
    allowed: str  # what may stand there


class InvalidExample(ValueError):
    """An example breaks the schema; ``faults`` holds every fault found."""

    def __init__(self, faults: list[Fault]):
        super().__init__("; ".join(f"{fault.pointer or '/'}: {fault.detail}" for fault in faults))
        self.faults = faults


def pointer(name: str) -> str:
    """The JSON pointer (RFC 6901) to a top-level key."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


@dataclass(frozen=True, slots=True)
class Feature:
    """A numeric feature: its name, its kind and the range seen in training."""

    name: str
    integer: bool
    minimum: float
    maximum: float

    @property
    def allowed(self) -> str:
        """For people: ``a number from 46 to 230``."""
        kind = "an integer" if self.integer else "a number"
        return f"{kind} from {self.minimum:g} to {self.maximum:g}"

    def accepts(self, value: Any) -> bool:
        """Whether this is a number of the feature's kind and range; ``8.0`` is an integer, too."""
        if not isinstance(value, NUMBERS) or isinstance(value, bool):
            return False
        return self.minimum <= value <= self.maximum and not (self.integer and value % 1)

    def accepts_each(self, values: "NDArray[np.float64]") -> "NDArray[np.bool_]":
        """The same for a whole column, where NaN stands for what is no number."""
        accepted = (values >= self.minimum) & (values <= self.maximum)
        return accepted & (values == np.floor(values)) if self.integer else accepted

    def to_json_schema(self) -> dict[str, Any]:
        """This feature as JSON Schema."""
        kind, number = ("integer", int) if self.integer else ("number", float)
        return {"type": kind, "minimum": number(self.minimum), "maximum": number(self.maximum)}


def schema_path(model: Path) -> Path:
    """The file that lies beside a model of a table: its features and their ranges."""
    return model.with_name(f"{model.stem}.schema.json")


class FeatureSchema:
    """The features of a model, in order, with the ranges it was trained on.

    Example:
        >>> import pandas as pd
        >>> cars = pd.DataFrame({"weight": [1613.0, 5140.0], "year": [70, 82], "mpg": [44.0, 9.0]})
        >>> schema = FeatureSchema.from_frame(cars, target="mpg")
        >>> schema.validate({"weight": 2000, "year": 76})
        {'weight': 2000.0, 'year': 76}
        >>> schema.validate({"weight": "9", "year": 76})
        Traceback (most recent call last):
        ...
        course_utils.inference.schema.InvalidExample: /weight: "9" is not a number from 1613 to 5140
    """

    def __init__(self, features: list[Feature], *, target: str):
        self.features = features
        self.target = target
        #: the features' names in the order in which the model takes them
        self.names = [feature.name for feature in features]

    @classmethod
    def from_frame(cls, df: "pd.DataFrame", *, target: str) -> "FeatureSchema":
        """Read kinds and ranges off ``df``, all columns but ``target`` being features.

        Raises:
            ValueError: no rows, no such target, a column that is not numeric or holds missing
                or infinite values.
        """
        from pandas.api import types

        if target not in df.columns:
            raise ValueError(f"no column {target!r}; the columns are {list(df.columns)}")
        features = []
        for name in df.columns.drop(target):
            column = df[name]
            if not types.is_numeric_dtype(column) or types.is_bool_dtype(column):
                raise ValueError(f"column {name!r} is not numeric: drop it or encode it first")
            low, high = float(column.min()), float(column.max())
            if column.hasnans or not np.isfinite([low, high]).all():
                raise ValueError(f"column {name!r} has missing or infinite values: fill them first")
            features.append(Feature(str(name), types.is_integer_dtype(column), low, high))
        return cls(features, target=target)

    def validate(self, mapping: object) -> dict[str, float]:
        """The features of ``mapping`` in the model's order.

        Strict: no numeric strings, no booleans, nothing unknown, nothing outside the range seen
        in training. An integral float (``8.0``) counts as the integer it is, as in JSON Schema.

        Raises:
            InvalidExample: with every fault found; also where it is no mapping at all.
        """
        if not isinstance(mapping, (dict, Mapping)):  # dict first: to ask for the other takes long
            allowed = "an object with " + ", ".join(self.names)
            raise InvalidExample([Fault("", "not an object", describe(mapping), allowed)])
        example: dict[str, float] = {}
        faults = []
        for feature in self.features:
            value: Any = mapping.get(feature.name)
            if feature.accepts(value):
                example[feature.name] = int(value) if feature.integer else float(value)
            elif feature.name not in mapping:
                fault = Fault(pointer(feature.name), "missing", "nothing", feature.allowed)
                faults.append(fault)
            else:
                received = describe(value)
                detail = f"{received} is not {feature.allowed}"
                faults.append(Fault(pointer(feature.name), detail, received, feature.allowed))
        if faults or len(mapping) > len(example):
            allowed = "only " + ", ".join(self.names)
            for name in [name for name in mapping if name not in self.names]:
                faults.append(Fault(pointer(name), "unknown", describe(mapping[name]), allowed))
            raise InvalidExample(faults)
        return example

    def make_example(self) -> list[float]:
        """The middle of each feature's range: an example to try a model on."""
        return [(feature.minimum + feature.maximum) / 2 for feature in self.features]

    def check_network(
        self, network: "Predictor", model: Path, labels: Sequence[str] | None = None
    ) -> None:
        """Check that a network, read from ``model``, takes these features and answers the target.

        That is one number, or a probability for each of the classes that ``labels`` names; of two
        classes that of the second is enough.

        Raises:
            ValueError: it does not.
        """
        answers = network.output_shape
        fits = fits_labels(answers, labels) if labels else answers == (1,)
        if network.input_shape != (len(self.names),) or not fits:
            answer = f"{len(labels)} classes of" if labels else "one answer,"
            raise ValueError(
                f"{model.stem} takes examples of shape {network.input_shape} and answers "
                f"{answers}; its schema has {len(self.names)} features "
                f"({', '.join(self.names)}) and {answer} {self.target}. Put the model "
                "beside the schema that was saved with it."
            )

    def to_json_schema(self) -> dict[str, Any]:
        """The schema as JSON Schema; `load` reads this form back."""
        return {
            "$schema": JSON_SCHEMA_DIALECT,
            "title": f"features for {self.target}",
            "type": "object",
            "properties": {feature.name: feature.to_json_schema() for feature in self.features},
            "required": self.names,
            "additionalProperties": False,
            "x-target": self.target,
        }

    def save(self, path: str | Path) -> None:
        """Write the JSON Schema to ``path``."""
        Path(path).write_text(json.dumps(self.to_json_schema(), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "FeatureSchema":
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: no such file.
            ValueError: the file is not one that `save` wrote.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(
                f"{path} is missing: the names and ranges of a model's features, which have to "
                "stand beside it. Notebook 02 writes them, with FeatureSchema.from_frame and save."
            )
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
            features = [_read_feature(*item) for item in document["properties"].items()]
            return cls(features, target=document["x-target"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            said = error if isinstance(error, ValueError) else repr(error)
            raise ValueError(f"{Path(path).name} is not a saved FeatureSchema: {said}.") from error


def _read_feature(name: str, part: Mapping[str, Any]) -> Feature:
    """A feature from its JSON Schema, as `Feature.to_json_schema` writes it.

    Raises:
        ValueError: it has no range of numbers.
    """
    kind, low, high = part["type"], part["minimum"], part["maximum"]
    numbers = isinstance(low, NUMBERS) and isinstance(high, NUMBERS)
    if kind not in ("integer", "number") or not numbers or not -math.inf < low <= high < math.inf:
        raise ValueError(f"feature {name!r} needs a range of numbers, minimum and maximum")
    return Feature(name, kind == "integer", low, high)


def describe(value: Any) -> str:
    """A JSON value in a few characters, for error messages."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "Infinity, or too large a number"
    if isinstance(value, int) and abs(value) >= 10**15:  # str() of a huge integer is slow
        return "an integer of more than 15 digits"
    text = json.dumps(value, default=repr)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
