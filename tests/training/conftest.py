"""The caches and the host that these tests do damage to."""

from tests.support.keras_host import cache, fetched, full, host

__all__ = ["cache", "fetched", "full", "host"]
