"""From a saved model to predictions: one example, or a file of a million rows.

Here are the predictor, the feature schema, class labels, the scaling of pixels, tables with labels,
batch prediction, the log of requests, and where the served models lie. This room never trains, and
it knows nothing of HTTP. Other rooms import the names in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
