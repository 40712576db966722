"""Trained networks on their way to phones and other runtimes, with proof that they stay the same.

`coreml`, `litert` and `onnx` have the same pair of functions: ``convert`` writes a Keras network in
their format, and ``verify`` reloads what was written, runs it and compares it with Keras
(section 13.5). Each module loads TensorFlow and its own tools only where a function needs them.
"""
