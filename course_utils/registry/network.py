"""What can be read off a model's files without running them: architecture and parameters."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.environment import quiet_native_stderr
from course_utils.registry.data import statistics

CONFIG, WEIGHTS = "config.json", "model.weights.h5"  # in a .keras file
OPTIMIZER = ("optimizer", "_optimizer")  # begins the path of what is no parameter of the network


def architecture(files: list[Path]) -> dict[str, Any] | None:
    """The layers with their arguments, and what the network was compiled with, as Keras wrote it.

    Returns:
        ``source`` (the file), ``architecture`` and ``compiled`` (None where it was not); None
        where no file tells.

    Raises:
        ValueError: a ``.keras`` or ``.h5`` file is none.
    """
    for path in _by_suffix(files, ".keras"):
        config = json.loads(_member(path, CONFIG))
        compiled = config.pop("compile_config", None)
        return {"source": path.name, "architecture": config, "compiled": compiled}
    for path in _by_suffix(files, ".h5"):
        with _h5(path) as file:
            found = {key: file.attrs.get(f"{key}_config") for key in ("model", "training")}
        if found["model"] is not None:  # else only weights
            model, compiled = (json.loads(text) if text else None for text in found.values())
            return {"source": path.name, "architecture": model, "compiled": compiled}
    return None


def parameters(files: list[Path]) -> dict[str, Any]:
    """Each tensor of weights: name, shape, type, statistics and the SHA-256 of its values.

    They are read from a ``.keras`` or ``.h5`` file, which knows their names, else from the
    ``.tflite`` file. The optimizer's are left out.

    Returns:
        ``source`` (the file), ``count`` (of numbers) and ``tensors``.

    Raises:
        ValueError: a file cannot be read.
    """
    keras = [*_by_suffix(files, ".keras"), *_by_suffix(files, ".h5")]
    source = (keras or files)[0]
    tensors = [_described(name, values) for name, values in _read(source)]
    return {
        "source": source.name,
        "count": sum(tensor["count"] for tensor in tensors),
        "tensors": tensors,
    }


def _described(name: str, values: Any) -> dict[str, Any]:
    # Little-endian and in C order, whatever machine and file it is read on and from.
    plain = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return {
        "name": name,
        "shape": list(values.shape),
        "dtype": values.dtype.name,
        "count": int(values.size),
        **statistics(values.astype(np.float64)),
        "sha256": hashlib.sha256(plain.tobytes()).hexdigest(),
    }


def _read(path: Path) -> Iterator[tuple[str, Any]]:
    if path.suffix == ".tflite":
        yield from _constants(path)
    elif path.suffix == ".keras":
        with _h5(io.BytesIO(_member(path, WEIGHTS)), path.name) as file:
            yield from _datasets(file)
    else:
        with _h5(path) as file:
            yield from _datasets(file)


def _datasets(file: Any) -> Iterator[tuple[str, Any]]:
    import h5py

    found: list[str] = []
    file.visit(found.append)
    for path in found:
        if isinstance(file[path], h5py.Dataset) and not path.startswith(OPTIMIZER):
            parts = [part for part in path.split("/") if part not in ("layers", "vars")]
            if file[path].dtype.kind in "fiub":
                yield "/".join(parts).removeprefix("model_weights/"), file[path][()]


def _constants(path: Path) -> Iterator[tuple[str, Any]]:
    from ai_edge_litert.interpreter import Interpreter

    with quiet_native_stderr():
        interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
    # Before `allocate_tensors` nothing but what the file holds has a value.
    for details in interpreter.get_tensor_details():
        try:
            values = interpreter.get_tensor(details["index"])
        except ValueError:
            continue
        if values.dtype.kind in "fiub":
            yield details["name"], values


def _by_suffix(files: list[Path], suffix: str) -> list[Path]:
    return [path for path in files if path.suffix == suffix]


def _member(path: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as file:
            return file.read(name)
    except (zipfile.BadZipFile, KeyError):
        raise ValueError(f"{path.name} is not a file that Keras saved.") from None


def _h5(file: Any, name: str = "") -> Any:
    import h5py

    try:
        return h5py.File(file, "r")
    except OSError as error:
        raise ValueError(f"{name or file.name} is not a file that Keras saved: {error}") from None
