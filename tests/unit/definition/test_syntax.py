"""systemd.syntax(7): lines, comments, continuations, and every mistake with its line."""

from __future__ import annotations

import pytest

from nsunit.definition.syntax import FILE_MAX, LINE_MAX, parse
from nsunit.definition.words import ValueProblem, fields, split

Assignments = list[tuple[str, str, str, int]]


def assignments(text: str) -> Assignments:
    found, problems = parse("web.nsunit", text.encode())
    assert problems == []
    return found


def problems(data: bytes) -> list[tuple[str, str | None]]:
    return [(str(problem), problem.hint) for problem in parse("web.nsunit", data)[1]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("[Slice]\nA=1\nB = 2 \n\tC\t=\t3\t\n", [("A", "1", 2), ("B", "2", 3), ("C", "3", 4)]),
        ("# x\n; y\n[Slice]\n  # z\nA=1 # no comment\n", [("A", "1 # no comment", 5)]),
        ("[Slice]\nA=1 \\\n  2\n", [("A", "1    2", 2)]),
        ("[Slice]\nA=1 \\\n# between\n; too \\\n2\nB=3", [("A", "1  2", 2), ("B", "3", 6)]),
        ("[Slice]\nA=1\\\\\nB=2", [("A", "1\\\\", 2), ("B", "2", 3)]),
        ("[Slice]\nA=1\\", [("A", "1", 2)]),
        ("[Slice]\nA=1\\\n\nB=2", [("A", "1", 2), ("B", "2", 4)]),
        ("[Slice]\nA=\nA=b=c\n", [("A", "", 2), ("A", "b=c", 3)]),
        ("[Slice]\r\nA=1\r\n", [("A", "1", 2)]),
        ("\ufeff[Slice]\nA=1", [("A", "1", 2)]),
        ("[Slice]\nX-Mine=1\n[X-Other]\nfoo\n[Slice]\nA=1", [("A", "1", 6)]),
        ("[Slice]\nA=ä € 𝄞\u00a0", [("A", "ä € 𝄞\u00a0", 2)]),
    ],
)
def test_lines_are_read_as_systemd_reads_them(text: str, expected: list[tuple[str, str, int]]) -> None:
    assert assignments(text) == [("Slice", *item) for item in expected]


def test_sections_can_come_back() -> None:
    found = assignments("[Container]\nA=1\n[Unit]\nB=2\n[Container]\nC=3\n")
    assert found == [("Container", "A", "1", 2), ("Unit", "B", "2", 4), ("Container", "C", "3", 6)]


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        (b"A=1\nB=2\n", "web.nsunit:1: 'A=1' is outside of any section", "start with [Container]"),
        (b"[Slice]\nabc\n", "web.nsunit:2: [Slice] 'abc' has no '='", "write Key=value"),
        (b"[Slice]\n = 1\n", "web.nsunit:2: [Slice] '= 1' has no key before '='", "write Key=value"),
        (b"[Slice\nA=1", "web.nsunit:1: '[Slice' is not a section header", "write [Name] on a line of its own"),
        (b"[]\n", "web.nsunit:1: '[]' is not a section header", "write [Name] on a line of its own"),
        (b"[Slise]\nA=1", "web.nsunit:1: unknown section '[Slise]'", "did you mean [Slice]?"),
        (b"[container]\n", "web.nsunit:1: unknown section '[container]'", "did you mean [Container]?"),
        (
            *(b"[Network]\n", "web.nsunit:1: unknown section '[Network]'"),
            "that is for NAME.network.nsunit; a container joins it with [Container] Network=NAME",
        ),
        (
            *(b"[Timetable]\n", "web.nsunit:1: unknown section '[Timetable]'"),
            "the sections are [Unit], [Container], [Pod], [Slice], [Service], [Timer], [Install]",
        ),
        (b"[Slice]\nA=\xff\n", "web.nsunit:2: is not UTF-8 (byte 0xff)", "save the file as UTF-8"),
        (b"[Slice]\nA=\xed\xa0\x80\n", "web.nsunit:2: is not UTF-8 (byte 0xed)", "save the file as UTF-8"),
        (b"[Slice]\nA=a\0b\n", "web.nsunit:2: control character '\\x00'", "remove it"),
        (b"[Slice]\nA=a\rb\n", "web.nsunit:2: control character '\\r'", "remove it"),
        (b"[Slice]\nA=\x1b[31m\n", "web.nsunit:2: control character '\\x1b'", "remove it"),
        (b"[Slice]\nA=\x7f\n", "web.nsunit:2: control character '\\x7f'", "remove it"),
        ("[Slice]\nA=\x85\n".encode(), "web.nsunit:2: control character '\\x85'", "remove it"),
        ("[Slice]\nA=\u2028B=1\n".encode(), "web.nsunit:2: control character '\\u2028'", "remove it"),
        ("[Slice]\nA=\u2029\n".encode(), "web.nsunit:2: control character '\\u2029'", "remove it"),
        (
            *(b"[Slice]\nA=" + b"x" * LINE_MAX, f"web.nsunit:2: line is longer than {LINE_MAX} characters"),
            None,
        ),
        (b"x" * (FILE_MAX + 1), f"web.nsunit: is larger than {FILE_MAX} bytes", "this is not a definition"),
    ],
)
def test_a_mistake_is_reported_with_its_line(data: bytes, message: str, hint: str | None) -> None:
    assert problems(data) == [(message, hint)]


