"""A stand-in for Google Colab's own package, which is not published.

It has the parts that notebooks touch: output, userdata and drive. There is no
``google/__init__.py``: other packages put theirs under ``google`` as well.
"""

from google.colab import drive, output, userdata

__all__ = ["drive", "output", "userdata"]
