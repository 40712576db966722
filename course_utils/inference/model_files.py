"""What a model file is by its content, and the network in a Keras file, also in an old one."""

import contextlib
import json
import re
import shutil
import tempfile
import textwrap
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

from course_utils.environment import quiet_native_stderr

KERAS_SUFFIXES = (".keras", ".h5")
# How a pickle begins in each protocol that Python has written by default since 3.0.
PICKLE_STARTS = (b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5")
# By suffix: what stands in each such file, and at which byte.
SIGNATURES = {".tflite": (4, b"TFL3"), ".keras": (0, b"PK\3\4"), ".h5": (0, b"\x89HDF\r\n\x1a\n")}
DAMAGE_ERRORS = (OSError, EOFError, zipfile.BadZipFile, zlib.error)
LAYERS_FILE, METADATA_FILE = "config.json", "metadata.json"  # in a .keras file
MAX_CAUSE_CHARACTERS, MAX_VERSION_CHARACTERS = 200, 20
WAY_OUT = (
    "Where it was made, convert it to a .tflite file, whose content is "
    "tf.lite.TFLiteConverter.from_keras_model(model).convert()."
)
OTHER_WAY_OUT = {".keras": " If all layers are Keras' own, save it there as .h5.", ".h5": ""}


def refuse_pickle(path: str | Path) -> None:
    """Raise if a file is a pickle, which shows in how it begins.

    A pickle is a program for a small machine, and loading it runs the program: whoever wrote the
    file may do all that you may do. joblib's and dill's files are pickles, too; compressed
    ones begin otherwise and are not recognized. Nothing of ours
    loads one; this says why, before another loader complains of a format.

    Raises:
        ValueError: it is one; the message says why that matters and what to use instead.
        OSError: the file cannot be read.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(2)
    if start in PICKLE_STARTS:
        raise ValueError(
            f"{path.name} is a pickle, and a pickle can run any code as it is loaded. Nothing was "
            "loaded. Ask for the model as .keras, .tflite or .onnx, which load without running "
            "code of their author's; one of your own you can load where you made it and save "
            'again: Keras with model.save("model.keras"), scikit-learn with skl2onnx.'
        )


def check_kind(path: Path) -> None:
    """Raise unless a file's name and its first bytes say that it is a model of the same kind.

    Raises:
        ValueError: it is a pickle, a model of another kind, or something else; the message says
            which, and what to do.
        OSError: the file cannot be read.
    """
    if path.is_dir():
        raise ValueError(f"{path.name} is a folder; give a file: {', '.join(SIGNATURES)}.")
    refuse_pickle(path)
    with path.open("rb") as file:
        start = file.read(40)
    kinds = [kind for kind, (at, sign) in SIGNATURES.items() if start[at:].startswith(sign)]
    if path.suffix in kinds:
        return
    if kinds:
        way_out = f"Rename it to {path.stem}{kinds[0]}"
        if ".keras" in kinds:  # a ZIP archive, such as Teachable Machine's
            way_out += ", or unpack it and give the .keras or .h5 file inside"
        raise ValueError(f"{path.name} begins as a {kinds[0]} file does. {way_out}.")
    if path.suffix not in SIGNATURES:
        raise ValueError(f"{path.name}: expected one of {', '.join(SIGNATURES)}")
    shown = f"begins with {start.decode('ascii', 'replace')!r}" if start else "is empty"
    raise ValueError(
        f"{path.name} is not a model: the file {shown}. "
        "Copy or download it again, and compare its size with the original's."
    )


def load_keras(path: Path) -> Any:
    """The network in a ``.keras`` or ``.h5`` file, uncompiled.

    What Keras 2 wrote and Keras 3 refuses is left out where it changes nothing.

    Raises:
        ValueError: it carries Python code, is damaged, or is not for this version of Keras; the
            message says what to do, in at most three lines.
    """
    check_kind(path)
    layers = read_layers(path)
    _refuse_code(path, layers)
    with quiet_native_stderr():
        import keras
    try:
        kept = json.loads(json.dumps(layers), object_hook=_drop_keys_without_effect)
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what has another name by now
            file = path if kept == layers else _copy_with(path, kept, Path(folder))
            # Uncompiled: an .h5 file may name its loss in a way that Keras no longer reads.
            return keras.models.load_model(file, compile=False, safe_mode=True)
    except DAMAGE_ERRORS as error:
        raise _describe_damage(path, error) from None
    except Exception as error:  # Keras raises what the file's format makes it raise
        cause = _find_cause(error)
        raise ValueError(
            f"{path.name}{_describe_reason(path, cause, keras.__version__)}.\n{cause}\n"
            f"{WAY_OUT}{OTHER_WAY_OUT[path.suffix]}"
        ) from None


def read_layers(path: Path) -> Any:
    """The layers that a ``.keras`` or ``.h5`` file describes, as JSON holds them.

    Raises:
        ValueError: it is damaged, or describes none.
    """
    try:
        return json.loads(_read_part(path, LAYERS_FILE, "model_config"))
    except KeyError:
        raise ValueError(
            f"{path.name} holds no network, at most its weights. Build the network in Python, "
            'read them with load_weights, and save all of it with model.save("model.keras").'
        ) from None
    except Exception as error:  # the readers raise what the file makes them raise
        raise _describe_damage(path, error) from None


def _read_part(path: Path, member: str, attribute: str) -> Any:
    """A member of a ``.keras`` file, or the attribute of an ``.h5`` file that stands for it."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return archive.read(member)
    import h5py

    with h5py.File(path) as file:
        return file.attrs[attribute]


def _describe_reason(path: Path, cause: str, installed: str) -> str:
    """Why a file cannot be loaded, as the end of a sentence that begins with its name."""
    if re.search("Unknown layer|Could not locate class", cause):
        return f" needs a class that Keras {installed} lacks, such as Python code of its author's"
    said = ""
    with contextlib.suppress(Exception):  # what is wrong with the file is told anyhow
        version = _read_part(path, METADATA_FILE, "keras_version")
        if path.suffix == ".keras":
            version = json.loads(version)["keras_version"]
        text = version.decode() if isinstance(version, bytes) else version
        if text != installed:
            said = f" was saved by Keras {text[:MAX_VERSION_CHARACTERS]}, and"
    return f"{said} cannot be loaded by the installed Keras {installed}"


def _drop_keys_without_effect(part: dict[str, Any]) -> dict[str, Any]:
    """Drop from a layer what Keras 2 wrote of it and Keras 3 refuses, where it changes nothing."""
    kind, config = str(part.get("class_name")), part.get("config")
    if not isinstance(config, dict):
        return part
    idle: dict[str, Any] = {"time_major": False}
    if re.search("Depthwise|Separable|Transpose", kind):
        idle["groups"] = 1
    kept = {key: value for key, value in config.items() if key not in idle or value != idle[key]}
    if kind.startswith("Separable"):  # its kernel has two parts, and each has its own
        for key in ("kernel_initializer", "kernel_regularizer", "kernel_constraint"):
            kept.pop(key, None)
    axis = kept.get("axis")
    if kind == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        kept["axis"] = axis[0]
    return part | {"config": kept}


def _copy_with(path: Path, layers: Any, folder: Path) -> Path:
    """A copy of a Keras file that describes other layers."""
    import h5py

    copy, text = folder / path.name, json.dumps(layers)
    if path.suffix == ".h5":
        shutil.copyfile(path, copy)
        with h5py.File(copy, "r+") as file:
            file.attrs["model_config"] = text
        return copy
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            new.writestr(name, text if name == LAYERS_FILE else old.read(name))
    return copy


def _refuse_code(path: Path, layers: Any) -> None:
    """Raise if a Keras file has a lambda in it, as Keras 3 writes it or as Keras 2 did.

    Keras' safe mode refuses those as well, but before 3.11.3 not in an .h5 file (CVE-2025-9905),
    and it advises to switch the safe mode off.
    """
    parts = [layers]
    for part in parts:  # the loop also visits the parts that it appends
        if isinstance(part, list):
            parts += part
        elif isinstance(part, dict):
            parts += part.values()
            if part.get("class_name") == "__lambda__" or isinstance(part.get("function"), list):
                raise ValueError(
                    f"{path.name} carries Python code of its author's (a lambda), which would run "
                    "with the network. Nothing was loaded. Ask for the model with a layer of "
                    "Keras' own in its place, or as a .tflite file, which holds no Python."
                )


def _describe_damage(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"{path.name} is damaged, or not all of it is there: {_find_cause(error)}.\n"
        "Copy or download it again, or save the network again."
    )


def _find_cause(error: Exception) -> str:
    """The line that names the cause, of a page in which Keras prints whole configurations."""
    said = str(error).rpartition("Exception encountered: ")[2]
    said = re.split(r"Please|Make sure|Full object config|config=\{", said)[0]
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    cause = next((line for line in lines if line[-1] != ":"), type(error).__name__)
    return textwrap.shorten(cause, MAX_CAUSE_CHARACTERS, placeholder=" …")
