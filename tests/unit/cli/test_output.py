import ast
import io
import json
from pathlib import Path

import pytest

from nsunit.cli import output
from nsunit.cli.output import Style
from nsunit.errors import NsunitError
from nsunit.record import Record


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


class Ascii(Terminal):
    encoding = "ascii"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_colours_only_on_a_terminal(monkeypatch):
    assert Style(Terminal()).paint("x", "red") == "\x1b[0;1;31mx\x1b[0m"
    assert Style(io.StringIO()).paint("x", "red") == "x"
    assert Style(Terminal(), plain=True).paint("x", "red") == "x"
    monkeypatch.setenv("TERM", "dumb")
    assert Style(Terminal()).paint("x", "red") == "x"
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert Style(Terminal()).paint("x", "red") == "x"
    monkeypatch.setenv("NO_COLOR", "")  # empty counts as not set
    assert Style(Terminal()).colour


def test_dot():
    assert Style(Terminal(), plain=True).dot("active") == "●"
    assert Style(Terminal(), plain=True).dot("failed") == "×"
    assert Style(Terminal(), plain=True).dot("inactive") == "○"
    assert Style(Ascii(), plain=True).dot("failed") == "x"
    assert "\x1b[0;1;32m" in Style(Terminal()).dot("active")


def test_table_on_a_terminal():
    stream = Terminal()
    output.print_table(Style(stream, plain=True), ("NAME", "STATE"), [("a", "active"), ("longer", "failed")])
    assert stream.getvalue().splitlines() == ["NAME    STATE", "a       active", "longer  failed"]


def test_table_with_colours():
    stream = Terminal()
    output.print_table(Style(stream), ("NAME", "STATE"), [("a", "failed")])
    assert stream.getvalue().splitlines()[1] == "a     \x1b[0;1;31mfailed\x1b[0m"


def test_table_elsewhere_is_tabs():
    stream = io.StringIO()
    output.print_table(Style(stream), ("NAME", "STATE"), [("a", "active"), ("longer", "failed")])
    assert stream.getvalue() == "NAME\tSTATE\na\tactive\nlonger\tfailed\n"
    stream = io.StringIO()
    output.print_table(Style(stream), ("NAME", "STATE"), [])
    output.print_table(Style(stream, headings=False), ("NAME", "STATE"), [("a", "active")])
    assert stream.getvalue() == "a\tactive\n"


@pytest.mark.parametrize(
    ("width", "heading"),
    [
        (80, "NAME              STATE   PORTS  PID  NOTE"),
        (40, "NAME              STATE   PID  NOTE"),
        (34, "NAME              STATE   NOTE"),
        (20, "NAME              NOTE"),
    ],
)
def test_a_narrow_terminal_has_fewer_columns_and_whole_names(monkeypatch, width, heading):
    """Columns in which there is nothing go first, then those that matter least."""
    monkeypatch.setattr(Style, "width", lambda _style: width)
    rows = [("a-rather-long-na", "active", "-", "17", "-"), ("b", "failed", "-", "-", "x")]
    columns = ("NAME", "STATE", "PORTS", "PID", "NOTE")
    stream = Terminal()
    output.print_table(Style(stream, plain=True), columns, rows, ("PID", "STATE", "PORTS"))
    assert stream.getvalue().splitlines()[0] == heading
    assert stream.getvalue().splitlines()[1].startswith("a-rather-long-na")


def test_only_what_may_be_cut_is_cut(monkeypatch):
    monkeypatch.setattr(Style, "width", lambda _style: 30)
    for cut, lengths in ((True, [30, 12]), (False, [105, 12])):
        stream = Terminal()
        rows = [("1", "-", "x" * 100)]
        output.print_table(Style(stream, plain=True), ("PID", "CPU", "COMMAND"), rows, ("CPU",), cut=cut)
        heading, line = stream.getvalue().splitlines()
        assert [len(line), len(heading)] == lengths


def test_a_field_cannot_drive_the_terminal():
    for stream in (Terminal(), io.StringIO()):
        output.print_table(Style(stream, plain=True), ("NAME",), [("a\x1b]52;c;eA==\x07\tb\nc",)])
        assert "a\\x1b]52;c;eA==\\x07\\tb\\nc" in stream.getvalue()


def test_a_line_that_cannot_be_encoded_is_escaped():
    stream = Ascii()
    Style(stream).line("ä●")
    assert stream.getvalue() == "\\xe4\\u25cf\n"


class Inner(Record):
    value: bytes


class Outer(Record):
    inner: Inner
    items: tuple
    error: Exception | None = None


def test_json():
    stream = io.StringIO()
    output.print_json([Outer(Inner(b"\x01"), ("a\x1b", 2), NsunitError("bad"))], stream)
    bad = {"message": "bad", "hint": None, "problems": []}
    assert "\x1b" not in stream.getvalue()
    assert json.loads(stream.getvalue()) == [{"inner": {"value": [1]}, "items": ["a\x1b", 2], "error": bad}]
    assert output.jsonable({"x": frozenset("b")}) == {"x": ["b"]}


def test_json_refuses_what_it_does_not_know():
    with pytest.raises(TypeError, match="^object has no form in JSON$"):
        output.jsonable(object())


@pytest.mark.parametrize(
    ("size", "text"),
    [(None, "-"), (0, "0B"), (1023, "1023B"), (1024, "1K"), (1536, "1.5K"), (2**31, "2G"), (2**64, "16E")],
)
def test_sizes(size, text):
    assert output.format_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.35, "350ms"), (1, "1s"), (62, "1min 2s"), (3600, "1h"), (3 * 3600 + 5, "3h 5s"), (200000, "2d 7h")],
)
def test_durations(seconds, text):
    assert output.format_duration(seconds) == text


def test_ago():
    assert output.format_ago(None) == "-"
    assert output.format_ago(1_000_000, now=63.0) == "1min 2s"


def test_plural():
    assert (output.plural(1, "layer"), output.plural(2, "layer")) == ("1 layer", "2 layers")


# Few columns, or none that could be missed.
_WHOLE = {"why", "mount", "tree", "left", "usage"}


def test_every_table_says_what_it_leaves_out_on_a_narrow_terminal():
    for path in sorted(Path(output.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print_table":
                says = len(node.args) > 3 or any(item.arg in ("spare", "cut") for item in node.keywords)
                assert says or path.stem in _WHOLE or _is_small(node.args[1]), f"{path}:{node.lineno}"


def _is_small(columns):
    return isinstance(columns, ast.Tuple) and len(columns.elts) < 4
