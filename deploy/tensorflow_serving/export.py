"""Write the MPG network for TensorFlow Serving, as the next version beside those that are there.

    python -m deploy.tensorflow_serving.export [--model mpg.keras] [--folder FOLDER]

from the root of the checkout. Without a model of yours it is the network that the course ships.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from course_utils.datasets import load_auto_mpg
from course_utils.environment import data_folder, quiet_native_stderr
from course_utils.inference import tracing

NAME = "mpg"
FOLDER = Path(__file__).parent / "models"  # what compose.yaml shows to TensorFlow Serving


def shipped_network() -> Any:
    """The network of notebook 02 with the weights in data/models, as notebook 08 builds it."""
    with quiet_native_stderr():
        import keras
    layers = keras.layers
    mpg = load_auto_mpg()["mpg"].to_numpy("float32")
    network = keras.Sequential(
        [
            keras.Input((7,)),
            layers.Normalization(),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(1),
            layers.Rescaling(float(mpg.std()), float(mpg.mean())),
        ],
        name=NAME,
    )
    network.load_weights(data_folder() / "models" / "mpg.weights.h5")
    return network


def load(path: Path | None) -> Any:
    """Your network from a ``.keras`` or ``.h5`` file, else the shipped one."""
    if path is None:
        return shipped_network()
    with quiet_native_stderr():
        import keras
    return keras.models.load_model(path, compile=False)


def find_newest(folder: Path) -> int:
    """The highest version in a network's folder, which is the one served; 0 without any."""
    names = [each.name for each in folder.iterdir()] if folder.is_dir() else []
    return max((int(name) for name in names if name.isdecimal()), default=0)


def write_next_version(network: Any, folder: Path) -> Path:
    """Write a network as ``folder/mpg/VERSION``, one more than the highest version there.

    It becomes visible whole, under its number: a server that watches the folder never meets half
    of it. A version is never replaced, because a server may be using it.

    Raises:
        UnsupportedNetwork: the network cannot be exported; with the name of the layer.
        OSError: another process has written the same version meanwhile.
    """
    versions = folder / NAME
    path = versions / str(find_newest(versions) + 1)
    versions.mkdir(parents=True, exist_ok=True)
    tracing.check_network(network)
    with tempfile.TemporaryDirectory(dir=versions, prefix=".export-") as drafts:
        draft = Path(drafts) / path.name
        with tracing.explain_failure(network, "a SavedModel"):
            tracing.write_savedmodel(network, draft)
        draft.replace(path)
    return path


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and write the next version."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, help="a .keras or .h5 file")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args(arguments)
    path = write_next_version(load(options.model), options.folder)
    print(f"{path} is written.")


if __name__ == "__main__":
    main()
