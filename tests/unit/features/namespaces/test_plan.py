"""The set-up plan and the units of a container with namespaces that are not its own."""

import pytest

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.features.namespaces import setup as chosen
from nsunit.plan.facts import Facts
from nsunit.plan.foreground import run_scope
from nsunit.plan.operations import operations
from nsunit.plan.units import units
from nsunit.setup import mounts, namespaces, process

FACTS = Facts(257, "/usr/bin/python3", "/helper", "/run/nsunit/containers/web", user_range=(524288, 65536))
WITHOUT_USERS = FACTS.replace(user_range=(0, 0))
ROOT = "Rootfs=/srv/root\n"


def definition(keys, root=ROOT, more=""):
    return load_text("web", f"[Container]\n{root}Exec=/bin/app\n{keys}\n{more}", "/etc/nsunit", Host(257))


def plan(keys, root=ROOT, facts=FACTS):
    return operations(definition(keys, root), facts)


def of(kind, *arguments, **options):
    return [item for item in plan(*arguments, **options) if isinstance(item, kind)]


@pytest.mark.parametrize(
    ("keys", "kinds", "joins"),
    [
        ("PIDNamespace=host", "cgroup ipc mnt time uts net", ["pid host"]),
        ("Network=host\nIPCNamespace=host", "cgroup mnt pid time uts", ["ipc host"]),
        ("Network=container:db", "cgroup ipc mnt pid time uts", ["net unit:nsunit-db.service"]),
        ("Network=path:/run/netns/x", "cgroup ipc mnt pid time uts", ["net path:/run/netns/x"]),
        (
            *("PIDNamespace=container:a-b\nUserNamespace=container:a-b", "cgroup ipc mnt time uts net"),
            ["user unit:nsunit-a-b.service", "pid unit:nsunit-a-b.service"],
        ),
    ],
)
def test_what_is_made_and_what_is_joined(keys, kinds, joins):
    assert of(namespaces.Namespaces, keys) == [namespaces.Namespaces(tuple(kinds.split()))]
    assert of(chosen.Join, keys) == [chosen.Join(*join.split()) for join in joins]


def test_mount_namespace_is_joined_last_and_nothing_is_mounted():
    keys = "MountNamespace=container:db\nUserNamespace=container:db\nUTSNamespace=container:db"
    found = plan(keys, "", WITHOUT_USERS)
    assert [item.kind for item in found if isinstance(item, chosen.Join)] == ["user", "uts", "mnt"]
    assert [item.keyword for item in found if item.keyword not in ("join",)] == [
        "subgroup", "namespaces", "root-existing", "loopback", "user", "environment", "working-directory",
        "privileges", "exec",
    ]  # fmt: skip


@pytest.mark.parametrize(("keys", "host"), [("Network=host", "host"), ("Network=container:db", "container"), ("", "")])
def test_sysfs_shows_the_network(keys, host):
    assert of(mounts.Sysfs, keys) == [mounts.Sysfs(host)]


def test_names_are_left_alone_in_a_shared_namespace():
    assert of(process.Hostname, "UTSNamespace=host") == []
    assert of(chosen.Domainname, "Domainname=example.org") == [chosen.Domainname("example.org")]


def test_clocks_are_in_seconds_and_nanoseconds():
    """The kernel takes a negative number of seconds, but not of nanoseconds."""
    found = of(chosen.TimeOffsets, "TimeOffset=boottime 10d\nTimeOffset=monotonic -1.5s")
    assert found == [chosen.TimeOffsets(("boottime 864000 0", "monotonic -2 500000000"))]


def test_slave_binds():
    assert of(mounts.Bind, "Bind=/a\nBindReadOnly=/b\nPropagation=slave") == [
        mounts.Bind("/a", "/a", ("slave",)),
        mounts.Bind("/b", "/b", ("ro", "slave")),
    ]


JOINING = "UserNamespace=container:db\nPIDNamespace=container:db\nNetwork=container:lb"


def test_units_follow_those_they_join():
    """A definition's own After= adds to it, in the unit as on D-Bus."""
    planned = units(definition(JOINING, more="[Unit]\nAfter=other.service\n"), FACTS)
    services = ("nsunit-db.service", "nsunit-lb.service")
    found = [(item.name, item.value) for item in planned.service.properties if item.name in ("After", "BindsTo")]
    assert found == [("After", services), ("BindsTo", services), ("After", ("other.service",))]
    texts = [item.text for item in planned.service_directives if item.key == "BindsTo"]
    assert texts == ["nsunit-db.service nsunit-lb.service"]


def test_scopes_follow_those_they_join():
    found = [item.value for item in run_scope(definition(JOINING), "x").properties if item.name == "BindsTo"]
    assert found == [("nsunit-db.service", "nsunit-lb.service")]


@pytest.mark.parametrize("keys", ["", "Network=host", "PIDNamespace=host"])
def test_units_of_their_own_follow_none(keys):
    planned = units(definition(keys), FACTS)
    assert not [item for item in planned.service.properties if item.name in ("After", "BindsTo")]
