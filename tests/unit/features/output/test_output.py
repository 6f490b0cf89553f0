"""Output=: what it takes, who asks for it, and what it adds to the set-up and the unit."""

import os

import pytest
from facts import OF_SYSTEM

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.errors import DefinitionError
from nsunit.features.output import keys
from nsunit.features.output.setup import Pipes
from nsunit.plan.facts import Facts
from nsunit.plan.operations import operations
from nsunit.plan.units import units
from nsunit.setup.build import carried_streams
from nsunit.setup.process import Exec

BASE = "[Container]\nLayer=/srv/root\nExec=/bin/app\n"


def define(lines=""):
    return load_text("web", BASE + lines, "web.nsunit", Host(257))


def service(lines, facts=OF_SYSTEM):
    found = {}
    for item in units(define(lines), facts).service_directives:
        found.setdefault(item.key, []).append(item.text)
    return found


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", []),
        ("Output=journal\n", []),
        ("Output=pipe\nOutput=journal\n", []),
        ("Output=pipe\n", [Pipes("output")]),
        ("Output=pipe\n[Service]\nDelegate=no\n", [Pipes("")]),
    ],
)
def test_its_step(lines, expected):
    planned = operations(define(lines), OF_SYSTEM)
    assert [item for item in planned if isinstance(item, Pipes)] == expected
    assert isinstance(planned[-1], Exec)


@pytest.mark.parametrize(
    ("lines", "mode"),
    [
        ("Output=journal\n", ["mixed"]),
        ("Output=pipe\n", ["process"]),
        ("Output=pipe\n[Service]\nKillMode=control-group\n", []),  # what the definition says is sent after these
        ("Output=pipe\nPIDNamespace=host\n", ["mixed"]),  # its processes do not end with the first
    ],
)
def test_who_ends_with_the_program(lines, mode):
    assert service(lines).get("KillMode", []) == mode


def test_a_process_of_nsunits_beside_it_is_systemds_business():
    facts = OF_SYSTEM.with_extra("pasta", "/usr/bin/pasta")
    assert service("Output=pipe\nNetwork=pasta\n", facts)["KillMode"] == ["mixed"]


@pytest.mark.parametrize("line", ["Pod=shop", "Network=bridge", "Nesting=yes", "Device=/dev/fuse"])
def test_what_changes_live_is_planned_without_the_facts_of_others(line):
    bare = Facts(257, "", "", "/run/nsunit/containers/web")
    assert service(f"Output=pipe\n{line}\n", bare)["KillMode"] == ["process"]


def test_the_unit_waits_for_the_last_line():
    wait = "-/usr/bin/flock --timeout 5 /run/nsunit/containers/os/output /bin/true"
    assert wait in service("Output=pipe\n")["ExecStopPost"]
    assert wait not in service("")["ExecStopPost"]


@pytest.mark.parametrize(
    ("values", "expected"), [([], {"output": None}), ([("Output", "journal")], {}), ([("Output", "pipe")], {})]
)
def test_a_feature_can_ask_for_it(values, expected):
    fields = {"extras": {}}
    keys.by_default(fields, values)
    assert fields["extras"] == expected


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("Output=file\n", "[Container] Output: 'file' is not one of its values"),
        (
            "Boot=yes\nOutput=pipe\n",
            "[Container] Output: what a whole system writes goes to its console (Boot=yes)",
        ),
    ],
)
def test_what_is_refused(lines, message):
    with pytest.raises(DefinitionError) as caught:
        define(lines)
    assert [problem.message for problem in caught.value.problems] == [message]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("a", "a"), ((1, 2),)),
        (("a", "b"), ((1,), (2,))),
        ((os.devnull, "a"), ((2,),)),
        (("a", os.devnull), ((1,),)),
        ((os.devnull, os.devnull), ()),
    ],
)
def test_which_streams_become_pipes(tmp_path, paths, expected):
    """In a process of its own, whose streams can be anything."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        for number, path in zip((1, 2), paths, strict=True):
            os.dup2(os.open(tmp_path / path, os.O_RDWR | os.O_CREAT), number)
        os.write(writer, repr(carried_streams()).encode())
        os._exit(0)
    os.close(writer)
    assert os.read(reader, 1000).decode() == repr(expected)
    os.close(reader)
    os.wait()
