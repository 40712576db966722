"""What a body of JSON with one key may hold."""

import pytest

from course_utils.services.http.errors import Problem
from course_utils.services.http.strict_json import get_text


def test_a_key_that_is_not_asked_for_is_a_fault() -> None:
    with pytest.raises(Problem) as refusal:
        get_text(b'{"url": "http://a.example/b.png", "colour": "red"}', "url")
    (fault,) = refusal.value.faults
    assert (fault.pointer, fault.detail) == ("/colour", "unknown key")
    assert fault.allowed == 'an object with a text under the key "url"'
