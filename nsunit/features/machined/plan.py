"""How systemd-machined gets to know of a container.  Pure."""

from __future__ import annotations

from _blake2 import blake2s  # hashlib would load OpenSSL, 10 ms

from nsunit.features.boot.plan import MANAGER
from nsunit.names import NAME_MAX
from nsunit.plan.units import Directive
from nsunit.units import Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts

PROGRAM = "/usr/lib/systemd/systemd-machined"
_CALL = (
    # It would wait for ever for a message bus that accepts it and is stopped.
    *("/usr/bin/timeout", "10"),
    *("/usr/bin/busctl", "call", "--quiet", "--timeout=10"),
    *("org.freedesktop.machine1", "/org/freedesktop/machine1", "org.freedesktop.machine1.Manager"),
)


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


def commands(definition: Definition, facts: Facts) -> list[Directive]:
    """What registers it, and takes that back; `facts` have its machine id, unless it is not to be registered."""
    identity: str = facts.extra("machined", "")
    if not identity:
        return []
    return [
        _registration(definition.name, identity),
        _deregistration(definition.name),
    ]


def _registration(name: str, machine_id: str) -> Directive:
    """What registers the unit's main process with systemd-machined.

    systemd replaces ${MAINPID} until a daemon-reload only (findings/transient-unit-reloaded.sh), so the shell does.
    """
    identity = [str(byte) for byte in bytes.fromhex(machine_id)]
    call = (*_CALL, "RegisterMachine", "sayssus", machine_name(name), str(len(identity)), *identity)
    return _script("ExecStartPost", *call, MANAGER, "container", "`printenv MAINPID`", "/proc/`printenv MAINPID`/root")


def _deregistration(name: str) -> Directive:
    """What takes it back.

    machined itself notices when the unit has stopped, but not when Restart= gives it another main process.  Where it
    has noticed, or a start has failed before, its "No machine" would stand among what the program has said.
    """
    return _script("ExecStopPost", *_CALL, "UnregisterMachine", "s", machine_name(name), "2>/dev/null")


def _script(key: str, *words: str) -> Directive:
    """A command that may fail, run by the shell."""
    script = " ".join(("exec", *words))
    value = (("/bin/sh", ("/bin/sh", "-c", script), True),)
    return Directive("Service", key, f"-/bin/sh -c '{script}'", Property(key, "a(sasb)", value))
