"""Records to read, and a copy of them to change."""

from tests.support.records import elsewhere, kept, record, store

__all__ = ["elsewhere", "kept", "record", "store"]
