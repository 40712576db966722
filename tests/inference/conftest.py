"""The service whose requests are recorded, or not, and the folder for them."""

from tests.services.conftest import mpg
from tests.support.request_log import folder

__all__ = ["folder", "mpg"]
