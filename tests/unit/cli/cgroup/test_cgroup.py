import json
import os
import pwd

import pytest

from nsunit.errors import NotFoundError, NsunitError
from nsunit.features.cgroup.plan import Access, Group
from nsunit.record import Record

WEB = Group("web")


class State(Record):
    path: str
    controllers: tuple


@pytest.fixture
def calls(manager):
    """What the manager is asked for; a group `gone` is not there."""
    found = []

    def note(name, result=None):
        def deed(context, *arguments, **options):
            assert context is manager.context
            if any(isinstance(item, Group) and item.name == "gone" for item in arguments):
                raise NotFoundError("there is no group 'gone'")
            found.append((name, *arguments, *options.items()))
            return [] if result is None else result

        return deed

    names = ("create", "delete", "check_controllers")
    states = [State("web", ("cpu", "io")), State("web/sub", ("cpu",))]
    manager(
        "features.cgroup.deeds",
        **{name: note(name) for name in names},
        groups=note("groups", states),
        host_controllers=lambda: ("cpu", "io"),
    )
    manager("features.cgroup.processes", execute=note("execute"), classify=note("classify"))
    values = {"cpu.weight": "100", "cpu.stat": "usage_usec 5\nuser_usec 3"}
    manager(
        "features.cgroup.knob_deeds",
        set_values=note("set"),
        names_of=note("names", list(values)),
        get=lambda group, names: [(name, values[name]) for name in names],
    )
    return found


def test_create(nsunit, calls):
    me = pwd.getpwuid(os.getuid())
    words = ("-a", "1:2", "-t", me.pw_name, "-d", "750", "-s", "660", "-g", "cpu,io:web", "-g", "*:web/sub")
    assert nsunit("cgroup", "create", *words) == (0, "", "")
    access = Access((1, 2), (me.pw_uid, me.pw_gid), 0o750, None, 0o660)
    assert calls == [
        ("create", ("cpu", "io"), WEB, access),
        ("create", ("*",), Group("web", ("sub",)), access),
    ]


def test_one_group_that_fails_does_not_keep_the_others(nsunit, calls):
    status, _out, err = nsunit("cgroup", "create", "-g", "cpu:gone", "-g", "cpu:web")
    assert (status, err) == (3, "nsunit: there is no group 'gone'\n")
    assert calls == [("create", ("cpu",), WEB, Access())]


def test_exec_and_classify(nsunit, calls):
    nsunit("cgroup", "exec", "-g", "cpu:web", "-g", "io:web", "--sticky", "ls", "-g", "--", "x")
    nsunit("cgroup", "classify", "-g", ":web", "1", "2")
    assert calls == [
        ("check_controllers", WEB, ("cpu",)),
        ("check_controllers", WEB, ("io",)),
        ("execute", WEB, ["ls", "-g", "--", "x"]),
        ("check_controllers", WEB, ()),
        ("classify", WEB, [1, 2]),
    ]


def test_set_get_delete(nsunit, calls):
    assert nsunit("cgroup", "set", "-r", "cpu.weight=5", "-r", "io.max=8:0 rbps=1", "web", "cpu:web/sub")[0] == 0
    values = [("cpu.weight", "5"), ("io.max", "8:0 rbps=1")]
    assert calls == [("set", WEB, values), ("set", Group("web", ("sub",)), values)]
    text = "web:\ncpu.weight: 100\ncpu.stat: usage_usec 5\n\tuser_usec 3\n\n"
    assert nsunit("cgroup", "get", "-r", "cpu.weight", "-r", "cpu.stat", "web") == (0, text, "")
    assert nsunit("cgroup", "get", "-g", "cpu:web")[1] == text
    assert nsunit("cgroup", "get", "-n", "-v", "-r", "cpu.weight", "web", "web/sub")[1] == "100\n100\n"
    assert json.loads(nsunit("--json", "cgroup", "get", "-r", "cpu.weight", "web")[1]) == {"web": {"cpu.weight": "100"}}
    status, out, err = nsunit("cgroup", "get", "-a", "gone", "web")
    assert (status, out, err) == (3, text, "nsunit: there is no group 'gone'\n")
    calls.clear()
    nsunit("cgroup", "delete", "-r", "cpu:web")
    assert calls == [("check_controllers", WEB, ("cpu",)), ("delete", WEB, ("recursive", True), ("kill", False))]


