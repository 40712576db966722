"""The page of an exported network: what is written, what is refused, and one file made of it."""

import base64
import gzip
import hashlib
import html
import json
import re

import numpy as np
import pytest

from course_utils.export import browser
from course_utils.inference import FeatureSchema, Predictor, schema_path, shipped_model, to_litert
from tests.export.conftest import silent
from tests.support import networks
from tests.support.serving import FEATURES

LABELS = ["cat", "dog"]
SCHEMA = FeatureSchema.load(schema_path(shipped_model("mpg")))


def build(*layers, shape):
    keras = networks.quiet_keras()
    return keras.Sequential([keras.Input(shape), *layers], name="net")


def build_photo_network(outputs=2, activation="softmax", name=None):
    layers = networks.quiet_keras().layers
    networks.quiet_keras().utils.set_random_seed(5)
    first = layers.Conv2D(4, 3, name=name)
    last = layers.Dense(outputs, activation=activation)
    return build(first, layers.GlobalAveragePooling2D(), last, shape=(8, 8, 3))


def read_about(folder):
    return json.loads((folder / "model.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def page(mpg, tmp_path_factory):
    """The page of the MPG network; tests that change it work on another."""
    folder = tmp_path_factory.mktemp("browser") / "mpg"
    texts = {"weight": "weight, in pounds"}
    return browser.convert(
        mpg[0],
        folder,
        kind="row",
        schema=SCHEMA,
        name="Fuel economy",
        descriptions=texts,
        notice="Weights: A. Uthor, 2026, Müller & Söhne.",
        report=silent,
    )


def test_the_page_knows_the_features_and_what_is_predicted(page):
    about = read_about(page)
    assert about["kind"] == "row"
    assert about["name"] == "Fuel economy"
    assert about["shape"] == [1, 7]
    assert (about["output"], about["labels"]) == ("mpg", None)
    assert [field["name"] for field in about["fields"]] == FEATURES
    cylinders, weight = about["fields"][0], about["fields"][3]
    assert cylinders["type"] == "integer"
    assert cylinders["value"] in (5, 6)  # the middle of 3 and 8
    assert weight == {
        "name": "weight",
        "type": "number",
        "minimum": 1613,
        "maximum": 5140,
        "description": "weight, in pounds",
        "value": 3376.5,
    }
    assert SCHEMA.validate({field["name"]: field["value"] for field in about["fields"]})


def test_digests_and_sizes_are_those_of_the_files(page):
    for name, said in read_about(page)["files"].items():
        content = (page / name).read_bytes()
        assert said == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert read_about(page)["files"].keys() == {"model.tflite", "litert.wasm"}


def test_the_version_tells_two_networks_apart(page, mpg, tmp_path):
    network, _ = mpg
    options = {"kind": "row", "schema": SCHEMA, "name": "Fuel economy", "report": silent}
    same, again, other = (tmp_path / name for name in ("same", "again", "other"))
    browser.convert(network, same, **options)
    browser.convert(network, again, **options)
    bias = network.layers[-2].bias
    bias.assign_add([1e-3])
    browser.convert(network, other, **options)
    bias.assign_sub([1e-3])
    versions = [read_about(folder)["version"] for folder in (same, again, other)]
    assert versions[0] == versions[1] != versions[2]


def test_the_network_takes_one_example_and_computes_as_before(page, mpg):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(page / "model.tflite"))
    shapes = [part["shape_signature"].tolist() for part in interpreter.get_tensor_details()]
    assert interpreter.get_input_details()[0]["shape_signature"].tolist() == [1, 7]
    assert not any(-1 in shape for shape in shapes)
    network, rows = mpg
    fixed = Predictor.load(page / "model.tflite")
    got = [fixed.predict(row[None])[0, 0] for row in rows[:20]]
    np.testing.assert_allclose(got, np.asarray(network(rows[:20]))[:, 0], rtol=1e-5)


def test_the_notice_is_the_runtime_s_and_then_that_of_the_weights(page):
    text = (page / "NOTICE").read_text("utf-8")
    assert text.startswith((browser.PAGE / "NOTICE").read_text("utf-8"))
    assert text.endswith("\nWeights: A. Uthor, 2026, Müller & Söhne.\n")


def test_a_file_is_exported_as_it_is(tmp_path):
    folder = browser.convert(
        shipped_model("digit"), tmp_path / "digit", kind="drawing", report=silent
    )
    assert read_about(folder)["shape"] == [1, 28, 28]
    fixed, whole = Predictor.load(folder / "model.tflite"), Predictor.load(shipped_model("digit"))
    ink = np.random.default_rng(0).random((1, 28, 28), np.float32)
    np.testing.assert_array_equal(fixed.predict(ink), whole.predict(ink))


def test_steps_are_reported(tmp_path, capsys):
    browser.convert(build_photo_network(), tmp_path / "pets", kind="photo", labels=LABELS)
    assert capsys.readouterr().out == (
        "1/2 translating the network to LiteRT ...\n2/2 writing pets ...\n"
    )


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"kind": "sound"}, "kind='sound'"),
        ({"kind": "row"}, r"shape \(8, 8, 3\), and kind='row'.* schema="),
        ({"kind": "drawing"}, r"shape \(8, 8, 3\), and kind='drawing'.* 28 × 28"),
        ({"kind": "photo", "labels": ["a", "b", "c"]}, r"shape \(2,\); there are 3 labels"),
        ({"kind": "row", "schema": SCHEMA}, "its schema has 7 features"),
    ],
)
def test_a_network_that_the_page_does_not_fit_is_refused(options, match, tmp_path):
    with pytest.raises(ValueError, match=match):
        browser.convert(build_photo_network(), tmp_path / "page", report=silent, **options)
    assert not list(tmp_path.iterdir())


