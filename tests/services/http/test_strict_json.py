"""What a body of JSON with one key may hold."""

from course_utils.services.http.strict_json import parse_object


def test_a_key_that_is_not_asked_for_is_a_fault() -> None:
    value, faults = parse_object(b'{"url": "http://a.example/b.png", "colour": "red"}', "url")
    assert value["url"] == "http://a.example/b.png"
    assert [(fault.pointer, fault.detail) for fault in faults] == [("/colour", "unknown key")]
    assert faults[0].allowed == 'an object with the key "url"'