def test_list(nsunit, calls):
    assert nsunit("cgroup", "list")[1] == "cpu,io:web\ncpu:web/sub\n"
    assert nsunit("cgroup", "list", "-g", "cpu:web")[1] == "cpu,io:web\ncpu:web/sub\n"
    assert calls == [("groups",), ("check_controllers", WEB, ("cpu",)), ("groups", WEB)]
    assert json.loads(nsunit("cgroup", "list", "--json")[1])[1] == {"path": "web/sub", "controllers": ["cpu"]}
    assert nsunit("cgroup", "list", "--controllers")[1] == "cpu\nio\n"
    assert json.loads(nsunit("--json", "cgroup", "list", "--controllers")[1]) == ["cpu", "io"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), "cgroup: its second word is missing"),
        (("creat",), "'cgroup creat' is not a verb of nsunit"),
        (("list", "--user"), "cgroup: groups are the system's, also those that users are given"),
        (("create",), "cgroup create: no group is given"),
        (("create", "-g", "web"), "cgroup create: 'web' is given no controllers"),
        (("create", "-a", "no-such-user", "-g", "cpu:web"), "'no-such-user' is not a user and group of this host"),
        (("create", "-a", "0:no-such", "-g", "cpu:web"), "'0:no-such' is not a user and group of this host"),
        (("create", "-a", "4294967295:0", "-g", "cpu:web"), "'4294967295:0' is not a user and group of this host"),
        (("create", "-d", "rwx", "-g", "cpu:web"), "'rwx' is not a file mode"),
        (("create", "-g", "cpu:../web"), "'../web' is outside of the groups of nsunit"),
        (("create", "-g", "cpu:web", "x"), "cgroup create: 'x' is one operand too many"),
        (("set", "-r", "cpu.weight", "web"), "cgroup set: 'cpu.weight' has no value"),
        (("set", "web"), "cgroup set: nothing is given to set"),
        (("get", "web"), "cgroup get: nothing is asked for"),
        (("get", "-r", "cpu.max"), "cgroup get: no group is given"),
        (("delete",), "cgroup delete: no group is given"),
        (("classify", "-g", ":web", "x"), "'x' is not a process id"),
        (("classify", "-g", ":web", "0"), "'0' is not a process id"),
        (("classify", "-g", ":web"), "cgroup classify: PID is missing"),
        (
            ("classify", "-g", "cpu:web", "-g", "io:db", "1"),
            "cgroup classify: a process is in one group, and not in 'web' and 'db'",
        ),
    ],
)
def test_wrong_command_lines(nsunit, calls, words, line):
    status, out, err = nsunit("cgroup", *words)
    assert (status, out, err.splitlines()[0]) == (2, "", f"nsunit: {line}")
    assert calls == []


def test_exec_exits_as_a_session(nsunit, calls, manager):
    assert nsunit("cgroup", "exec", "true")[::2] == (
        125,
        "nsunit: cgroup exec: no group is given\n  hint: -g CONTROLLERS:PATH, e.g. -g cpu,memory:web\n",
    )
    assert nsunit("cgroup", "exec", "-g", "cpu:gone", "true")[0] == 125


def test_errors_are_of_nsunit(nsunit, calls, manager):
    def broken(*_arguments):
        raise NsunitError("no", hint="none")

    manager("features.cgroup.knob_deeds", set_values=broken)
    assert nsunit("cgroup", "set", "-r", "a=b", "web") == (1, "", "nsunit: no\n  hint: none\n")
