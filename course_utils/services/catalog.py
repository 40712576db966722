"""The services that the command line, the servers and the registry know by name."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.inference import find_labels, schema_path

if TYPE_CHECKING:
    from flask import Flask


@dataclass(frozen=True)
class Service:
    """What is known of a service before its app is made; neither Flask nor a model is loaded."""

    name: str
    """Of the service, and of its module in this room."""
    has_model: bool = True
    """Whether it predicts; unless another model is named, with that of `inference.find_model`."""
    companion: Callable[[Path], Path] | None = None
    """From the path of a model to that of the file that has to lie beside it; None if none has."""
    has_page: bool = False

    def create_app(self, model: str | Path | None = None, **options: Any) -> "Flask":
        """The app; without ``model`` with the default one.

        Args:
            model: a model file, of a service that has one.
            options: as the service's own ``create_app`` takes them; None stands for its default.

        Raises:
            FileNotFoundError: no model, or nothing beside it that has to be there.
            ValueError: one of them cannot be read.
        """
        options = {k: v for k, v in {"model": model, **options}.items() if v is not None}
        return import_module(f"course_utils.services.{self.name}").create_app(**options)


_SERVICES = (
    Service("hello", has_model=False),
    Service("mpg", companion=schema_path),
    Service("image", companion=find_labels, has_page=True),
    Service("digit", has_page=True),
    Service("pets", companion=find_labels),
)
#: by name, in the order of the course
SERVICES = {service.name: service for service in _SERVICES}
