"""The file in which operations travel."""

import pytest
from facts import FACTS

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.features import FEATURES, operation_of
from nsunit.plan.operations import operations
from nsunit.setup import mounts, process
from nsunit.setup.main import KINDS
from nsunit.setup.operation import Operation, PlanError, dump, parse

HOST = Host(257)


BASE = "[Container]\nRootfs=/srv/root\nExec=/bin/app\n"


def plan(text, facts=FACTS, name="web"):
    return operations(load_text(name, text, "/etc/nsunit", HOST), facts)


def test_plan_file_round_trip():
    text = (
        BASE.replace("/bin/app", r'/bin/app "" "a b" "\u00e4$%%{}\"" \\')
        + "Init=yes\nNotify=yes\nBind=/a:/b\nTmpfs=/t\n"
    )
    made = plan(text)
    assert parse(dump(made), KINDS) == made
    assert made[-1].argv == ("/bin/app", "", "a b", 'ä$%{}"', "\\")


def test_every_kind_travels():
    rare = {keyword: operation_of(keyword) for feature in FEATURES for keyword in feature.operations.split()}
    assert [kind.keyword for kind in rare.values()] == list(rare)
    kinds = (*KINDS, *rare.values())
    for kind in kinds:
        arguments = [("x", "y") if slot == kind.rest else "0:1:1" for slot in kind.__slots__]
        operation = kind(*arguments)
        assert parse(dump([operation]), KINDS, operation_of) == [operation]
        assert operation.describe()
    assert len({kind.keyword for kind in kinds}) == len(kinds)


def test_undecodable_file_names_travel():
    bind = mounts.Bind("/srv/\udcff", "/b", ())
    assert parse(dump([bind]), KINDS) == [bind]


@pytest.mark.parametrize("argument", ["a\nb", "\n", "\\", "\\n", "\\\n", "\\\\n", "\n\\", "\\\\\n\\n", "a\rb", ""])
def test_newlines_and_backslashes_travel(argument):
    program = process.Exec("", ("/bin/app", argument, argument))
    assert parse(dump([program, program]), KINDS) == [program, program]
    assert dump([program]).count(b"\n") == 1


def test_nul_is_refused():
    with pytest.raises(PlanError, match="^exec: an argument contains NUL$"):
        dump([process.Exec("", ("/bin/app", "a\0b"))])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"nonsense\0x\n", "unknown operation 'nonsense'"),
        (b"hostname\n", "'hostname' has 0 arguments"),
        (b"hostname\0a\0b\n", "'hostname' has 2 arguments"),
        (b"bind\0a\n", "'bind' has 1 arguments"),
        (b"\n", "unknown operation ''"),
    ],
)
def test_plans_that_cannot_be_read(content, message):
    with pytest.raises(PlanError) as caught:
        parse(content, KINDS)
    assert str(caught.value) == message


def test_operation_takes_what_it_names():
    with pytest.raises(TypeError, match="Bind takes source, target, flags"):
        mounts.Bind("/a")
    assert process.Hostname("a") == process.Hostname("a") != process.Hostname("b")
    assert len({process.Hostname("a"), process.Hostname("a")}) == 1
    assert isinstance(process.Hostname("a"), Operation)
