"""Exercises of notebook 00."""

from collections.abc import Callable

from course_utils.exercises import Exercise, serving


def ask_hello(url: str) -> str:
    """The text that the service at ``url`` answers."""
    import requests

    return requests.get(url, timeout=5).text


def _test_ask_hello(answer: Callable[[str], str]) -> None:
    from course_utils.services import hello

    with serving(hello.create_app()) as url:
        got = answer(url)
    assert got is not None, "your function returns nothing; it should return the answer's text."
    assert got == "Hello World!", (
        f"the service says 'Hello World!', your function returned {got!r}."
    )


ask = Exercise(
    test=_test_ask_hello,
    solve=ask_hello,
    hints=(
        "requests.get(url, timeout=5) asks and returns a response.",
        "A response has its text in the attribute .text.",
    ),
)


def is_ready(url: str) -> bool:
    """Whether the service at ``url`` can take requests."""
    import requests

    try:
        return requests.get(f"{url}/readyz", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def _test_is_ready(answer: Callable[[str], bool]) -> None:
    from course_utils.services import hello

    with serving(hello.create_app()) as url:
        assert answer(url) is True, "the service was up and ready: it should return True."
    assert answer(url) is False, "nobody listened any more: it should return False."


ready = Exercise(
    test=_test_is_ready,
    solve=is_ready,
    hints=(
        "Every service of the course answers GET /readyz with status 200 when it can predict.",
        "Where nobody listens, requests raises requests.ConnectionError: catch it.",
    ),
)
