"""Versions to read, and a copy of them to change."""

from tests.support.records import elsewhere, kept, store, version

__all__ = ["elsewhere", "kept", "store", "version"]
