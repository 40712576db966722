"""The peers, each in an environment of its own under .cache/peers, made on first use."""

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from tests.support import ROOT

CACHE = ROOT / ".cache" / "peers"


@dataclass(frozen=True)
class Peer:
    """A framework on a server; both commands take ``--port`` and ``--workers``."""

    requirements: str
    bare: tuple[str, ...]  # after `python -m`
    duties: tuple[str, ...]  # the same, with its access log on standard output, a file

    def command(self, folder: Path | None, photo_model: Path | None) -> list[str]:
        """What starts it; with a ``folder`` for their metrics its workers log and count."""
        setting = [f"PHOTO_MODEL={photo_model}"] if photo_model else []
        if folder:
            setting += ["DUTIES=1", f"PROMETHEUS_MULTIPROC_DIR={folder}"]
        module = self.duties if folder else self.bare
        return ["env", *setting, str(prepare(self.requirements)), "-m", *module]


def prepare(name: str) -> Path:
    """The Python of the environment of ``NAME.txt``, made anew where that has changed."""
    wanted = Path(__file__).with_name(f"{name}.txt")
    folder = CACHE / name
    python, done = folder / "bin" / "python", folder / wanted.name
    if not done.is_file() or done.read_bytes() != wanted.read_bytes():
        print(f"Installing {name} into {folder.relative_to(ROOT)} …", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        install = [str(python), "-m", "pip", "install", "-qq", "--requirement", str(wanted)]
        if subprocess.run(install, check=False).returncode:
            sys.exit(f"{wanted.relative_to(ROOT)} cannot be installed; see above.")
        done.write_bytes(wanted.read_bytes())
    return python


UVICORN = ("uvicorn", "benchmarks.peers.fastapi_app:app")
GRANIAN = ("granian", "--interface", "asgi", "benchmarks.peers.fastapi_app:app")
LITESTAR = ("granian", "--interface", "asgi", "benchmarks.peers.litestar_app:app")
LITSERVE = ("benchmarks.peers.litserve_app",)
BENTOML = ("benchmarks.peers.bentoml_app",)
PEERS = {
    "fastapi-uvicorn": Peer("fastapi", (*UVICORN, "--no-access-log"), UVICORN),
    "fastapi-granian": Peer("fastapi", GRANIAN, (*GRANIAN, "--access-log")),
    "litestar": Peer("litestar", LITESTAR, LITESTAR),
    "litserve": Peer("litserve", LITSERVE, LITSERVE),
    "bentoml": Peer("bentoml", BENTOML, BENTOML),
}
