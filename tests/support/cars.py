"""Cars that a service has not seen, as many as a test wants."""

from typing import Any

import numpy as np

from course_utils.datasets import load_auto_mpg
from course_utils.inference import FeatureSchema
from tests.support.serving import MODEL

SPREAD = 0.1  # how far a number goes from a real car's, in standard deviations of its column


def cars(n: int, seed: int) -> list[dict[str, Any]]:
    """``n`` cars, valid by the MPG network's schema and in its order; the same for each seed.

    Each is one of Auto MPG's, its measures moved a little within the range seen in training, so
    that no two are alike. What is an integer by the schema stays as it is.
    """
    schema = FeatureSchema.load(MODEL.with_name("mpg.schema.json"))
    real = load_auto_mpg()[schema.names].dropna()
    rng = np.random.default_rng(seed)
    drawn = real.sample(n, replace=True, random_state=rng).reset_index(drop=True)
    for feature in schema.features:
        if not feature.integer:
            moved = drawn[feature.name] + rng.normal(0, SPREAD * real[feature.name].std(), n)
            drawn[feature.name] = moved.clip(feature.minimum, feature.maximum)
    return drawn.to_dict("records")
