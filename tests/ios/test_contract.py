"""The app and the conversion speak of the same inputs and outputs, and see the same picture."""

import io

import keras
import numpy as np
import pytest
from PIL import Image

from course_utils.export import coreml
from course_utils.images import read_image
from tests.support import swift

ct = pytest.importorskip("coremltools", reason="there is no coremltools for Windows")
CONTRACT = swift.constants(swift.CONTRACT.read_bytes())
LABELS = ["cat", "dog", "red_panda"]


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """What a package says of itself that was just converted from a small classifier of photos."""
    photo = keras.Input((224, 224, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(photo)
    answer = keras.layers.Dense(len(LABELS), activation="softmax")(pooled)
    path = tmp_path_factory.mktemp("converted") / f"{CONTRACT['resource']}.mlpackage"
    model = keras.Model(photo, answer)
    coreml.convert(model, path, labels=LABELS, preprocess=coreml.MINUS_ONE_TO_ONE)
    return ct.utils.load_spec(str(path)).description


def test_the_input_is_the_photo_that_the_app_gives(described):
    (only,) = described.input
    assert only.name == CONTRACT["input"]
    image = only.type.imageType
    assert (image.width, image.height) == (int(CONTRACT["side"]), int(CONTRACT["side"]))
    assert image.ColorSpace.Name(image.colorSpace) == "RGB"


def test_the_outputs_are_those_that_the_app_and_vision_read(described):
    kinds = {output.name: output.type.WhichOneof("Type") for output in described.output}
    assert kinds == {CONTRACT["label"]: "stringType", CONTRACT["probabilities"]: "dictionaryType"}
    assert described.predictedFeatureName == CONTRACT["label"]
    assert described.predictedProbabilitiesName == CONTRACT["probabilities"]


def test_the_names_stand_in_one_file():
    names = {value for value in CONTRACT.values() if not value.isdigit()}
    assert len(names) == 4
    assert names <= {*swift.strings(swift.CONTRACT.read_bytes())}
    for path in swift.files():
        if path != swift.CONTRACT:
            assert names.isdisjoint(swift.strings(path.read_bytes())), path.name


def test_a_photo_is_squeezed_on_the_phone_as_the_course_squeezes_it():
    source = (swift.APP / "Classifier.swift").read_bytes()
    (option,) = [
        swift.text(node.child_by_field_name("result"))
        for node in swift.nodes(source)
        if node.type == "assignment" and b"imageCropAndScaleOption" in node.children[0].text
    ]
    assert option == ".scaleFill"  # the others of Vision crop, or leave margins
    pixels = np.zeros((300, 600, 3), np.uint8)
    pixels[:, :150] = pixels[:, 450:] = 255  # what a crop to the centre would lose
    photo = io.BytesIO()
    Image.fromarray(pixels).save(photo, "png")
    side = int(CONTRACT["side"])
    seen = read_image(photo.getvalue(), size=(side, side))
    bright = (seen[side // 2, :, 0] > 127).nonzero()[0]
    assert bright.tolist() == [*range(side // 4), *range(3 * side // 4, side)]
