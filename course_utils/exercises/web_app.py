"""Exercises of notebook 06."""

from collections.abc import Callable

from course_utils.exercises import Exercise


def fragile_links(html: str) -> list[str]:
    """The addresses in a page that name a host or begin at its root."""
    import re

    links = re.findall(r'(?:src|href)="([^"]*)"', html)
    return [link for link in links if link.startswith(("/", "http:", "https:"))]


def _test_fragile(answer: Callable[[str], list[str]]) -> None:
    html = (
        '<link href="assets/a.css"><script src="/assets/b.js"></script>'
        '<a href="api/model">model</a><img src="//cdn.example/c.png"><a href="#top">up</a>'
        '<script src="https://cdn.example/d.js"></script><img src="data:image/png;base64,AA">'
    )
    wanted = ["/assets/b.js", "//cdn.example/c.png", "https://cdn.example/d.js"]
    got = answer(html)
    assert got is not None, "your function returns nothing; it should return a list."
    missed = [link for link in wanted if link not in got]
    assert not missed, f"{missed[0]} would not be found below a proxy's path."
    extra = [link for link in got if link not in wanted]
    assert not extra, f"{extra[0]} works below any path."


fragile = Exercise(
    test=_test_fragile,
    solve=fragile_links,
    hints=(
        're.findall(r\'(?:src|href)="([^"]*)"\', html) gives all addresses.',
        "What begins with / or names a host (http:, https:) forgets the path that a proxy added.",
    ),
)


def data_url(jpeg: bytes) -> str:
    """A JPEG as a data: URL (RFC 2397)."""
    import base64

    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def _test_embed(answer: Callable[[bytes], str]) -> None:
    from urllib.request import urlopen

    jpeg = bytes(range(256))
    got = answer(jpeg)
    assert isinstance(got, str), "your function should return a text."
    assert got.startswith("data:"), "a data: URL begins with data:, then its type."
    with urlopen(got) as opened:  # Python reads such addresses as a browser does
        kind, content = opened.headers.get_content_type(), opened.read()
    assert kind == "image/jpeg", f"it should say that it is an image/jpeg, not {kind}."
    assert content == jpeg, "what comes out of your URL is not what went in."


embed = Exercise(
    test=_test_embed,
    solve=data_url,
    hints=(
        "It reads data:image/jpeg;base64, and then the bytes in base64.",
        "base64.b64encode(jpeg) gives bytes; .decode('ascii') makes a text of them.",
    ),
)
