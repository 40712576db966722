"""Networks to train, and a training that was cut."""

from tests.support.resuming import begun, networks

__all__ = ["begun", "networks"]
