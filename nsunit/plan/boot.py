"""What a container with a whole system inside has besides (`Boot=yes`): steps of its set-up, and of its unit.

Imported only where a definition asks for it.
"""

from __future__ import annotations

from _blake2 import blake2s  # hashlib would load OpenSSL, 10 ms

from nsunit.names import NAME_MAX
from nsunit.setup import boot, mounts, namespaces, process
from nsunit.units import Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts
    from nsunit.setup.operation import Operation

MANAGER = "nsunit"
MACHINED = "/usr/lib/systemd/systemd-machined"
# tmpfs of the system's own: /run because systemd insists, /tmp because the next boot must find it empty.
FILE_SYSTEMS = (("/run", ("mode=0755", "size=20%")), ("/tmp", ("mode=1777", "size=50%")))
START_SECONDS = 180
STOP_SECONDS = 90  # DefaultTimeoutStopSec=, what systemd gives each unit inside
TASKS_MAX = 16384  # as systemd-nspawn@.service
REBOOT_SIGNAL = 1  # a reboot inside ends process 1 as if by SIGHUP, anything else as if by SIGINT: reboot(2)
_MACHINED_CALL = (
    *("/usr/bin/busctl", "call", "--quiet", "--timeout=10"),
    *("org.freedesktop.machine1", "/org/freedesktop/machine1", "org.freedesktop.machine1.Manager"),
)


def machine_id(host_id: str, name: str) -> str:
    """The machine id of container *name*: the same at every start, another one on every host; a version 4 UUID."""
    raw = bytearray(blake2s(name.encode(), key=bytes.fromhex(host_id), digest_size=16).digest())
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return raw.hex()


def machine_name(name: str) -> str:
    """The name systemd-machined knows container *name* by.

    It has to be one for a host (RFC 1123).  A name that is none gets its other characters replaced and a digest added,
    so that no two containers are ever taken for one.
    """
    dashed = "".join(char if char.isalnum() or char in "-." else "-" for char in name)
    cleaned = ".".join(filter(None, (label.strip("-") for label in dashed.split("."))))
    if cleaned == name:
        return name
    return f"{cleaned[: NAME_MAX - 7].rstrip('-.')}-{blake2s(name.encode(), digest_size=3).hexdigest()}"


def adapt(planned: Sequence[Operation], definition: Definition, facts: Facts) -> list[Operation]:
    """*planned* for any container, made into what a system inside needs."""
    container = definition.container
    found: list[Operation] = []
    for operation in planned:
        if isinstance(operation, namespaces.Subgroup):
            owner = next((outside for inside, outside, _ in container.uid_map if inside == 0), facts.user_range[0])
            found.append(boot.Subtree(str(owner), operation.name, operation.attributes))
        elif isinstance(operation, mounts.Cgroup):
            found.append(boot.WritableCgroup())
        elif isinstance(operation, mounts.ReadOnlyPaths) and container.network == "none":
            found.append(boot.ReadOnlyPaths(operation.paths))
        elif isinstance(operation, process.Hostname):
            shared = "no" if container.rootfs and not container.volatile and not container.read_only else "yes"
            found += [operation, boot.HostFiles(MANAGER, facts.machine_id)]
            found.append(boot.Identity(facts.machine_id, operation.hostname, shared))
        else:
            found.append(operation)
        if isinstance(operation, mounts.Devices):
            found.append(boot.Console())
    return found


def environment(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Variables for process 1; a console that ends in a journal has no colours."""
    return (("container_uuid", facts.machine_id), ("TERM", "dumb"))


def properties() -> list[tuple[str, str, Property]]:
    """Service properties as (key, text, property), in place of those that other containers have by default."""
    return [
        # One program inside that runs out of memory is the business of the system inside.
        ("OOMPolicy", "continue", Property("OOMPolicy", "s", "continue")),
        ("TimeoutStartSec", f"{START_SECONDS}s", Property("TimeoutStartUSec", "t", START_SECONDS * 1_000_000)),
        ("TimeoutStopSec", f"{STOP_SECONDS}s", Property("TimeoutStopUSec", "t", STOP_SECONDS * 1_000_000)),
        ("TasksMax", str(TASKS_MAX), Property("TasksMax", "t", TASKS_MAX)),
        ("RestartForceExitStatus", "SIGHUP", Property("RestartForceExitStatus", "(aiai)", ((), (REBOOT_SIGNAL,)))),
    ]


def registration(name: str, facts: Facts) -> tuple[str, ...]:
    """The command that registers the unit's main process with systemd-machined, with `-`: it may well refuse."""
    identity = [str(byte) for byte in bytes.fromhex(facts.machine_id)]
    return (
        *(*_MACHINED_CALL, "RegisterMachine", "sayssus", machine_name(name), str(len(identity)), *identity),
        *(MANAGER, "container", "${MAINPID}", "/proc/${MAINPID}/root"),
    )


def deregistration(name: str) -> tuple[str, ...]:
    """The command that takes it back.

    machined itself notices when the unit has stopped, but not when Restart= gives it another main process.
    """
    return (*_MACHINED_CALL, "UnregisterMachine", "s", machine_name(name))
