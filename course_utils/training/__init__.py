"""Training that can be interrupted, run folders, and transfer learning on folders of images.

It also puts together the networks that the image and pets services bring with them. This room
never serves. Other rooms import the names in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
