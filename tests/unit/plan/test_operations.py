"""The set-up plan: which operations a definition gives, and the file they travel in."""

import corpus
import pytest
from facts import FACTS

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.errors import NsunitError
from nsunit.features.network.plan import NetworkFacts
from nsunit.plan.facts import Facts
from nsunit.plan.operations import operations
from nsunit.setup import mounts, namespaces, process, root

HOST = Host(257)
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
        "subgroup", "user-namespace", "namespaces", "root-overlay", "proc", "sysfs", "cgroup-slice", "dev", "init",
        "tmpfs", "tmpfs", "notify-socket", "hostname", "loopback", *["sysctl"] * 4, "mask", "read-only", "user",
        "environment", "root-read-only", "pivot", "working-directory", "privileges", "exec",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "follow"),
    [
        ("", ""),
        ("[Slice]\nMemoryMax=1G\n", ""),
        ("Capability=+SYS_ADMIN\n", ""),
        ("PrivateUsers=no\n", ""),
        ("Slice=shop\n", "yes"),
        ("[Service]\nMemoryMax=1G\n", "yes"),
        ("[Service]\nTasksMax=50%\n", "yes"),
        ("[Service]\nCPUWeight=5\n", ""),
        ("CgroupNamespace=host\n", None),
        ("PrivateUsers=no\nCapability=+SYS_ADMIN\n", None),  # it could make the mount writable
        ("PrivateUsers=identity\nCapability=+SYS_ADMIN\n", None),
    ],
)
def test_limits_are_shown(text, follow):
    facts = FACTS.replace(user_range=(0, 65536 if "identity" in text else 0)) if "PrivateUsers" in text else FACTS
    expected = [mounts.Cgroup()] if follow is None else [mounts.SliceCgroup(follow)]
    assert of(mounts.Cgroup, BASE + text, facts) == expected


def test_tunnels_are_made_in_a_network_that_is_there():
    facts = FACTS.replace(
        extras=(("network", NetworkFacts("/program", "/directory", "/locks")), ("tunnels", "/proxyd"))
    )
    keywords = [item.keyword for item in plan(BASE + "Network=bridge\nTunnel=db:5432\n", facts)]
    assert keywords.index("network") < keywords.index("tunnel")


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
        ("Notify=yes", process.NotifySocket(())),
    ],
)
def test_operation_of_a_key(keys, operation):
    assert operation in plan(BASE + keys + "\n")


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ("Network=host", namespaces.Loopback),
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
            FACTS.with_extra("rootless", ("", "0:1000:1", "0:1000:1")),
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


def test_parents_are_mounted_first():
    text = BASE + "Bind=/x:/a/b/c\nTmpfs=/a\nBind=/y:/a/b\nBind=/z:/a-b\n"
    targets = [item.target for item in plan(text) if isinstance(item, (mounts.Bind, mounts.Tmpfs))]
    assert targets == ["/a", "/a/b", "/a/b/c", "/a-b"]


# The plan file


# Environment files


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ("", []),
        ("UMask=0027", [process.Manners("0027", "")]),
        ("IgnoreSIGPIPE=yes", [process.Manners("0022", "ignored")]),
        ("IgnoreSIGPIPE=no\nUMask=77", [process.Manners("0077", "")]),
    ],
)
def test_what_the_helper_has_of_its_own_is_in_the_plan(keys, found):
    assert of(process.Manners, f"{BASE}[Service]\n{keys}\n") == found


@pytest.mark.parametrize(
    ("keys", "kinds"),
    [
        ("MemoryPressureWatch=yes", ("memory",)),
        ("IOPressureThresholdSec=1s\nMemoryPressureThresholdSec=1s", ("memory", "io")),
    ],
)
def test_pressure_is_watched_where_the_definition_says_so(keys, kinds):
    definition = load_text("web", f"{BASE}[Service]\n{keys}\n", "/etc/nsunit", Host(262))
    (found,) = (item for item in operations(definition, FACTS) if isinstance(item, process.Pressure))
    assert found == process.Pressure(kinds)
    assert of(process.Pressure, BASE) == []


def test_any_definition_can_be_planned_for_a_host_of_which_nothing_is_known():
    """Who asks for a stopped container's mount points has no more: what facts tell is left out, and nothing fails."""
    planned = 0
    for topic in corpus.topics():
        path = corpus.FOLDER / f"{topic}.definitions"
        if topic.startswith(corpus.FAULTY) or not path.exists():
            continue
        for name, text in corpus.split(path.read_text()).items():
            if "/" in name or not name.endswith(".nsunit"):
                continue
            try:
                definition = load_text(name.removesuffix(".nsunit"), text, name, HOST)
            except NsunitError:
                continue  # of another kind, or with what this host has not
            found = operations(definition, Facts(257, "", "", "/run/x"))
            points = [point for item in found for point in item.mount_points()]
            assert all(item.target in points for item in (*definition.container.binds, *definition.container.tmpfs))
            planned += 1
    assert planned > 200
