"""`Boot=yes`: what it changes in the set-up plan and in the unit."""

import pytest
from facts import HOST_ID, MACHINE_ID, OF_SYSTEM

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.errors import DefinitionError, UsageError
from nsunit.features import operation_of
from nsunit.features.boot import plan
from nsunit.features.boot import setup as boot
from nsunit.plan.foreground import run_scope
from nsunit.plan.operations import operations
from nsunit.plan.units import units
from nsunit.setup import mounts, namespaces, process
from nsunit.setup.main import KINDS
from nsunit.setup.operation import dump, parse

BASE = "[Container]\nLayer=/srv/os\nBoot=yes\n"


def define(text):
    return load_text("os", text, "/etc/nsunit", Host(257))


def planned(text=BASE, facts=OF_SYSTEM):
    return operations(define(text), facts)


def service(text=BASE, facts=OF_SYSTEM):
    return {item.key: item for item in units(define(text), facts).service_directives}


def test_defaults():
    container = define(BASE).container
    assert container.exec == ("/sbin/init",)
    assert (container.stop_signal, container.notify, container.no_new_privileges) == (37, True, False)
    assert "CAP_SYS_ADMIN" in container.capabilities
    assert not {"CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_TIME", "CAP_DAC_READ_SEARCH"} & set(container.capabilities)
    other = define(BASE + "Exec=/lib/systemd/systemd --test\nStopSignal=SIGTERM\nNotify=no\nCapability=-NET_RAW\n")
    assert other.container.exec == ("/lib/systemd/systemd", "--test")
    assert (other.container.stop_signal, other.container.notify) == (15, False)
    assert "CAP_NET_RAW" not in other.container.capabilities
    plain = define(BASE.replace("yes", "no") + "Exec=/bin/true\n").container
    assert "CAP_SYS_ADMIN" not in plain.capabilities


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "PrivateUsers=no",
            "[Container] PrivateUsers: Boot=yes needs a user namespace: root inside would be root outside",
        ),
        ("PIDNamespace=host", "[Container] PIDNamespace: a whole system needs one of its own (Boot=yes)"),
        ("CgroupNamespace=host", "[Container] CgroupNamespace: a whole system needs one of its own (Boot=yes)"),
        ("Init=yes", "[Container] Init: Boot=yes has an init of its own"),
        ("User=app", "[Container] User: the init of Boot=yes runs as root"),
        ("Capability=-SYS_ADMIN", "[Container] Capability: systemd cannot mount anything without CAP_SYS_ADMIN"),
        (
            "Pod=shop",
            "[Container] Pod: its containers have the pod's ids, and a whole system needs its own (Boot=yes)",
        ),
        ("[Service]\nDelegate=no", "[Service] Delegate: Boot=yes needs a cgroup of its own to manage"),
    ],
)
def test_what_does_not_go_with_it(lines, message):
    with pytest.raises(DefinitionError) as caught:
        define(BASE + lines + "\n")
    assert [problem.message for problem in caught.value.problems] == [message]


def test_root_by_its_names():
    assert define(BASE + "User=root\n").container.user == "root"
    assert define(BASE + "User=0\n").container.uses("boot")


def test_order_of_the_steps():
    assert [item.keyword for item in planned()] == [
        "boot-subgroup", "user-namespace", "namespaces", "root-overlay", "proc", "sysfs", "boot-cgroup", "dev",
        "boot-console", "tmpfs", "tmpfs", "notify-socket", "hostname", "boot-host-files", "boot-identity", "loopback",
        "mask", "boot-read-only", "user", "environment", "pivot", "boot-shared", "working-directory",
        "privileges", "exec",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "operation"),
    [
        ("", boot.Subtree("524288", "payload", ())),
        ("UIDMap=0 700 10\nGIDMap=0 800 10\n", boot.Subtree("700", "payload", ())),
        ("", boot.HostFiles("nsunit", MACHINE_ID)),
        ("", boot.Identity(MACHINE_ID, "os", "yes")),
        ("Hostname=h\n", boot.Identity(MACHINE_ID, "h", "yes")),
        ("", mounts.Tmpfs("/run", ("mode=0755", "size=20%"))),
        ("Tmpfs=/tmp:size=1M\n", mounts.Tmpfs("/tmp", ("size=1048576",))),
        ("Tmpfs=/run:size=1M\n", mounts.Tmpfs("/tmp", ("mode=1777", "size=50%"))),
        ("", process.NotifySocket(())),
        ("", process.Exec("", ("/sbin/init",))),
    ],
)
def test_operation_of_a_key(lines, operation):
    assert operation in planned(BASE + lines)


def test_a_root_of_its_own_keeps_its_identity():
    text = BASE.replace("Layer", "Rootfs")
    assert boot.Identity(MACHINE_ID, "os", "no") in planned(text)
    for line in ("Volatile=yes\n", "ReadOnly=yes\n"):  # an overlay on it, which may be on others as well
        assert boot.Identity(MACHINE_ID, "os", "yes") in planned(text + line)


def test_the_network_of_the_host_stays_closed():
    found = planned(BASE + "Network=host\n")
    assert not [item for item in found if isinstance(item, boot.ReadOnlyPaths)]
    assert [item for item in found if isinstance(item, mounts.ReadOnlyPaths)]


@pytest.mark.parametrize("network", ["none", "bridge", "macvlan:eth0"])
def test_a_network_of_its_own_is_open(network):
    """Its systemd sets parameters of it, systemd-networkd above all."""
    assert [item for item in planned(BASE + f"Network={network}\n") if isinstance(item, boot.ReadOnlyPaths)]


def test_plan_survives_its_file():
    found = planned()
    assert parse(dump(found), KINDS, operation_of) == found


def test_a_moved_subgroup_is_one():
    """The middle process moves there before anything else, as it does for other containers."""
    assert isinstance(planned()[0], namespaces.Subgroup)


def test_environment():
    (environment,) = (item for item in planned(BASE + "Environment=TERM=xterm\n") if item.keyword == "environment")
    assert environment.assignments == (
        f"container_uuid={MACHINE_ID}", "TERM=dumb", "container=nsunit", "TERM=xterm",
    )  # fmt: skip


def test_service():
    found = service()
    texts = {key: item.text for key, item in found.items()}
    assert texts["KillSignal"] == "37"
    assert (texts["OOMPolicy"], texts["TimeoutStartSec"], texts["TimeoutStopSec"]) == ("continue", "180s", "90s")
    assert texts["RestartForceExitStatus"] == "SIGHUP"
    assert found["RestartForceExitStatus"].property.value == ((), (1,))
    said = "[Service]\nTimeoutStartSec=7s\nRestartForceExitStatus=9\n"
    assert "TimeoutStartSec" not in service(BASE + said)
    assert service(BASE + said)["RestartForceExitStatus"].text == "SIGHUP"  # it adds up


def test_machine_id():
    found = plan.machine_id(HOST_ID, "os")
    assert found == plan.machine_id(HOST_ID, "os")
    assert len({found, plan.machine_id(HOST_ID, "os2"), plan.machine_id("0" * 32, "os")}) == 3
    assert len(found) == 32
    assert found[12] == "4" and found[16] in "89ab"


def test_the_foreground_has_no_notification_socket():
    with pytest.raises(UsageError, match=r"^\[Container\] Notify= needs a service$"):
        run_scope(define(BASE), "0a")
    container = define(BASE).container
    assert run_scope(define(BASE).replace(container=container.replace(notify=False)), "0a")
