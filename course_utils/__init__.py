"""Networks at Work: the helper library of the notebook course.

Importing the package is quick: neither TensorFlow nor Flask is loaded before a module needs it.
"""

from course_utils.environment import __version__, set_tensorflow_defaults

# TensorFlow reads these settings when it is first imported, so they are made here.
set_tensorflow_defaults()

__all__ = ["__version__"]
