"""The back end of the pets service over real sockets, with the real network."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from course_utils.environment import data_folder
from course_utils.images import MAX_BYTES
from course_utils.inference import shipped_model
from course_utils.services.pets import MAX_BODY_BYTES, create_app
from tests.support.serving import Served, serving

PHOTOS = data_folder() / "photos"
CAT, DOG = ((PHOTOS / name).read_bytes() for name in ("cat.png", "dog.jpg"))


@pytest.fixture(scope="module")
def service() -> Iterator[Served]:
    with serving("pets") as served:
        yield served


def text(photo: bytes) -> str:
    return base64.b64encode(photo).decode()


def ask(served: Served, body: Any, **headers: str) -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.post(f"{served.url}/", data=data, headers=headers, timeout=60)


@pytest.mark.parametrize(("photo", "name"), [(CAT, "cat"), (DOG, "dog")])
def test_it_tells_cats_from_dogs(service: Served, photo: bytes, name: str) -> None:
    answer = ask(service, {"image": text(photo)})
    assert answer.status_code == 200
    assert list(answer.json()) == ["prediction"]
    shares = answer.json()["prediction"]
    assert set(shares) == {"cat", "dog"}
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    assert max(shares, key=lambda which: shares[which]) == name


def test_the_names_are_those_of_the_models_labels(tmp_path: Path, service: Served) -> None:
    """A model that has the dogs first, of the same weights, says the contrary."""
    model = tmp_path / "turned.tflite"
    model.write_bytes(shipped_model("pets").read_bytes())
    (tmp_path / "turned.labels.json").write_text('["dog", "cat"]', "utf-8")
    client = create_app(model).test_client()
    turned = client.post("/", json={"image": text(CAT)}).get_json()["prediction"]
    usual = ask(service, {"image": text(CAT)}).json()["prediction"]
    assert turned == {"cat": usual["dog"], "dog": usual["cat"]}


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", ""])
def test_the_content_type_does_not_matter(service: Served, kind: str) -> None:
    """Existing pages post the JSON as if it were a form."""
    assert ask(service, {"image": text(CAT)}, **{"Content-Type": kind}).status_code == 200


@pytest.mark.parametrize(
    "write",
    [
        lambda photo: "data:image/jpeg;base64," + text(photo),  # whatever it claims
        lambda photo: "DATA:;BASE64," + text(photo),
        lambda photo: base64.encodebytes(photo).decode().replace("\n", "\r\n"),
        lambda photo: f"  {text(photo)}\n",
    ],
)
def test_base64_as_programs_write_it(service: Served, write: Any) -> None:
    usual = ask(service, {"image": text(CAT)}).json()
    assert ask(service, {"image": write(CAT)}).json() == usual


@pytest.mark.parametrize(
    "image",
    [
        text(CAT)[:-2],
        text(CAT) + "====" + text(CAT),
        text(CAT).replace("/", "_"),  # the alphabet of URLs
        text(CAT)[:40] + "*" + text(CAT)[40:],  # a lenient reader passes over it
        "ümlaut",
        "data:image/png," + text(CAT),
        "data:image/png;base64" + text(CAT),
    ],
)
def test_what_is_no_base64_is_refused(service: Served, image: str) -> None:
    answer = ask(service, {"image": image})
    assert answer.status_code == 400
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == "/image"
    assert fault["received"] == f"{len(image)} characters"
    assert image[:20] not in answer.text


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (b'{"image": NaN}', ["/image"]),
        (b'{"image": "", "image": ""}', ["/image"]),
        ([], [""]),
        ({"url": "http://127.0.0.1/"}, ["/url", "/image"]),
        ({"image": ""}, ["/image"]),
        ({"image": text(b"a letter")}, ["/image"]),
    ],
)
def test_every_fault_is_named(service: Served, body: Any, pointers: list[str]) -> None:
    answer = ask(service, body)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [fault["pointer"] for fault in answer.json()["errors"]] == pointers


def test_the_largest_photo_fits_however_its_lines_are_broken(service: Served) -> None:
    """It is no photo, but the size is not what is wrong with it."""
    lines = base64.encodebytes(bytes(MAX_BYTES)).decode().replace("\n", "\r\n")
    body = json.dumps({"image": "data:image/jpeg;base64," + lines}).encode()
    assert len(body) <= MAX_BODY_BYTES
    answer = ask(service, body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["received"] == "a file of another kind"
    larger = ask(service, {"image": text(bytes(MAX_BYTES + 1))})
    assert larger.json()["errors"][0]["detail"] == "The file is too large."
    assert ask(service, bytes(MAX_BODY_BYTES + 1)).status_code == 413


def test_a_model_of_other_classes_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(shipped_model("pets").read_bytes())
    (tmp_path / "m.labels.json").write_text('["cat", "bird"]', "utf-8")
    with pytest.raises(ValueError, match="needs cat and dog"):
        create_app(model)
