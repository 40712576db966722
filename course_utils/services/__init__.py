"""The web services of the course: one Flask app in each module, described by a `Service`.

What all of them share (errors, limits, metrics, documents) is in `http`. This room makes apps and
never runs one. Other rooms import the names in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
