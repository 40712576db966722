"""The steps of ios/README.md name files that are there."""

import re

import numpy as np
from markdown_it import MarkdownIt
from PIL import Image

from course_utils.inference import Predictor, load_labels, shipped_model
from course_utils.services.image import rank_classes
from tests.conftest import ROOT
from tests.ios.test_project import PACKAGE
from tests.support.swift import APP, IOS

README = (IOS / "README.md").read_text(encoding="utf-8")
# What the notebook brings, not the repository.
NOT_HERE = {PACKAGE, f"{PACKAGE}/Manifest.json"}


def code_spans() -> set[str]:
    blocks = MarkdownIt("commonmark").enable("table").parse(README)
    spans = (child for block in blocks for child in block.children or [])
    return {span.content for span in spans if span.type == "code_inline"}


def paths() -> set[str]:
    known = re.compile(r"/|\.(swift|md|mlpackage|xcodeproj|plist)$")
    return {span for span in code_spans() if known.search(span)}


def test_every_file_it_names_is_there():
    assert len(paths()) > 10
    missing = {path for path in paths() if not ((IOS / path).exists() or (ROOT / path).exists())}
    assert missing == NOT_HERE - {path for path in NOT_HERE if (IOS / path).exists()}


def test_every_swift_file_is_explained():
    explained = {path for path in paths() if path.endswith(".swift")}
    there = {path.relative_to(IOS).as_posix() for path in APP.glob("*.swift")}
    assert explained == there - {"NetworksAtWork/NetworksAtWorkApp.swift"}  # ten lines, all SwiftUI


def test_the_identifier_to_change_is_that_of_the_project():
    project = (IOS / "NetworksAtWork.xcodeproj/project.pbxproj").read_text(encoding="utf-8")
    identifiers = set(re.findall(r"PRODUCT_BUNDLE_IDENTIFIER = (\S+);", project))
    assert len(identifiers) == 1
    assert identifiers <= code_spans()


def test_the_cat_squeezed_and_cropped():
    classifier = shipped_model("image")
    network, labels = Predictor.load(classifier), load_labels(classifier)
    with Image.open(ROOT / "data/photos/cat.png") as image:
        photo = image.convert("RGB")
    side, left = photo.height, (photo.width - photo.height) // 2
    said = []
    for view in (photo, photo.crop((left, 0, left + side, side))):
        small = np.asarray(view.resize((224, 224), Image.Resampling.BILINEAR), np.float32)
        said.append(rank_classes(network.predict(small[None])[0], labels)[0])
    assert {each["name"] for each in said} == {"Egyptian_cat"}
    squeezed, cropped = (f"{each['prob']:.2f}" for each in said)
    assert f"with {squeezed} when the picture is squeezed, and with {cropped} when its" in README
