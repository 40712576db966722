"""Running an app: behind a notebook's cell, on a production server, through a tunnel, on Ray.

It takes any app that `services` makes, or the learner's own, and stops what it has started. This
room never looks into a request. Other rooms import the names in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
