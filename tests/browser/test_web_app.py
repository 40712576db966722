"""What a visitor does with the page, in front of the real service."""

import re

import pytest
import requests
from playwright.sync_api import Locator, expect
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Response

from course_utils import images
from course_utils.inference import shipped_model
from course_utils.services import image
from course_utils.serving import launch
from tests.browser.conftest import Visit
from tests.support.serving import Served
from tests.support.web_app import CAT, COFFEE, PANDA, PHOTOS, WebApp

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}


def test_a_chosen_photo_is_shown_with_what_the_service_says_of_it(app: WebApp, service: Served):
    answer = requests.post(
        f"{service.url}/api/image", files={"image": CAT.read_bytes()}, timeout=60
    )
    app.choose(CAT)
    app.expect_best("Egyptian cat")
    assert app.has_photo()
    names = app.classes.locator(".name").all_text_contents()
    shares = app.classes.locator(".share").all_text_contents()
    for name, share, told in zip(names, shares, answer.json()["pred"], strict=True):
        assert name == told["name"].replace("_", " ")
        if told["prob"] >= 0.0005:
            assert float(share.removesuffix("\xa0%")) == pytest.approx(100 * told["prob"], abs=0.05)
        else:
            assert share == "under 0.1\xa0%"
    app.page.evaluate("Promise.all(document.getAnimations().map(grown => grown.finished))")
    for row, told in zip(app.classes.all(), answer.json()["pred"], strict=True):
        assert filled(row) == pytest.approx(told["prob"], abs=0.02)


def filled(row: Locator) -> float:
    """The part of a row's bar that is filled."""
    return row.locator(".bar").evaluate(
        "bar => parseFloat(getComputedStyle(bar, '::before').width) / bar.clientWidth"
    )


def test_it_says_what_the_model_is(app: WebApp):
    expect(app.page.locator("header")).to_contain_text("likeliest of 1,000 classes")
    expect(app.page.locator("footer")).to_contain_text("Model: mobilenet_imagenet")
    app.choose(CAT)
    expect(app.page.get_by_text("The 995 other classes share the remaining")).to_be_visible()


@pytest.mark.thorough
def test_a_network_that_is_not_sure_is_not_made_to_look_so(app: WebApp):
    app.choose(PHOTOS / "dragonfly.jpg")
    expect(app.page.get_by_role("heading", name="The network is not sure")).to_be_visible()
    app.choose(CAT)
    expect(app.page.get_by_role("heading", name="The network’s answer")).to_be_visible()


def test_a_photo_is_dropped(app: WebApp):
    app.drop(COFFEE)
    app.expect_best("espresso")
    assert app.has_photo()


def test_the_prompt_gives_way_to_what_is_dragged(app: WebApp):
    prompt, drop_now = app.page.get_by_text("Drop a photo anywhere"), "Let go to classify"
    expect(prompt).to_be_visible()
    app.drag(COFFEE)
    expect(app.page.get_by_text(drop_now)).to_be_visible()
    expect(prompt).to_have_count(0)


def test_the_courses_photos_are_there_to_click_on(app: WebApp):
    photos = app.page.get_by_role("region", name="course’s photos").get_by_role("button")
    expect(photos).to_have_count(8)
    shown = "img => img.complete && img.naturalWidth > 0"
    assert all(photo.evaluate(shown) for photo in photos.get_by_role("img").all())
    app.button("Classify a red panda").click()
    app.expect_best("lesser panda")
    expect(app.photo).to_have_attribute("alt", "The photo: red_panda.jpg")


def test_a_copied_photo_is_pasted(app: WebApp):
    app.paste_picture(CAT)
    app.expect_best("Egyptian cat")
    assert app.has_photo()


@pytest.mark.thorough
def test_a_copied_address_is_pasted(app: WebApp):
    app.paste_text("http://localhost/cat.png")
    app.expect_problem("No photo came from this address")
    assert app.uploads == [f"{app.url}api/image?thumbnail=1"]


@pytest.mark.thorough
def test_a_phone_takes_the_photo(visit: Visit, service: Served):
    app = visit(service.url, **PHONE)
    camera = app.page.get_by_label("Take a photo")
    assert camera.get_attribute("capture") == "environment"
    formats = ["image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp"]
    expect(camera).to_have_attribute("accept", ",".join(formats))
    with app.page.expect_file_chooser() as chooser:
        app.page.get_by_text("Take a photo", exact=True).tap()
    chooser.value.set_files(PANDA)
    app.expect_best("lesser panda")
    expect(app.page.get_by_role("heading", name="The network’s answer")).to_be_in_viewport()


