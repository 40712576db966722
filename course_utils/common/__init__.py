"""What several rooms need and none of them is about.

Files that are whole or absent, locks between processes, a bounded DuckDB session, naming a file
that was given by mistake, running a notebook and showing its figures. It knows nothing of models
or services. Other rooms import the modules and names in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
