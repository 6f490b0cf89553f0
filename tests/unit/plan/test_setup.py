"""The set-up plan: which operations a definition gives, and the file they travel in."""

import pytest

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.plan.environment import parse_environment_file
from nsunit.plan.facts import Facts
from nsunit.plan.setup import default_hostname, operations
from nsunit.setup import mounts, namespaces, process, root
from nsunit.setup.main import KINDS, RARE
from nsunit.setup.operation import Operation, PlanError, _load, dump, parse

HOST = Host(257)
FACTS = Facts(
    257, "/usr/bin/python3", "/helper", "/run/nsunit/containers/web", user_range=(524288, 65536), upper="/upper",
    init="/usr/bin/catatonit", seccomp="/run/nsunit/seccomp/x", environment=(("FROM", "file"),),
)  # fmt: skip
BASE = "[Container]\nRootfs=/srv/root\nExec=/bin/app\n"


def plan(text, facts=FACTS, name="web"):
    return operations(load_text(name, text, "/etc/nsunit", HOST), facts)


def of(kind, text, facts=FACTS):
    return [item for item in plan(text, facts) if isinstance(item, kind)]


def test_order_is_safe():
    """The kernel's file systems come before the user's mounts, masks after those, the identity after the pivot."""
    keys = "Init=yes\nNotify=yes\nTmpfs=/tmp\nReadOnly=yes\nSysctl=net.core.somaxconn=1\n"
    keywords = [item.keyword for item in plan(BASE + keys)]
    assert keywords == [
        "subgroup", "user-namespace", "namespaces", "root-overlay", "proc", "sysfs", "cgroup", "dev", "init", "tmpfs",
        "tmpfs", "notify-socket", "hostname", "loopback", *["sysctl"] * 4, "mask", "read-only", "user",
        "environment", "root-read-only", "pivot", "working-directory", "privileges", "exec",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "operation"),
    [
        ("", root.Directory("/srv/root")),
        ("Volatile=yes", root.Overlay("/upper", ("/srv/root",))),
        ("ReadOnly=yes", root.Overlay("/upper", ("/srv/root",))),
        ("ReadOnly=yes", root.ReadOnlyRoot()),
        ("ReadOnly=yes", mounts.Tmpfs("/run", ("mode=0755",))),
        ("", namespaces.UserNamespace("524288", "65536")),
        ("", namespaces.Namespaces(("cgroup", "ipc", "mnt", "pid", "time", "uts", "net"))),
        ("Network=host", namespaces.Namespaces(("cgroup", "ipc", "mnt", "pid", "time", "uts"))),
        ("Network=host", mounts.Sysfs("host")),
        ("", mounts.Sysfs("")),
        ("Tmpfs=/t:size=1M,mode=700", mounts.Tmpfs("/t", ("size=1048576", "mode=0700"))),
        ("Bind=/a:/b", mounts.Bind("/a", "/b", ())),
        ("BindReadOnly=-/a:/b:norbind", mounts.Bind("/a", "/b", ("ro", "norbind", "optional"))),
        ("Hostname=h", process.Hostname("h")),
        ("", process.Hostname("web")),
        ("", mounts.Sysctl("user.max_user_namespaces", "0")),
        ("Sysctl=net.ipv4.ip_forward=1", mounts.Sysctl("net.ipv4.ip_forward", "1")),
        ("User=u\nGroup=g\nSupplementaryGroups=1 2", process.User("u", "g", ("1", "2"))),
        ("Environment=A=1", process.Environment(("container=nsunit", "FROM=file", "A=1"))),
        ("WorkingDirectory=/w", process.WorkingDirectory("/w")),
        ("Capability=-ALL +KILL\nNoNewPrivileges=no", process.Privileges("32", "no", "/run/nsunit/seccomp/x")),
        ("", process.Exec("", ("/bin/app",))),
        ("Init=yes", process.Exec("/dev/init", ("/bin/app",))),
        ("Init=yes", process.Init("/usr/bin/catatonit")),
        ("Notify=yes", process.NotifySocket()),
    ],
)
def test_operation_of_a_key(keys, operation):
    assert operation in plan(BASE + keys + "\n")


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ("Network=host", process.Loopback),
        ("", process.Init),
        ("", process.NotifySocket),
        ("", root.ReadOnlyRoot),
        ("Tmpfs=/tmp\nTmpfs=/run\nReadOnly=yes", mounts.Bind),
    ],
)
def test_operation_is_left_out(keys, kind):
    assert of(kind, BASE + keys + "\n") == []


