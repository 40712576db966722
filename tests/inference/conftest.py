"""The service whose requests are recorded, or not."""

from tests.services.conftest import mpg

__all__ = ["mpg"]
