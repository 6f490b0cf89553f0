"""What is in environment files; that it is what systemd reads is shown on a real one."""

import pytest

from nsunit.features.environment_files.syntax import Reader


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("# a\n; b\n\n  \n", []),
        ("A=1\nA=2", [("A", "1"), ("A", "2")]),
        (" A = b c \n", [("A", "b c")]),
        ("A='x y'  ", [("A", "x y")]),
        ('A="x \\" \\$ \\n"', [("A", 'x " $ \\n')]),
        ("A=a\\ b", [("A", "a b")]),
        ("A=$HOME", [("A", "$HOME")]),
        ("A=", [("A", "")]),
        ("A=b=c", [("A", "b=c")]),
        ("A=a\\\nb", [("A", "ab")]),
        ("A=a\\\r\nb", [("A", "a")]),
        ("A='a\nb'", [("A", "a\nb")]),
        ('A="a\\\nb"', [("A", "ab")]),
        ("A=a'b'\"c\"", [("A", "a'b'\"c\"")]),
        ('A="x" "y"', [("A", "xy")]),
        ('A="a" tail', [("A", "atail")]),
        ('A={"a": ["b"]}', [("A", '{"a": ["b"]}')]),
        ("A=it's fine", [("A", "it's fine")]),
        ("A='x", [("A", "x")]),
        ('A="x\\', [("A", "x")]),
        ("A=x \\", [("A", "x ")]),
        ("A=#x", [("A", "#x")]),
        ("A=a\u00a0\t", [("A", "a\u00a0")]),
        ("export A=1", [("export A", "1")]),
    ],
)
def test_assignments(text, pairs):
    assert [(item.name, item.value) for item in Reader(text).assignments] == pairs


def test_lines():
    reader = Reader("# a\n\nA='\n'\nb\nC=\nd")
    assert [(item.name, item.line) for item in reader.assignments] == [("A", 3), ("C", 6)]
    assert reader.others == [5, 7]


def test_comments_that_go_on():
    text = "# a \\\nA=1\nB=2\n"
    assert [item.name for item in Reader(text).assignments] == ["A", "B"]
    assert [item.name for item in Reader(text, comments_continue=True).assignments] == ["B"]
