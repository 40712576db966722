"""The names of a model's classes, as we write them and as Teachable Machine does."""

import io
from pathlib import Path

import pytest
from PIL import Image

from course_utils.inference import load_labels
from course_utils.services import image, pets

TEACHABLE = Path(__file__).parent / "keras2" / "keras_model.h5"  # with labels.txt beside it


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("0 Cat\n1 Dog\n", ["Cat", "Dog"]),
        ("\ufeff0 Golden retriever\r\n1 7 up\r\n\r\n", ["Golden retriever", "7 up"]),
        ("background\n7 up\n", ["background", "7 up"]),
        ("0 Cat\n2 Dog\n", None),
        ("1 Dog\n0 Cat\n", None),
        ("", None),
        ("0 Katze\n1 Köter\n".encode("cp1252"), None),
    ],
)
def test_a_text_names_a_class_in_each_line(
    tmp_path: Path, text: str | bytes, names: list[str] | None
) -> None:
    (tmp_path / "labels.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    if names:
        assert load_labels(tmp_path / "m.h5") == names
        return
    with pytest.raises(
        ValueError, match=r"labels.txt is not (a list|UTF-8).* Write m.labels.json: .*\["
    ):
        load_labels(tmp_path / "m.h5")


def test_the_file_that_is_nearest_to_the_model_is_taken(tmp_path: Path) -> None:
    model = tmp_path / "m.h5"
    with pytest.raises(FileNotFoundError, match=r"m.labels.json is missing: the names .* labels.t"):
        load_labels(model)
    for name in ("labels.txt", "m.labels.txt", "m.labels.json"):
        (tmp_path / name).write_text(f'["{name}"]', "utf-8")
        assert name in load_labels(model)[0]


def test_a_list_that_is_nested_too_deep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.labels.json").write_text("[" * 100_000, "utf-8")
    with pytest.raises(ValueError, match=r"m.labels.json is not a list"):
        load_labels(tmp_path / "m.h5")


@pytest.mark.thorough
def test_what_teachable_machine_exports_is_served_as_it_is() -> None:
    photo = io.BytesIO()
    Image.new("RGB", (20, 20), "orange").save(photo, "PNG")
    answer = (
        image.create_app(TEACHABLE)
        .test_client()
        .post("/api/image", data={"image": (io.BytesIO(photo.getvalue()), "x")})
    )
    assert {guess["name"] for guess in answer.get_json()["pred"]} == {"Cat", "Dog"}
    assert pets.create_app(TEACHABLE).test_client().get("/readyz").status_code == 200
