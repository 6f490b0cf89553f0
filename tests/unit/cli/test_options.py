import pytest

from nsunit.cli.main import parse
from nsunit.cli.verbs import Invocation, Option, Verb
from nsunit.errors import UsageError

OPTIONS = (
    Option("all", "Everything", short="a"),
    Option("lines", "Lines", short="n", value="N"),
    Option("setenv", "Variable", short="e", value="NAME=VALUE", repeat=True),
    Option("quiet", "Quiet", short="q"),
)


@pytest.mark.parametrize(
    ("argv", "stop_at", "values", "operands"),
    [
        ([], None, {}, []),
        (["a", "-a", "b"], None, {"all": []}, ["a", "b"]),
        (["-aq"], None, {"all": [], "quiet": []}, []),
        (["-an5", "x"], None, {"all": [], "lines": ["5"]}, ["x"]),
        (["-n", "5"], None, {"lines": ["5"]}, []),
        (["-n", "-5"], None, {"lines": ["-5"]}, []),
        (["--lines=5", "--lines", "6"], None, {"lines": ["6"]}, []),
        (["--lines="], None, {"lines": [""]}, []),
        (["-e", "A=1", "--setenv=B=2"], None, {"setenv": ["A=1", "B=2"]}, []),
        (["--", "-a"], None, {}, ["-a"]),
        (["a", "--", "-a", "--"], None, {}, ["a", "-a", "--"]),
        (["-"], None, {}, ["-"]),
        (["-a", "ls", "-n", "5"], 0, {"all": []}, ["ls", "-n", "5"]),
        (["--", "ls", "--", "-a"], 0, {}, ["ls", "--", "-a"]),
        (["-a", "web", "-q", "ls", "-n"], 1, {"all": [], "quiet": []}, ["web", "ls", "-n"]),
        (["web", "--", "-a"], 1, {}, ["web", "-a"]),
        (["web", "--", "ls", "--", "-a"], 1, {}, ["web", "ls", "--", "-a"]),
        (["--", "web", "ls", "-a"], 1, {}, ["web", "ls", "-a"]),
    ],
)
def test_parse(argv, stop_at, values, operands):
    assert parse(argv, OPTIONS, stop_at) == (values, operands)


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (["--al"], "'--al' is not an option", "did you mean '--all'?"),
        (["--zzzzzzzz"], "'--zzzzzzzz' is not an option", "see 'nsunit list --help'"),
        (["--a\x1bl"], "'--a\\x1bl' is not an option", "did you mean '--all'?"),
        (["-x"], "'-x' is not an option", "see 'nsunit list --help'"),
        (["--all=yes"], "--all takes no value, but got 'yes'", "see 'nsunit list --help'"),
        (["--lines"], "--lines needs a value", "--lines=N: Lines"),
        (["-an"], "-n needs a value", "-n N: Lines"),
    ],
)
def test_parse_refuses(argv, message, hint):
    with pytest.raises(UsageError) as caught:
        parse(argv, OPTIONS, verb="list")
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_invocation():
    verb = Verb("list", "look", "List", "m:f", options=OPTIONS)
    invocation = Invocation(verb, {"lines": ["5"], "setenv": ["A=1", "B"], "all": []}, ["x"])
    assert invocation.flag("all") and not invocation.flag("quiet")
    assert invocation.value("lines") == "5"
    assert invocation.value("quiet") is None
    assert invocation.values("setenv") == ("A=1", "B")
    assert invocation.number("lines", 10) == 5
    assert invocation.number("other", 10) == 10


@pytest.mark.parametrize("text", ["x", "", "-1", "1.5", "²"])
def test_a_number_is_digits(text):
    invocation = Invocation(Verb("list", "look", "List", "m:f"), {"lines": [text]}, [])
    with pytest.raises(UsageError, match=f"^'{text}' is not a number, as --lines needs it$"):
        invocation.number("lines", 10)


def test_a_number_is_no_more_than_an_int():
    invocation = Invocation(Verb("list", "look", "List", "m:f"), {"lines": ["1" * 5000]}, [])
    with pytest.raises(UsageError, match=r"^'1+.*' is too much for --lines$"):
        invocation.number("lines", 10)