def test_all_mistakes_are_reported_and_the_rest_is_read() -> None:
    found, wrong = parse("f", b"[Slice]\nabc\nA=1\nB=\xff\n[Nope]\nC=1\n[Unit]\nD=2\n")
    assert found == [("Slice", "A", "1", 3), ("Unit", "D", "2", 8)]
    assert [problem.line for problem in wrong] == [2, 4, 5]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a b\tc", ["a", "b", "c"]),
        ("'a b' \"c d\"", ["a b", "c d"]),
        ("a'b c'd", ["ab cd"]),
        ("\"\" ''", ["", ""]),
        ("a\\ b", ["a b"]),
        ('"a\\"b"', ['a"b']),
        ("a\u00a0b", ["a\u00a0b"]),
        ("\\x41", ["x41"]),
    ],
)
def test_words_without_c_escapes(text: str, expected: list[str]) -> None:
    assert split(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\\x41\\102\\u00e4\\U0001d11e", ["ABä𝄞"]),
        ("a\\sb \\\\ \\\" \\'", ["a b", "\\", '"', "'"]),
        ("\\xc3\\xa4", ["ä"]),
        ("'a\\x20b'", ["a b"]),
    ],
)
def test_words_with_c_escapes(text: str, expected: list[str]) -> None:
    assert split(text, c_escapes=True) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'a", "''a' has an unbalanced ' quote"),
        ('a"b', "'a\"b' has an unbalanced \" quote"),
        ("a\\", "'a\\' ends with a backslash"),
        ("\\d", "'\\d' is not an escape"),
        ("\\x4", "'\\x4' is not an escape"),
        ("\\x00", "'\\x00' is not an escape"),
        ("\\000", "'\\000' is not an escape"),
        ("\\777", "'\\777' is not an escape"),
        ("\\ud800", "'\\ud800' is not an escape"),
        ("\\U00110000", "'\\U00110000' is not an escape"),
        ("a\\nb", "'a\\nb' contains a control character"),
        ("a\\x0a", "'a\\n' contains a control character"),
        ("\\u2028", "'\\u2028' contains a control character"),
        ("\\x1b[0m", "'\\x1b[0m' contains a control character"),
        ("\\xff", "'\\xff' is not UTF-8 once its escapes are replaced"),
        ("'a\tb'", "'a\\tb' contains a control character"),
    ],
)
def test_wrong_words(text: str, message: str) -> None:
    with pytest.raises(ValueProblem) as caught:
        split(text, c_escapes=True)
    assert caught.value.message == message


@pytest.mark.parametrize(("text", "expected"), [("a\\:b 'c d'", ["a\\:b", "c d"]), ("a\\ b", ["a\\ b"])])
def test_words_that_keep_their_escapes(text: str, expected: list[str]) -> None:
    assert split(text, keep_escapes=True) == expected


def test_a_kept_escape_needs_a_character() -> None:
    with pytest.raises(ValueProblem, match="ends with a backslash"):
        split("a\\", keep_escapes=True)


def test_fields_are_split_at_colons_that_have_no_backslash() -> None:
    assert fields("a:b") == ["a", "b"]
    assert fields("a\\:b::c\\\\") == ["a:b", "", "c\\"]
    assert fields("") == [""]
