"""The Xcode project: complete, and consistent with what is on disk."""

import json
import plistlib
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from openstep_parser import OpenStepDecoder
from PIL import Image

from tests.support.swift import APP, CONTRACT, IOS, constants, files

BUNDLE = IOS / "NetworksAtWork.xcodeproj"
ASSETS = APP / "Assets.xcassets"
Project: TypeAlias = dict[str, Any]
PACKAGE = f"{constants(CONTRACT.read_bytes())['resource']}.mlpackage"


@pytest.fixture(scope="module")
def project() -> Project:
    with (BUNDLE / "project.pbxproj").open(encoding="utf-8") as file:
        return OpenStepDecoder.ParseFromFile(file)


@pytest.fixture(scope="module")
def objects(project) -> Project:
    """All parts of the project, by their identifiers."""
    return project["objects"]


@pytest.fixture(scope="module")
def root(project, objects) -> Project:
    return objects[project["rootObject"]]


@pytest.fixture(scope="module")
def target(root, objects) -> Project:
    (name,) = root["targets"]
    assert objects[name]["productType"] == "com.apple.product-type.application"
    return objects[name]


def folders(objects: Project, root: Project) -> dict[str, Path]:
    """Where each file reference and group of the project lies on disk."""
    found = {}
    waiting = [(objects[root["mainGroup"]], IOS)]
    while waiting:
        group, folder = waiting.pop()
        for name in group["children"]:
            child = objects[name]
            found[name] = folder / child.get("path", "")
            if child["isa"] == "PBXGroup":
                waiting.append((child, found[name]))
    return found


def built(objects: Project, root: Project, target: Project, isa: str) -> list[Path]:
    where = folders(objects, root)
    (phase,) = [one for name in target["buildPhases"] if (one := objects[name])["isa"] == isa]
    return [where[objects[name]["fileRef"]] for name in phase["files"]]


def settings(objects: Project, owner: Project) -> list[Project]:
    """The build settings of Debug and Release."""
    names = objects[owner["buildConfigurationList"]]["buildConfigurations"]
    configurations = [objects[name] for name in names]
    assert [one["name"] for one in configurations] == ["Debug", "Release"]
    return [one["buildSettings"] for one in configurations]


def test_what_is_compiled_and_what_is_a_resource(objects, root, target):
    sources = built(objects, root, target, "PBXSourcesBuildPhase")
    assert sorted(sources) == sorted([*files(), IOS / PACKAGE])
    assert built(objects, root, target, "PBXResourcesBuildPhase") == [ASSETS]


def test_what_the_project_shows_is_on_disk(objects, root):
    products = {"NetworksAtWork.app", PACKAGE}  # what a build makes, what notebook 08 makes
    missing = [path for path in folders(objects, root).values() if not path.exists()]
    assert {path.name for path in missing} <= products
    (network,) = [one for one in objects.values() if one.get("path") == PACKAGE]
    assert network["lastKnownFileType"] == "folder.mlpackage"


def test_nothing_in_the_project_leads_nowhere(objects):
    content = (BUNDLE / "project.pbxproj").read_text(encoding="utf-8")
    named = set(re.findall(r"\b[0-9A-F]{24}\b", content))
    assert named == set(objects)


def test_settings(objects, root, target):
    for common in settings(objects, root):
        assert common["IPHONEOS_DEPLOYMENT_TARGET"] == "16.0"
        assert common["TARGETED_DEVICE_FAMILY"] == "1,2"  # iPhone and iPad
        assert common["SDKROOT"] == "iphoneos"
        assert common["ENABLE_USER_SCRIPT_SANDBOXING"] == "NO"  # the check has to see the folder
    for own in settings(objects, target):
        assert own["PRODUCT_BUNDLE_IDENTIFIER"].startswith("com.example.")
        assert "DEVELOPMENT_TEAM" not in own  # each person's own
        assert own["ASSETCATALOG_COMPILER_APPICON_NAME"] == "AppIcon"
        assert (IOS / own["INFOPLIST_FILE"]).samefile(APP / "Info.plist")


@pytest.mark.skipif(sys.platform == "win32", reason="Xcode's scripts need a shell")
def test_a_missing_network_is_an_error_that_says_what_to_do(objects, target, tmp_path):
    """By the project's own check, run as Xcode does with its project in a folder."""
    check = objects[target["buildPhases"][0]]  # before anything is built
    command = [check["shellPath"], "-c", check["shellScript"]]
    folder = tmp_path / "with spaces"
    options = {"env": {"SRCROOT": str(folder)}, "capture_output": True, "text": True}
    answer = subprocess.run(command, check=False, **options)
    assert answer.returncode == 1
    assert answer.stdout.startswith("error: ")  # so Xcode shows it as one
    for word in (PACKAGE, "notebooks/08_coreml.ipynb", str(folder), "README.md"):
        assert word in answer.stdout
    (folder / PACKAGE).mkdir(parents=True)
    (folder / PACKAGE / "Manifest.json").write_text("{}", encoding="utf-8")
    answer = subprocess.run(command, check=False, **options)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_the_scheme_is_shared_and_builds_the_target(root, target):
    scheme = ET.parse(BUNDLE / "xcshareddata/xcschemes/NetworksAtWork.xcscheme")
    references = list(scheme.iter("BuildableReference"))
    assert len(references) == 3  # build, launch, profile
    for reference in references:
        assert reference.attrib["BlueprintIdentifier"] == root["targets"][0]
        assert reference.attrib["BlueprintName"] == target["name"]
        assert reference.attrib["ReferencedContainer"] == f"container:{BUNDLE.name}"


def test_the_camera_is_asked_for_with_a_reason():
    info = plistlib.loads((APP / "Info.plist").read_bytes())
    assert len(info["NSCameraUsageDescription"]) > 20
    assert len(info["UISupportedInterfaceOrientations~ipad"]) == 4
    assert info["UIApplicationSceneManifest"] == {"UIApplicationSupportsMultipleScenes": False}


def test_the_icon_is_as_apple_wants_it():
    folder = ASSETS / "AppIcon.appiconset"
    (image,) = json.loads((folder / "Contents.json").read_text(encoding="utf-8"))["images"]
    with Image.open(folder / image["filename"]) as icon:
        assert (icon.format, icon.size, icon.mode) == ("PNG", (1024, 1024), "RGB")
    assert image["size"] == "1024x1024"
    assert (image["idiom"], image["platform"]) == ("universal", "ios")
