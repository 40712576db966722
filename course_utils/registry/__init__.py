"""Versions of models and what is known of each: who trained it, when, on what, how good it is.

`register` fills a record and never changes it again; `promote`, `try_canary` and `roll_back` say
which version a service answers with; `retrain` makes the next one. This room never answers a
request. Other rooms import the names in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
