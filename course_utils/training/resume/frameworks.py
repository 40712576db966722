"""Keras and TensorFlow, imported without what TensorFlow writes to standard error meanwhile."""

from course_utils.environment import quiet_native_stderr

with quiet_native_stderr():
    import keras
    import tensorflow as tf

__all__ = ["keras", "tf"]
