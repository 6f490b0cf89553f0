"""The keys that choose namespaces: their values, and what cannot be combined."""

import pytest
from definitions import container, problem

from nsunit.definition.model import UserRange
from nsunit.features.namespaces.keys import Namespaces, of


@pytest.mark.parametrize(
    ("lines", "field", "value"),
    [
        ("PIDNamespace=host", "namespaces", (("pid", "host"),)),
        ("UTSNamespace=container:db", "namespaces", (("uts", "container:db"),)),
        ("TimeNamespace=path:/run//ns/x", "namespaces", (("time", "path:/run/ns/x"),)),
        ("CgroupNamespace=private", "namespaces", ()),
        ("IPCNamespace=host\nIPCNamespace=private", "namespaces", ()),
        ("Network=private", "network", "none"),
        ("Network=container:db", "network", "container:db"),
        ("Network=path:/run/netns/x", "network", "path:/run/netns/x"),
        ("UserNamespace=host", "private_users", UserRange("no")),
        ("UserNamespace=host", "namespaces", ()),
        ("UserNamespace=host\nPrivateUsers=no", "private_users", UserRange("no")),
        ("UserNamespace=container:db", "private_users", UserRange("joined")),
        ("UserNamespace=private\nPrivateUsers=no", "private_users", UserRange("no")),
        ("Propagation=slave", "propagation", "slave"),
    ],
)
def test_values(lines, field, value):
    assert getattr(container(lines), field) == value


def test_what_is_special_to_one_kind():
    lines = "TimeOffset=boottime 10d\nTimeOffset=monotonic -1.5s\nTimeOffset=boottime +1h"
    offsets = (("boottime", 3_600_000_000), ("monotonic", -1_500_000))
    assert of(container(lines)) == Namespaces(time_offsets=offsets)
    assert of(container("Domainname=example.org")) == Namespaces(domainname="example.org")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("PIDNamespace=shared", "PIDNamespace: 'shared' is not a choice of namespace"),
        ("PIDNamespace=container:A b", "PIDNamespace: 'A b' is not the name of a container"),
        ("Network=path:run/x", "Network: 'run/x' is not an absolute path"),
        ("TimeOffset=realtime 1s", "TimeOffset: 'realtime' is not a clock with an offset"),
        ("TimeOffset=boottime", "TimeOffset: '' is not a time span"),
        ("TimeOffset=boottime 200y", "TimeOffset: '200y' is too long an offset"),
        ("Domainname=a b", "Domainname: 'a b' is not a domain name"),
        ("Propagation=shared", "Propagation: 'shared' is not one of its values"),
    ],
)
def test_wrong_values(lines, message):
    assert problem(lines)[0] == message


SHARED = "UserNamespace=container:db\nMountNamespace=container:db\n"
TWO_KINDS = "leave it out, or use MountNamespace=private"


@pytest.mark.parametrize(
    ("lines", "message", "hint"),
    [
        (
            *("UTSNamespace=container:web", "UTSNamespace: a container cannot join itself"),
            "use private, or name another container",
        ),
        (
            *("PIDNamespace=container:db",),
            *("PIDNamespace: the kernel lets only its owner mount the /proc of a PID namespace",),
            "use UserNamespace=container:db or UserNamespace=host",
        ),
        (
            *("PIDNamespace=container:db\nUserNamespace=container:other",),
            *("PIDNamespace: the kernel lets only its owner mount the /proc of a PID namespace",),
            "use UserNamespace=container:db or UserNamespace=host",
        ),
        (
            *("PIDNamespace=path:/x",),
            *("PIDNamespace: the kernel lets only its owner mount the /proc of a PID namespace",),
            "use the UserNamespace= that owns it or UserNamespace=host",
        ),
        (
            *("PIDNamespace=host\nInit=yes", "Init: it would not be process 1 with PIDNamespace=host"),
            "leave out Init=yes: orphans go to process 1 of that namespace",
        ),
        (
            *("UserNamespace=host\nPrivateUsers=1000000:65536", "PrivateUsers: UserNamespace=host brings its own ids"),
            "leave out one of the two",
        ),
        (
            *("UserNamespace=container:db\nPrivateUsers=no",),
            *("PrivateUsers: UserNamespace=container:db brings its own ids", "leave out one of the two"),
        ),
        (
            *("UTSNamespace=host\nHostname=x", "Hostname: the name would change for others with UTSNamespace=host"),
            "leave it out, or use UTSNamespace=private",
        ),
        (
            *("UTSNamespace=container:db\nDomainname=x",),
            *("Domainname: the name would change for others with UTSNamespace=container:db",),
            "leave it out, or use UTSNamespace=private",
        ),
        (
            *("TimeNamespace=host\nTimeOffset=boottime 1d",),
            *("TimeOffset: the clocks of TimeNamespace=host have processes, and cannot be set any more",),
            "use TimeNamespace=private",
        ),
        (
            *("IPCNamespace=host\nSysctl=kernel.shmmax=1",),
            *("Sysctl: 'kernel.shmmax' would change the host's IPC with IPCNamespace=host",),
            "leave it out, or use IPCNamespace=private",
        ),
        (
            *("Network=container:db\nSysctl=net.core.somaxconn=1",),
            *("Sysctl: 'net.core.somaxconn' would change somebody else's network with Network=container:db",),
            "leave it out, or use Network=none",
        ),
    ],
)
def test_what_cannot_be_combined(lines, message, hint):
    assert problem(lines) == (message, hint)


@pytest.mark.parametrize(
    "key",
    [
        *("Rootfs=/r", "Layer=/l", "ReadOnly=yes", "Volatile=yes", "Bind=/a", "BindReadOnly=/a", "Tmpfs=/tmp"),
        *("Init=yes", "Notify=yes", "Sysctl=net.core.somaxconn=1", "Propagation=slave"),
    ],
)
@pytest.mark.parametrize("source", ["host", "container:db"])
def test_nothing_is_mounted_in_file_systems_that_are_there(key, source):
    base = "Exec=/bin/sh\nUserNamespace=container:db\n"
    name = key.partition("=")[0]
    message = f"{name}: nothing is mounted with MountNamespace={source}, its file systems are there already"
    assert problem(f"MountNamespace={source}\n{key}", base) == (message, TWO_KINDS)


@pytest.mark.parametrize(
    "lines",
    [
        "PIDNamespace=container:db\nUserNamespace=container:db\nNetwork=container:other",
        "PIDNamespace=container:db\nUserNamespace=host",
        "PIDNamespace=path:/x\nUserNamespace=path:/y",
        "PIDNamespace=host\nIPCNamespace=host\nUTSNamespace=host\nTimeNamespace=host\nCgroupNamespace=host",
        "Network=path:/run/netns/x\nIPCNamespace=container:db\nUTSNamespace=path:/u\nTimeNamespace=container:db",
        "IPCNamespace=host\nSysctl=net.core.somaxconn=1",
        "Network=host\nSysctl=fs.mqueue.msg_max=1",
    ],
)
def test_what_can_be_combined(lines):
    container(lines)


def test_a_root_is_not_needed_where_one_is_there():
    assert container("MountNamespace=host\nUserNamespace=host", "Exec=/bin/sh\n").rootfs is None