def test_a_photo_comes_by_its_address(visit: Visit, monkeypatch):
    """A stand-in for a host on the internet; all else, the small picture too, is real."""
    monkeypatch.setattr(images, "download", lambda url, **_: CAT.read_bytes())
    with launch(image.create_app(shipped_model("image")), port=5080) as server:
        app = visit(server.url)
        app.give_address("https://photos.example/cat.png")
        app.expect_best("Egyptian cat")
        assert app.has_photo()
        assert app.photo.get_attribute("alt") == "The photo: photos.example"
        assert (app.photo.get_attribute("src") or "").startswith("data:image/jpeg;base64,")
        expect(app.history.locator("img")).to_be_visible()


@pytest.mark.thorough
def test_earlier_photos_are_shown_again(app: WebApp):
    for path, name in [(CAT, "Egyptian cat"), (COFFEE, "espresso"), (PANDA, "lesser panda")]:
        app.choose(path)
        app.expect_best(name)
    assert [text.split("\n")[0].lower() for text in app.history.all_inner_texts()] == [
        "lesser panda",
        "espresso",
        "egyptian cat",
    ]
    expect(app.history.first).to_have_attribute("aria-current", "true")
    asked = len(app.uploads)
    app.history.last.click()
    app.expect_best("Egyptian cat")
    expect(app.photo).to_have_attribute("alt", "The photo: cat.png")
    assert app.has_photo()
    expect(app.history.last).to_have_attribute("aria-current", "true")
    expect(app.history.first).to_have_attribute("aria-current", "false")
    assert len(app.uploads) == asked == 3


@pytest.mark.thorough
def test_eight_photos_are_kept(app: WebApp):
    app.choose(CAT)
    app.expect_best("Egyptian cat")
    for kept in range(2, 10):
        app.choose(PANDA)
        expect(app.history).to_have_count(min(kept, 8))
    expect(app.history.filter(has_text="Egyptian cat")).to_have_count(0)


@pytest.mark.thorough
def test_everything_works_with_the_keyboard_alone(app: WebApp):
    def focused(name: str) -> None:
        element = app.page.locator(":focus-visible")
        expect(element).to_have_accessible_name(name)
        ring = "e => getComputedStyle(e.closest('label') ?? e).outlineStyle"
        assert element.evaluate(ring) == "solid"  # and the eye finds it

    press = app.page.keyboard.press
    press("Tab")
    focused("Choose a photo")
    with app.page.expect_file_chooser() as chooser:
        press("Space")
    chooser.value.set_files(CAT)
    app.expect_best("Egyptian cat")
    focused("Choose a photo")  # the focus stays where it was
    press("Tab")
    focused("A photo’s address")
    app.page.keyboard.type("http://localhost/cat.png")
    press("Tab")
    focused("Classify")
    press("Enter")
    app.expect_problem("No photo came from this address")
    for _ in range(8):
        press("Tab")
    focused("Classify an astronaut")
    press("Tab")
    expect(app.page.locator(":focus-visible")).to_contain_text("Egyptian cat")
    press("Enter")
    app.expect_best("Egyptian cat")
    press("Tab")
    focused("The API behind this page")


@pytest.mark.thorough
def test_a_screen_reader_hears_the_result(app: WebApp):
    status = app.page.get_by_role("status")
    expect(status).to_be_empty()
    app.choose(CAT)
    expect(status).to_contain_text(re.compile(r"^cat\.png: Egyptian cat 9\d\.\d\xa0%, tabby .*\.$"))


def test_it_works_behind_a_proxy_that_adds_a_path(visit: Visit):
    service = image.create_app(shipped_model("image"))
    proxied = DispatcherMiddleware(Response("not here", 404), {"/proxy/5000": service})
    with launch(proxied, port=5081) as server:
        app = visit(f"{server.url}/proxy/5000")  # whose end asserts that all requests go there
        expect(app.page.locator("header")).to_contain_text("1,000 classes")
        app.choose(CAT)
        app.expect_best("Egyptian cat")
        app.page.get_by_role("link", name="The API behind this page").click()
        expect(app.page).to_have_url(f"{app.url}docs")
        # To leave while its scripts still come would be a fault on the page.
        expect(app.page.get_by_role("heading", name="Image classification")).to_be_visible()