def test_without_a_user_namespace():
    facts = FACTS.replace(user_range=(0, 0))
    assert of(namespaces.UserNamespace, BASE + "PrivateUsers=no\n", facts) == []
    assert of(mounts.Sysctl, BASE + "PrivateUsers=no\nNetwork=host\n", facts) == []


PORTS = mounts.Sysctl("net.ipv4.ip_unprivileged_port_start", "0")


@pytest.mark.parametrize(
    ("keys", "facts", "found"),
    [
        ("", FACTS, [PORTS, mounts.Sysctl("net.ipv4.ping_group_range", "0 65535")]),
        (
            "PrivateUsers=no",
            FACTS.replace(user_range=(0, 0)),
            [PORTS, mounts.Sysctl("net.ipv4.ping_group_range", "0 0")],
        ),
        (
            "Sysctl=net.ipv4.ping_group_range=1 0",
            FACTS.replace(own_users=("", "0:1000:1", "0:1000:1")),
            [PORTS, mounts.Sysctl("net.ipv4.ping_group_range", "1 0")],
        ),
        ("Network=host", FACTS, []),
        ("Network=container:db", FACTS, []),
        ("Boot=yes\nExec=", FACTS, []),  # the system in there has users of its own
    ],
)
def test_a_network_of_its_own_is_open_to_all_inside(keys, facts, found):
    planned = of(mounts.Sysctl, BASE + keys + "\n", facts)
    assert [item for item in planned if item.key.startswith("net.")] == found


def test_nothing_is_delegated_against_the_definition():
    assert of(namespaces.Subgroup, BASE) == [namespaces.Subgroup("payload", ())]
    assert of(namespaces.Subgroup, BASE + "[Service]\nDelegate=no\n") == []


def test_attributes_of_the_control_group():
    keys = "HugeTLBMax=2M 64M\nMiscMax=sev 4\nMiscMax=sev 5\nMiscMax=sev_es infinity\n"
    (found,) = of(namespaces.Subgroup, BASE + keys)
    assert found.attributes == ("hugetlb.2MB.max=67108864", "misc.max=sev 5", "misc.max=sev_es max")
    assert found.describe() == "set up the control group"


def test_parents_are_mounted_first():
    text = BASE + "Bind=/x:/a/b/c\nTmpfs=/a\nBind=/y:/a/b\nBind=/z:/a-b\n"
    targets = [item.target for item in plan(text) if isinstance(item, (mounts.Bind, mounts.Tmpfs))]
    assert targets == ["/a", "/a/b", "/a/b/c", "/a-b"]


@pytest.mark.parametrize(
    ("name", "hostname"), [("web", "web"), ("a_b", "a-b"), ("w@b", "w-b"), ("a.", "a"), ("0", "0"), ("a-", "a")]
)
def test_default_hostname(name, hostname):
    assert default_hostname(name) == hostname


# The plan file


def test_plan_file_round_trip():
    text = (
        BASE.replace("/bin/app", r'/bin/app "" "a b" "\u00e4$%%{}\"" \\')
        + "Init=yes\nNotify=yes\nBind=/a:/b\nTmpfs=/t\n"
    )
    made = plan(text)
    assert parse(dump(made), KINDS) == made
    assert made[-1].argv == ("/bin/app", "", "a b", 'ä$%{}"', "\\")


def test_every_kind_travels():
    rare = {keyword: _load(place) for keyword, place in RARE.items()}
    assert [kind.keyword for kind in rare.values()] == list(rare)
    kinds = (*KINDS, *rare.values())
    for kind in kinds:
        arguments = [("x", "y") if slot == kind.rest else "0:1:1" for slot in kind.__slots__]
        operation = kind(*arguments)
        assert parse(dump([operation]), KINDS, RARE) == [operation]
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


# Environment files


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
