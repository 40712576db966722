"""The services that the command line, the servers and the registry know by name."""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.inference import find_model, labels_path, schema_path

if TYPE_CHECKING:
    from flask import Flask


@dataclass(frozen=True)
class Service:
    """What is known of a service before its app is made; neither Flask nor a model is loaded."""

    name: str
    title: str
    """For people, in documents."""
    factory: str
    """Where its `create_app` is, as ``module:function``; imported when it is first called."""
    default_model: Callable[[], Path] | None = None
    """Finds the model that is served unless another is named; None where there is no model."""
    companion: Callable[[Path], Path] | None = None
    """From the path of a model to that of the file that has to lie beside it; None if none has."""
    has_page: bool = False

    @property
    def module(self) -> str:
        """The module of `factory`."""
        return self.factory.partition(":")[0]

    def create_app(self, model: str | Path | None = None, **options: Any) -> "Flask":
        """The app; without ``model`` with the default one.

        Args:
            model: a model file, of a service that has one.
            options: as the service's own ``create_app`` takes them.

        Raises:
            FileNotFoundError: no model, or nothing beside it that has to be there.
            ValueError: one of them cannot be read.
        """
        create: Callable[..., Flask] = pkgutil.resolve_name(self.factory)
        return create(**options) if model is None else create(model, **options)


_SERVICES = (
    Service("hello", "Hello", "course_utils.services.hello:create_app"),
    Service(
        "mpg",
        "Miles per gallon",
        "course_utils.services.mpg:create_app",
        default_model=partial(find_model, "mpg"),
        companion=schema_path,
    ),
    Service(
        "image",
        "Image classification",
        "course_utils.services.image:create_app",
        default_model=partial(find_model, "image"),
        companion=labels_path,
        has_page=True,
    ),
    Service(
        "digit",
        "Digits",
        "course_utils.services.digit:create_app",
        default_model=partial(find_model, "digit"),
        has_page=True,
    ),
    Service(
        "pets",
        "Cats and dogs",
        "course_utils.services.pets:create_app",
        default_model=partial(find_model, "pets"),
        companion=labels_path,
    ),
)
#: by name, in the order of the course
SERVICES = {service.name: service for service in _SERVICES}
