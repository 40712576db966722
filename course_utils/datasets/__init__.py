"""One loader for each data set, and the pretrained weights that Keras would download.

Every file is checked by its digest, and what is not shipped is brought once into Keras' cache. This
room never trains or converts a network. Other rooms import the names in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
