"""What is in environment files."""

import pytest

from nsunit.features.environment_files.syntax import parse_environment_file


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("# a\n; b\n\n  \n", []),
        ("A=1\nB=2", [("A", "1"), ("B", "2")]),
        ("A=1\nA=2", [("A", "1"), ("A", "2")]),
        (" A = b c \n", [("A", "b c")]),
        ("A='x y'", [("A", "x y")]),
        ('A="x \\" \\$ \\n"', [("A", 'x " $ \\n')]),
        ("A=a\\ b", [("A", "a b")]),
        ("A=$HOME", [("A", "$HOME")]),
        ("A=", [("A", "")]),
        ("A=b=c", [("A", "b=c")]),
        ("A=a\\\nb", [("A", "ab")]),
        ("A='a\nb'", [("A", "a\nb")]),
        ("A=a'b'\"c\"", [("A", "abc")]),
        ("A=#x", [("A", "#x")]),
    ],
)
def test_environment_file(text, pairs):
    assert list(parse_environment_file(text)) == pairs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A", "line 1: 'A' is not NAME=VALUE"),
        ("A=1\n1B=2", "line 2: '1B=2' is not NAME=VALUE"),
        ("=x", "line 1: '=x' is not NAME=VALUE"),
        ("export A=1", "line 1: 'export A=1' is not NAME=VALUE"),
        ("A='x", "line 1: the quote is never closed"),
        ("\u00c4=1", "line 1: '\u00c4=1' is not NAME=VALUE"),
    ],
)
def test_environment_file_mistakes(text, message):
    with pytest.raises(ValueError) as caught:
        parse_environment_file(text)
    assert str(caught.value) == message
