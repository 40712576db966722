"""Which rows a schema allows, by the rules for one example, a whole column at a time."""

import numpy as np
from numpy.typing import NDArray

from course_utils.inference.schema import Feature, FeatureSchema, describe

Numbers = dict[str, NDArray[np.float64]]
Texts = dict[str, list[str | None]]
Errors = list[str | None]
Fitting = dict[str, NDArray[np.bool_]]
LONGEST = 40  # characters of a cell in a message


def fitting(schema: FeatureSchema, numbers: Numbers) -> Fitting:
    """For each feature, which of its values `FeatureSchema.validate` accepts.

    Args:
        schema: the features.
        numbers: the values of each; NaN where there is none, or one that is no number.
    """
    return {feature.name: _fits(feature, numbers[feature.name]) for feature in schema.features}


def _fits(feature: Feature, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    # No comparison with NaN is true, and no infinity is within a range.
    fits = (values >= feature.minimum) & (values <= feature.maximum)
    return fits & (values == np.floor(values)) if feature.integer else fits


def explain(schema: FeatureSchema, texts: Texts, fits: Fitting) -> Errors:
    """For each row what is wrong with it, all its faults in one line; None where nothing is.

    Args:
        schema: the features.
        texts: their values as they are written; None where there is none.
        fits: what `fitting` found.
    """
    errors: Errors = [None] * len(next(iter(fits.values())))
    for feature in schema.features:
        for row in np.flatnonzero(~fits[feature.name]):
            error = f"{feature.name}: {_fault(feature, texts[feature.name][row])}"
            errors[row] = f"{errors[row]}; {error}" if errors[row] else error
    return errors


def _fault(feature: Feature, text: str | None) -> str:
    """In the words of `FeatureSchema.validate`, but that a number stays as it was written."""
    if text is None:
        return "missing"
    try:
        float(text)
        shown = text.strip()[:LONGEST]
    except ValueError:
        shown = describe(text, length=LONGEST)
    return f"{shown} is not {feature.allowed}"
