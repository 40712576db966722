"""Tell a pickle by its content, to refuse it before anything reads it.

A pickle is a program for a small machine, and loading it runs the program: whoever wrote the file
may do all that you may do. joblib's and dill's files are pickles, too. `pickletools` reads the
instructions and runs none of them.
"""

import bz2
import contextlib
import lzma
import pickletools
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

SUFFIXES = (".pkl", ".pickle", ".joblib", ".dill")
LOOKED_AT = 1 << 20  # bytes that are unpacked of a compressed file

# What joblib and pandas unpack by themselves, by the bytes such a file begins with.
UNPACKERS: dict[bytes, Callable[[], Any]] = {
    b"\x1f\x8b": lambda: zlib.decompressobj(wbits=31),  # gzip
    b"\x78": zlib.decompressobj,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ": lzma.LZMADecompressor,
    b"\x5d\x00": lzma.LZMADecompressor,
}
# Instructions that call something, and what has to stand before them so that they can.
CALLS = {
    "REDUCE": {"GLOBAL", "STACK_GLOBAL"},
    "NEWOBJ": {"GLOBAL", "STACK_GLOBAL"},
    "NEWOBJ_EX": {"GLOBAL", "STACK_GLOBAL"},
    "OBJ": {"GLOBAL", "STACK_GLOBAL"},
    "INST": {"MARK"},
}
# Instructions at which loading ends with an error, unless the program that loads prepares for them.
# Every zip archive, and so every .keras file, begins with one: its "PK" is a PERSID.
PERSISTENT_IDS = {"PERSID", "BINPERSID"}


def is_pickle(file: str | Path | bytes) -> bool:
    """Whether this is a pickle, whatever it is called, compressed or not. Runs nothing of it.

    Args:
        file: a path, or the content of a file.

    Raises:
        OSError: the file cannot be read.
    """
    content = _unpacked(file if isinstance(file, bytes) else Path(file).read_bytes())
    if content[:1] == b"\x80" and content[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return True  # how one begins since protocol 2, also where the rest is missing
    # Older protocols have no such mark: it is one if it can be read to its end, or calls something.
    seen: set[str] = set()
    # An instruction that does not exist, or is cut off, is a ValueError. A backslash in what is
    # taken for a string is a DeprecationWarning, about bytes that nobody wrote as Python.
    with contextlib.suppress(ValueError), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for instruction, _, _ in pickletools.genops(content):
            name = instruction.name
            if name in PERSISTENT_IDS:
                return False
            if name == "STOP" or seen & CALLS.get(name, set()):
                return True
            seen.add(name)
    return False


def refuse_pickle(path: str | Path, content: bytes | None = None) -> None:
    """Raise if a file is a pickle, by its name or by its content.

    Args:
        path: the file.
        content: what is in it, where it has been read already.

    Raises:
        ValueError: it is one; the message says why that matters and what to use instead.
        OSError: the file cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() in SUFFIXES or is_pickle(path if content is None else content):
        raise ValueError(
            f"{path.name} is a pickle, and a pickle can run any code as it is loaded. Nothing was "
            "loaded. Ask for the model as .keras, .tflite or .onnx, which load without running "
            "code of their author's; one of your own you can load where you made it and save "
            'again: Keras with model.save("model.keras"), scikit-learn with skl2onnx.'
        )


def _unpacked(content: bytes) -> bytes:
    """The beginning of what is compressed, else the content itself."""
    for start, unpacker in UNPACKERS.items():
        if content.startswith(start):
            # Each raises what it likes where the bytes only look like the start of its format.
            with contextlib.suppress(zlib.error, OSError, EOFError, lzma.LZMAError):
                return unpacker().decompress(content, LOOKED_AT)
    return content
