"""Records to read and a copy of them to change, and what a retraining begins with."""

from tests.support.records import elsewhere, kept, record, store
from tests.support.retraining import cars, new_cars, outdated

__all__ = ["cars", "elsewhere", "kept", "new_cars", "outdated", "record", "store"]
