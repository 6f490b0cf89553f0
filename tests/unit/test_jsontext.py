"""The C half of json, held against the whole of it."""

import json

import pytest

from nsunit.jsontext import dumps, loads

VALUES = [
    {"a": [1, -2, 1.5, True, False, None], "b": {"c": "d"}, "empty": [], "none": {}},
    "text",
    '\u00e4\u2028\U0001f600\\"/\b\f\n\r\t\x00',
    [["", 8080, 80, "tcp", False]],
    12345678901234567890,
    ("a", ("b",)),
]


@pytest.mark.parametrize("value", VALUES)
def test_it_is_what_json_has(value):
    assert dumps(value) == json.dumps(value)
    assert loads(dumps(value)) == json.loads(json.dumps(value))
    assert loads(json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n") == json.loads(json.dumps(value))


WRONG = ["", " ", "{", "[1,]", "{'a': 1}", "[1] 2", "nul", '"\n"', "\ufeff1", b"\xff", "{1: 2}"]


@pytest.mark.parametrize("text", WRONG)
def test_it_refuses_what_json_refuses(text):
    with pytest.raises(ValueError):
        json.loads(text if isinstance(text, str) else text.decode())
    with pytest.raises(ValueError):
        loads(text)


def test_what_json_has_not():
    with pytest.raises(TypeError, match="set is nothing that JSON has"):
        dumps({"a": {1}})
    with pytest.raises(ValueError):
        dumps(float("nan"))
