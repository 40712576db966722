"""The services that the command line, the servers and the registry know by name."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.inference import FeatureSchema, load_labels, schema_path, write_labels

if TYPE_CHECKING:
    from flask import Flask


@dataclass(frozen=True)
class Service:
    """What is known of a service before its app is made; neither Flask nor a model is loaded."""

    name: str
    """Of the service, and of its module in this room."""
    has_model: bool = True
    """Whether it predicts; unless another model is named, with that of `inference.find_model`."""
    copy_companion: Callable[[Path, Path], None] | None = None
    """Reads what has to lie beside a model, and writes it beside another; None if nothing has."""
    takes_pixels: bool = False
    """Whether its ``create_app`` can be told how a network wants its pixels."""

    def create_app(self, model: str | Path | None = None, **options: Any) -> "Flask":
        """The app; without ``model`` with the default one.

        Args:
            model: a model file, of a service that has one.
            options: as the service's own ``create_app`` takes them; None stands for its default.

        Raises:
            FileNotFoundError: no model, or nothing beside it that has to be there.
            ValueError: one of them cannot be read, or they do not fit together or the service.
            TypeError: the service does not take one of the options.
        """
        options = {k: v for k, v in {"model": model, **options}.items() if v is not None}
        return import_module(f"course_utils.services.{self.name}").create_app(**options)


def _copy_schema(model: Path, copy: Path) -> None:
    FeatureSchema.load(schema_path(model)).save(schema_path(copy))


def _copy_labels(model: Path, copy: Path) -> None:
    write_labels(copy, load_labels(model))


_SERVICES = (
    Service("hello", has_model=False),
    Service("mpg", copy_companion=_copy_schema),
    Service("image", copy_companion=_copy_labels, takes_pixels=True),
    Service("digit"),
    Service("pets", copy_companion=_copy_labels, takes_pixels=True),
)
#: by name, in the order of the course
SERVICES = {service.name: service for service in _SERVICES}
