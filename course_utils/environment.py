"""Where the code runs: Colab, Jupyter or a plain script; folders, seeds, versions.

Knows nothing of the modules above it. TensorFlow is imported only where a function needs it.
"""

import contextlib
import importlib.metadata
import importlib.util
import itertools
import os
import platform
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

_stderr_lock = threading.RLock()
GPU_GROWTH_VARIABLE = "TF_FORCE_GPU_ALLOW_GROWTH"
PACKAGE_FOLDER = Path(__file__).resolve().parent


def set_tensorflow_defaults() -> None:
    """Keep TensorFlow silent, its sums in one order, its GPU memory small, unless the user chose.

    At level 2 its C++ part still reports a missing GPU as an error, on machines that never had one.
    What really fails raises in Python as well. Processes that are started from here inherit this.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # one order of summation on every CPU
    # Otherwise the first process that uses a GPU takes all of its memory, and a training that is
    # started beside a notebook finds none.
    os.environ.setdefault(GPU_GROWTH_VARIABLE, "true")


def hide_gpu() -> None:
    """Keep this process, which does not need a GPU, from taking its memory; before TensorFlow."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


@contextlib.contextmanager
def quiet_native_stderr() -> Iterator[None]:
    """Drop what C++ code writes to file descriptor 2 meanwhile.

    TensorFlow and LiteRT announce themselves there as they start and have no switch for it.
    Python's own errors are not affected: they are raised.
    """
    with _stderr_lock:
        sys.stderr.flush()
        saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(null)


def in_colab() -> bool:
    """True in a Google Colab runtime (not on Kaggle, which sets Colab's variables too)."""
    return "google.colab" in sys.modules


def data_folder() -> Path:
    """The folder of data sets and shipped models.

    In the wheel it lies inside the package, in a checkout beside it.

    Raises:
        FileNotFoundError: neither is there.
    """
    for folder in (PACKAGE_FOLDER / "data", PACKAGE_FOLDER.parent / "data"):
        if (folder / "DATA.md").is_file():
            return folder
    raise FileNotFoundError(
        "The course's data folder is missing: install the course again, or run from its checkout."
    )


def output_folder() -> Path:
    """The learner's own folder, made when first asked for.

    ``COURSE_HOME`` if that is set, else ``networks-at-work`` in Colab's file pane or in the
    user's home. The notebooks save models here and ``course serve`` looks for them here.
    """
    named = os.environ.get("COURSE_HOME")
    home = Path("/content") if in_colab() else Path.home()
    folder = Path(named).expanduser() if named else home / "networks-at-work"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def set_seeds(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow, and make TensorFlow's operations repeatable.

    A training that follows gives the same weights each time on one machine; another processor
    may differ in the last digits.
    """
    with quiet_native_stderr():
        import keras
        import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def list_missing(*extras: str) -> list[str]:
    """What pip would have to install for these extras of the course, as requirements."""
    from packaging.requirements import Requirement

    requirements = [Requirement(line) for line in _read_requirements()]
    wanted = (
        str(each).partition(";")[0]
        for extra, each in itertools.product(extras, requirements)
        if not each.marker or each.marker.evaluate({"extra": extra})
        if not _find_version(each.name)
    )
    return list(dict.fromkeys(wanted))


def doctor() -> dict[str, str]:
    """What a bug report needs: versions, platform and what was found. Holds no secret.

    Returns:
        Names to short texts, in the order in which they read best.
    """
    runtime = "jupyter" if "ipykernel" in sys.modules else "script"
    report = {
        "course": __version__,
        "running in": "colab" if in_colab() else runtime,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": str(os.cpu_count()),
    }
    for line in _read_requirements():
        if "extra ==" not in line:
            name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
            report[name] = _find_version(name) or "not installed"
    report["gpu"] = gpus = _name_gpus()
    grows = os.environ.get(GPU_GROWTH_VARIABLE) == "true"
    memory = "as needed" if grows else f"all at once (set {GPU_GROWTH_VARIABLE}=true to share)"
    report["gpu for notebooks and training"] = f"{gpus}; memory is taken {memory}"
    report["gpu for services"] = "none: they compute on the processor, and convert models there"
    report["data"] = str(data_folder())
    report["your files"] = str(output_folder())
    report["NGROK_AUTHTOKEN"] = "set" if os.environ.get("NGROK_AUTHTOKEN") else "not set"
    return report


def _read_requirements() -> list[str]:
    """What the course needs at run time and, with a marker, what its extras do."""
    try:
        return importlib.metadata.requires("networks-at-work") or []
    except importlib.metadata.PackageNotFoundError:
        return []


def _find_version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _name_gpus() -> str:
    if importlib.util.find_spec("tensorflow") is None:
        return "unknown (TensorFlow is not installed)"
    with quiet_native_stderr():
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(g).get("device_name", g.name) for g in gpus]
    return ", ".join(names) or "none (the course needs none)"


__version__ = _find_version("networks-at-work") or "0+source"  # the source tree, not installed
