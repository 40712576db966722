"""Versions to read and a copy of them to change, and what a retraining begins with."""

from tests.support.records import elsewhere, kept, store, version
from tests.support.retraining import outdated

__all__ = ["elsewhere", "kept", "outdated", "store", "version"]
