"""What a container with a whole system inside has besides: steps of its set-up, and of its unit.  Pure."""

from __future__ import annotations

from _blake2 import blake2s  # hashlib would load OpenSSL, 10 ms

from nsunit.definition.model import shared_kinds
from nsunit.features.boot.setup import (
    Console,
    HostFiles,
    Identity,
    ReadOnlyPaths,
    Shared,
    Subtree,
    WritableCgroup,
)
from nsunit.plan.operations import open_network
from nsunit.plan.units import Directive, directive, tasks_max, usec
from nsunit.setup import mounts as setup
from nsunit.setup import namespaces, process, root
from nsunit.setup.mounts import Cgroup, Devices, Sysctl, Tmpfs
from nsunit.units import Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container
    from nsunit.plan.facts import Facts
    from nsunit.setup.operation import Operation

MANAGER = "nsunit"
# tmpfs of the system's own: /run because systemd insists, /tmp because the next boot must find it empty.
FILE_SYSTEMS = (("/run", ("mode=0755", "size=20%")), ("/tmp", ("mode=1777", "size=50%")))
START_SECONDS = 180
STOP_SECONDS = 90  # DefaultTimeoutStopSec=, what systemd gives each unit inside
TASKS_MAX = 16384  # as systemd-nspawn@.service
REBOOT_SIGNAL = 1  # a reboot inside ends process 1 as if by SIGHUP, anything else as if by SIGINT: reboot(2)


def machine_id(host_id: str, name: str) -> str:
    """The machine id of container *name*: the same at every start, another one on every host; a version 4 UUID."""
    raw = bytearray(blake2s(name.encode(), key=bytes.fromhex(host_id), digest_size=16).digest())
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return raw.hex()


def mounts(_container: Container, _facts: object) -> list[Tmpfs]:
    """File systems of the system's own."""
    return [Tmpfs(target, options) for target, options in FILE_SYSTEMS]


def operations(planned: list[Operation], container: Container, facts: Facts) -> list[Operation]:
    """*planned* for any container, made into what a system inside needs."""
    found: list[Operation] = []
    identity: str = facts.extra("boot")
    opened = open_network(facts).keys() - dict(container.sysctls).keys()
    for operation in planned:
        if isinstance(operation, namespaces.Subgroup):
            found.append(Subtree(str(_root_outside(planned, facts)), operation.name, operation.attributes))
        elif isinstance(operation, Cgroup):
            found.append(WritableCgroup())
        elif isinstance(operation, setup.ReadOnlyPaths) and "net" not in shared_kinds(container):
            found.append(ReadOnlyPaths(operation.paths))
        elif isinstance(operation, Sysctl) and operation.key in opened:
            continue  # systemd inside sets its own
        elif isinstance(operation, process.Environment):
            found.append(process.Environment((*environment(identity), *operation.assignments)))
        elif isinstance(operation, process.Hostname):
            shared = "no" if container.rootfs and not container.volatile and not container.read_only else "yes"
            found += [operation, HostFiles(MANAGER, identity), Identity(identity, operation.hostname, shared)]
        else:
            found.append(operation)
        if isinstance(operation, Devices):
            found.append(Console())
        elif isinstance(operation, root.Pivot):
            found.append(Shared())
    return found


def _root_outside(planned: list[Operation], facts: Facts) -> int:
    """The user of the host that is root inside, as far as the plan says it."""
    for item in planned:
        if item.keyword == "user-maps":
            entries = (str(entry).split() for entry in item.arguments()[0])
            return next(int(outside) for kind, inside, outside, _ in entries if (kind, inside) == ("uid", "0"))
    return facts.user_range[0]


def environment(identity: str) -> tuple[str, ...]:
    """Variables for process 1; a console that ends in a journal has no colours."""
    return (f"container_uuid={identity}", "TERM=dumb")


def directives(_definition: object, _facts: object) -> list[Directive]:
    """What the service has in place of what other containers have by default."""
    restart = Property("RestartForceExitStatus", "(aiai)", ((), (REBOOT_SIGNAL,)))
    return [
        # One program inside that runs out of memory is the business of the system inside.
        directive("Service", "OOMPolicy", "continue", "s"),
        usec("TimeoutStartSec", START_SECONDS),
        usec("TimeoutStopSec", STOP_SECONDS),
        tasks_max("Slice", TASKS_MAX),
        Directive("Service", "RestartForceExitStatus", "SIGHUP", restart),
    ]
