"""The Xcode project: complete, and consistent with what is on disk."""

import json
import plistlib
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from pbxproj import XcodeProject
from PIL import Image

from tests.ios.swift import APP, CONTRACT, IOS, constants, files

BUNDLE = IOS / "NetworksAtWork.xcodeproj"
ASSETS = APP / "Assets.xcassets"
no_shell = pytest.mark.skipif(sys.platform == "win32", reason="Xcode's scripts need a shell")
PACKAGE = f"{constants(CONTRACT.read_bytes())['resource']}.mlpackage"


@pytest.fixture(scope="module")
def project() -> XcodeProject:
    return XcodeProject.load(str(BUNDLE / "project.pbxproj"))


@pytest.fixture(scope="module")
def target(project) -> Any:
    (only,) = project.objects.get_targets()
    assert only.productType == "com.apple.product-type.application"
    return only


def phase(project: XcodeProject, target: Any, isa: str) -> Any:
    phases = [project.objects[name] for name in target.buildPhases]
    (only,) = [one for one in phases if one.isa == isa]
    return only


def folders(project: XcodeProject) -> dict[str, Path]:
    """Where each file reference and group of the project lies on disk."""
    found = {}
    main = project.objects[project.objects[project.rootObject].mainGroup]
    waiting = [(main, IOS)]
    while waiting:
        group, folder = waiting.pop()
        for name in group.children:
            child = project.objects[name]
            path = folder / child.path if "path" in child else folder
            found[str(name)] = path
            if child.isa == "PBXGroup":
                waiting.append((child, path))
    return found


def built(project: XcodeProject, target: Any, isa: str) -> list[Path]:
    where = folders(project)
    references = [project.objects[name].fileRef for name in phase(project, target, isa).files]
    return [where[str(reference)] for reference in references]


def settings(project: XcodeProject, owner: Any) -> list[dict[str, Any]]:
    """The build settings of Debug and Release."""
    names = project.objects[owner.buildConfigurationList].buildConfigurations
    configurations = [project.objects[name] for name in names]
    assert [one.name for one in configurations] == ["Debug", "Release"]
    return [one.buildSettings for one in configurations]


def test_every_swift_file_and_the_network_are_compiled_and_nothing_else(project, target):
    sources = built(project, target, "PBXSourcesBuildPhase")
    assert sorted(sources) == sorted([*files(), IOS / PACKAGE])


def test_the_assets_are_the_only_resource(project, target):
    assert built(project, target, "PBXResourcesBuildPhase") == [ASSETS]
    assert ASSETS.is_dir()


def test_what_the_project_shows_is_on_disk(project):
    products = {"NetworksAtWork.app", PACKAGE}  # what a build makes, what notebook 08 makes
    missing = [path for path in folders(project).values() if not path.exists()]
    assert {path.name for path in missing} <= products


def test_nothing_in_the_project_leads_nowhere(project):
    content = (BUNDLE / "project.pbxproj").read_text(encoding="utf-8")
    named = set(re.findall(r"\b[0-9A-F]{24}\b", content))
    assert named == set(map(str, project.objects.get_keys()))


def test_the_network_is_taken_for_a_network(project):
    (reference,) = [
        one
        for one in project.objects.get_objects_in_section("PBXFileReference")
        if one.path == PACKAGE
    ]
    assert reference.lastKnownFileType == "folder.mlpackage"


def test_settings(project, target):
    for common in settings(project, project.objects[project.rootObject]):
        assert common["IPHONEOS_DEPLOYMENT_TARGET"] == "16.0"
        assert common["TARGETED_DEVICE_FAMILY"] == "1,2"  # iPhone and iPad
        assert common["SDKROOT"] == "iphoneos"
        assert common["ENABLE_USER_SCRIPT_SANDBOXING"] == "NO"  # the check has to see the folder
    for own in settings(project, target):
        assert own["PRODUCT_BUNDLE_IDENTIFIER"].startswith("com.example.")
        assert "DEVELOPMENT_TEAM" not in own  # each person's own
        assert own["ASSETCATALOG_COMPILER_APPICON_NAME"] == "AppIcon"
        assert (IOS / own["INFOPLIST_FILE"]).samefile(APP / "Info.plist")


def test_the_network_is_looked_for_before_anything_is_built(project, target):
    assert project.objects[target.buildPhases[0]].isa == "PBXShellScriptBuildPhase"


@no_shell
def test_a_missing_network_is_an_error_that_says_what_to_do(project, target, tmp_path):
    answer = look_for_network(project, target, tmp_path)
    assert answer.returncode == 1
    assert answer.stdout.startswith("error: ")  # so Xcode shows it as one
    for word in (PACKAGE, "notebooks/08_coreml.ipynb", str(tmp_path), "README.md"):
        assert word in answer.stdout


@no_shell
def test_a_network_that_is_there_is_no_error(project, target, tmp_path):
    folder = tmp_path / "with spaces"
    (folder / PACKAGE).mkdir(parents=True)
    (folder / PACKAGE / "Manifest.json").write_text("{}", encoding="utf-8")
    answer = look_for_network(project, target, folder)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def look_for_network(
    project: XcodeProject, target: Any, folder: Path
) -> "subprocess.CompletedProcess[str]":
    """Run the project's own check, as Xcode would with its project in ``folder``."""
    check = phase(project, target, "PBXShellScriptBuildPhase")
    return subprocess.run(
        [check.shellPath, "-c", check.shellScript],
        env={"SRCROOT": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_scheme_is_shared_and_builds_the_target(target):
    scheme = ET.parse(BUNDLE / "xcshareddata/xcschemes/NetworksAtWork.xcscheme")
    references = list(scheme.iter("BuildableReference"))
    assert len(references) == 3  # build, launch, profile
    for reference in references:
        assert reference.attrib["BlueprintIdentifier"] == target.get_id()
        assert reference.attrib["BlueprintName"] == target.name
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


def test_every_catalogue_is_json():
    catalogues = list(ASSETS.rglob("Contents.json"))
    assert len(catalogues) == 2
    for path in catalogues:
        assert json.loads(path.read_text(encoding="utf-8"))["info"]["version"] == 1
