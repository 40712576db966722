"""The page as a visitor uses it, for tests."""

import base64
import mimetypes
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, JSHandle, Locator, Page, expect

from course_utils.environment import data_folder

PHOTOS = data_folder() / "photos"
CAT, COFFEE, PANDA = PHOTOS / "cat.png", PHOTOS / "coffee.png", PHOTOS / "red_panda.jpg"

MAKE_TRANSFER = """
files => {
    const transfer = new DataTransfer();
    for (const { name, type, content } of files) {
        const bytes = Uint8Array.from(atob(content), char => char.charCodeAt(0));
        transfer.items.add(new File([bytes], name, { type }));
    }
    return transfer;
}
"""
COPY_PICTURE = """
async content => {
    const bytes = Uint8Array.from(atob(content), char => char.charCodeAt(0));
    const picture = new Blob([bytes], { type: "image/png" });
    await navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]);
}
"""


def check_looks(page: Page, picture: Path) -> None:
    """axe-core finds nothing, nothing is wider than the window; the screenshot is for people."""
    page.screenshot(path=picture)
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    assert page.viewport_size
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


class WebApp:
    """A window with the page in it.

    ``asked`` holds the address of every request, ``complaints`` what the console says besides the
    refusals that the browser itself reports there.
    """

    def __init__(self, context: BrowserContext, url: str):
        self.context = context
        self.url = f"{url}/"
        self.asked: list[str] = []
        self.complaints: list[str] = []
        # Of the context, before it has a page, so that no request comes before the listener.
        context.on("request", lambda request: self.asked.append(request.url))
        self.page = context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)
        # Asked for here, so that a test which waits for one does not ask too late.
        self.page.on("filechooser", lambda _: None)
        self.page.goto(self.url)
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()

    def _hear(self, message: ConsoleMessage) -> None:
        if not message.text.startswith("Failed to load resource"):
            self.complaints.append(message.text)

    def close(self) -> None:
        self.context.close()

    @property
    def uploads(self) -> list[str]:
        """The requests to classify something."""
        return [url for url in self.asked if "api/image" in url]

    def choose(self, *files: Any) -> None:
        self.page.get_by_label("Choose a photo").set_input_files(*files)

    def drop(self, *paths: Path) -> None:
        """Drag files from outside over the page and let go of them."""
        transfer = self.drag(*paths)
        self.page.dispatch_event("main", "drop", {"dataTransfer": transfer})

    def drag(self, *paths: Path) -> JSHandle:
        """Drag files from outside over the page."""
        files = [
            {
                "name": path.name,
                "type": mimetypes.guess_type(path.name)[0] or "",
                "content": base64.b64encode(path.read_bytes()).decode(),
            }
            for path in paths
        ]
        transfer = self.page.evaluate_handle(MAKE_TRANSFER, files)
        for event in ("dragenter", "dragover"):
            self.page.dispatch_event("main", event, {"dataTransfer": transfer})
        return transfer

    def paste_picture(self, path: Path) -> None:
        self._may_use_clipboard()
        self.page.evaluate(COPY_PICTURE, base64.b64encode(path.read_bytes()).decode())
        self.page.keyboard.press("ControlOrMeta+V")

    def paste_text(self, text: str) -> None:
        self._may_use_clipboard()
        self.page.evaluate("text => navigator.clipboard.writeText(text)", text)
        self.page.keyboard.press("ControlOrMeta+V")

    def _may_use_clipboard(self) -> None:
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])

    def give_address(self, url: str) -> None:
        self.page.get_by_label("A photo’s address").fill(url)
        self.page.get_by_role("button", name="Classify", exact=True).click()

    @property
    def classes(self) -> Locator:
        """The rows of the result, the likeliest class first."""
        return self.page.locator(".classes li")

    @property
    def photo(self) -> Locator:
        return self.page.get_by_role("img", name="The photo")

    @property
    def problem(self) -> Locator:
        return self.page.get_by_role("alert")

    @property
    def history(self) -> Locator:
        return self.page.get_by_role("region", name="Your last photos").get_by_role("button")

    def expect_best(self, name: str) -> None:
        expect(self.classes.first).to_contain_text(name)

    def expect_problem(self, *texts: str) -> None:
        for text in texts:
            expect(self.problem).to_contain_text(text)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)

    def has_photo(self) -> bool:
        """Whether the photo is there as a picture, not as a broken one."""
        expect(self.photo).to_be_visible()
        return bool(
            self.photo.evaluate("async img => { await img.decode(); return img.width > 0 }")
        )
