"""Keras models in the formats of other runtimes, and proof that they compute the same.

Each format is a module with ``convert`` and ``verify``: CoreML, LiteRT, ONNX, and the page that
computes in the browser. This room never
changes a network's weights on its own. Other rooms import the names in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