def test_a_grey_photo_is_refused(tmp_path, digits):
    with pytest.raises(ValueError, match=r"a network of \(height, width, 3\) pixels"):
        browser.convert(digits[0], tmp_path / "page", kind="photo", report=silent)


def test_a_drawing_is_ink_from_0_to_1(tmp_path):
    layers = networks.quiet_keras().layers
    network = build(
        layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(10, "softmax"), shape=(28, 28)
    )
    with pytest.raises(ValueError, match=r"scales pixels of 0\.\.255.*ink from 0 to 1"):
        browser.convert(network, tmp_path / "page", kind="drawing", report=silent)


def test_pixels_of_another_range_are_warned_of_where_the_caller_reads_it(tmp_path):
    network = build_photo_network(name="conv_dw_1")
    with pytest.warns(UserWarning, match=r"page takes pixels.*Keras' MobileNet") as warned:
        browser.convert(network, tmp_path / "page", kind="photo", report=silent)
    assert warned[0].filename == __file__


def test_a_file_that_wants_other_pixels_is_refused(tmp_path):
    file = tmp_path / "mobile.tflite"
    file.write_bytes(to_litert(build_photo_network(name="conv_dw_1")))
    with pytest.raises(ValueError, match=r"mobile\.tflite is Keras' MobileNet without its prepro"):
        browser.convert(file, tmp_path / "page", kind="photo", report=silent)
    file.write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"mobile\.tflite is not a model"):
        browser.convert(file, tmp_path / "page", kind="photo", report=silent)


def test_an_existing_folder_stays_unless_it_is_a_page_and_is_to_be_replaced(tmp_path):
    network, mine = build_photo_network(), tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("mine")
    options = {"kind": "photo", "report": silent}
    with pytest.raises(FileExistsError, match="overwrite=True"):
        browser.convert(network, mine, **options)
    with pytest.raises(FileExistsError, match="is no page of this course"):
        browser.convert(network, mine, overwrite=True, **options)
    assert [file.name for file in mine.iterdir()] == ["thesis.txt"]
    page = browser.convert(network, tmp_path / "page", labels=LABELS, **options)
    (page / "old.txt").write_text("old")
    browser.convert(network, page, labels=["Katze", "Hund"], overwrite=True, **options)
    assert read_about(page)["labels"] == ["Katze", "Hund"]
    assert not (page / "old.txt").exists()


def test_what_fails_half_way_leaves_what_was_there(tmp_path):
    network, page = build_photo_network(), tmp_path / "page"
    options = {"kind": "photo", "report": silent}
    with pytest.raises(UnicodeEncodeError):
        browser.convert(network, page, notice="no character: \ud800", **options)
    assert not list(tmp_path.iterdir())
    browser.convert(network, page, **options)
    before = read_about(page)
    with pytest.raises(UnicodeEncodeError):
        browser.convert(network, page, notice="\ud800", overwrite=True, **options)
    assert read_about(page) == before
    assert list(tmp_path.iterdir()) == [page]


def test_a_course_without_its_pages_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(browser, "PAGE", tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="installed without its web pages"):
        browser.convert(build_photo_network(), tmp_path / "page", kind="photo", report=silent)


def test_one_file_holds_all_that_the_folder_holds(page, tmp_path):
    path = browser.pack(page, tmp_path / "mpg.html")
    text = path.read_text("utf-8")
    for name in ("model.json", "litert.wasm", "model.tflite", "worker.js"):
        block = re.search(f'<script type="text/plain" id="{re.escape(name)}">(.*?)</script>', text)
        content = gzip.decompress(base64.b64decode(block[1]))
        assert content == (page / name).read_bytes(), name
    notice = re.search('<pre id="NOTICE" hidden>(.*?)</pre>', text, re.DOTALL)[1]
    assert html.unescape(notice) == (page / "NOTICE").read_text("utf-8")
    again = browser.pack(page, tmp_path / "again.html")
    assert again.read_bytes() == path.read_bytes()


def test_the_policy_of_one_file_allows_its_own_script_and_style_only(page, tmp_path):
    text = browser.pack(page, tmp_path / "mpg.html").read_text("utf-8")
    policy = re.search(r'"Content-Security-Policy"\s+content="(.*?)"', text)[1]
    allowed = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    script = re.findall('<script type="module">(.*?)</script>', text, re.DOTALL)
    style = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    for directive, (content,) in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in allowed[directive].split()
    assert allowed["worker-src"] == "blob:"
    assert allowed["default-src"] == "'none'"
    assert "'self'" not in policy
    assert "unsafe-inline" not in policy
    assert not re.search(r'(src|href)="(?!data:)', text.partition('<pre id="NOTICE"')[0])


def test_one_file_replaces_nothing_unasked(page, tmp_path):
    path = tmp_path / "mpg.html"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        browser.pack(page, path)
    assert path.read_text() == "mine"
    with pytest.raises(ValueError, match=r"has to end in \.html"):
        browser.pack(page, tmp_path / "mpg.htm")
    with pytest.raises(FileNotFoundError):
        browser.pack(tmp_path, tmp_path / "new.html")
    assert browser.pack(page, path, overwrite=True).read_bytes().startswith(b"<!doctype html>")
