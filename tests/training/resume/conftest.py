"""Networks to train, and trainings to compare with."""

from tests.support.resuming import begun, networks, whole

__all__ = ["begun", "networks", "whole"]
