"""The image service follows the store as mpg does: promoted and rolled back, no photo lost."""

import itertools
import shutil
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
import requests

from course_utils import registry
from course_utils.environment import data_folder
from course_utils.inference import load_labels, shipped_model, write_labels
from tests.services.conftest import version_of
from tests.support.serving import COURSE, running, wait_until

PHOTOS = data_folder() / "photos"
SHOWN = {"cat.png": "Egyptian_cat", "coffee.png": "espresso", "red_panda.jpg": "lesser_panda"}
SWAPS = 6


def make_store(folder: Path) -> Path:
    """Two versions of MobileNet; the second writes the names of its classes in capitals."""
    model = Path(shutil.copy(shipped_model("image"), folder))
    labels = load_labels(shipped_model("image"))
    for write in (str, str.upper):
        write_labels(model, list(map(write, labels)))
        table = pd.DataFrame(
            [{"file": str(PHOTOS / file), "label": write(name)} for file, name in SHOWN.items()]
        )
        files = [model, model.with_name(f"{model.stem}.labels.json")]
        registry.register("image", files, training=table, store=folder / "store")
    registry.promote("image", 1, store=folder / "store")
    return folder / "store"


def ask(url: str, session: requests.Session, name: str) -> tuple[int, int, str]:
    """Status, version and likeliest class of one photo."""
    with (PHOTOS / name).open("rb") as photo:
        answer = session.post(f"{url}/api/image", files={"image": photo}, timeout=60)
    best = answer.json()["pred"][0]["name"] if answer.ok else answer.text
    return answer.status_code, version_of(answer), best


def all_serve(url: str, version: int) -> bool:
    """Ten connections in a row meet this version only, so both workers serve it."""
    return all(ask(url, requests.Session(), "cat.png")[1] == version for _ in range(10))


@pytest.mark.thorough
def test_a_network_of_photos_is_promoted_and_rolled_back_under_load(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    version = registry.load("image", 1, store=store)
    assert version.document["metrics"]["computed"]["accuracy"] == 1
    assert registry.verify(version).rows == len(SHOWN)
    done = threading.Event()

    def keep_asking(url: str) -> list[tuple[str, int, int, str]]:
        seen = []
        with requests.Session() as session:
            for name in itertools.cycle(SHOWN):
                seen.append((name, *ask(url, session, name)))
                if done.is_set():
                    return seen
        raise AssertionError

    command = [str(COURSE), "serve", "image", "--store", str(store)]
    with running(command, workers=2) as served, ThreadPoolExecutor(2) as pool:
        clients = [pool.submit(keep_asking, served.url) for _ in range(2)]
        try:
            for number in range(SWAPS):
                if number % 2:
                    registry.roll_back("image", store=store)
                else:
                    registry.promote("image", 2, store=store)
                wanted = 2 - number % 2

                assert wait_until(lambda v=wanted: all_serve(served.url, v))
        finally:
            done.set()
        answered = [answer for client in clients for answer in client.result(60)]
    assert [answer for answer in answered if answer[1] != 200] == []
    by_version = Counter(version for _, _, version, _ in answered)
    assert min(by_version[1], by_version[2]) > 20
    assert all(
        best == (SHOWN[name].upper() if version == 2 else SHOWN[name])
        for name, _, version, best in answered
    )
