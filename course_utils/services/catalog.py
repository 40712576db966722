"""The services that the command line, the servers and the registry know by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.inference import find_model, labels_path, schema_path

if TYPE_CHECKING:
    from flask import Flask


@dataclass(frozen=True)
class Service:
    """What is known of a service before its app is made; neither Flask nor a model is loaded."""

    name: str
    """Of the service, and of its module in this room."""
    default_model: Callable[[], Path] | None = None
    """Finds the model that is served unless another is named; None where there is no model."""
    companion: Callable[[Path], Path] | None = None
    """From the path of a model to that of the file that has to lie beside it; None if none has."""
    has_page: bool = False

    def create_app(self, model: str | Path | None = None, **options: Any) -> "Flask":
        """The app; without ``model`` with the default one.

        Args:
            model: a model file, of a service that has one.
            options: as the service's own ``create_app`` takes them.

        Raises:
            FileNotFoundError: no model, or nothing beside it that has to be there.
            ValueError: one of them cannot be read.
        """
        create: Callable[..., Flask]
        create = import_module(f"course_utils.services.{self.name}").create_app
        return create(**options) if model is None else create(model, **options)


_SERVICES = (
    Service("hello"),
    Service("mpg", partial(find_model, "mpg"), schema_path),
    Service("image", partial(find_model, "image"), labels_path, has_page=True),
    Service("digit", partial(find_model, "digit"), has_page=True),
    Service("pets", partial(find_model, "pets"), labels_path),
)
#: by name, in the order of the course
SERVICES = {service.name: service for service in _SERVICES}
