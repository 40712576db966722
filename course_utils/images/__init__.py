"""From bytes that a stranger sent, or a URL, to an RGB array; from ink to a digit as in MNIST.

What is no good picture is refused with a message for a person, before it costs time or memory. This
room never predicts anything. Other rooms import the names in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
