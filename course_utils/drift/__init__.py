"""Whether the data have changed since the model was trained, and it is time to train again.

`compare` tests each column by itself and lets a classifier tell old rows from new ones (section
13.4); the verdict asks for significance and for size. This room never trains the model that is
watched. Other rooms import the names in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
