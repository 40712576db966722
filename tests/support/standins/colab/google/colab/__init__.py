"""A stand-in for Google Colab's own package, which is not published.

It has the parts that notebooks touch: output, userdata, files and drive. There is no
``google/__init__.py``: other packages put theirs under ``google`` as well.
"""

from google.colab import drive, files, output, userdata

__all__ = ["drive", "files", "output", "userdata"]
