"""Units of systemd-nspawn@.service: what the command line is, and what drop-ins add, limits above all."""

from __future__ import annotations

from nsunit.definition.words import ValueProblem, split
from nsunit.imports.model import NotCarried
from nsunit.imports.nspawn.options import Said, parse
from nsunit.imports.services import take
from nsunit.imports.unitfiles import UnitFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.podman.target import Target

# What the unit of systemd starts, of 252 to 262.
COMMAND = "--quiet --keep-unit --boot --link-journal=try-guest --network-veth -U --settings=override --machine="
UNIT = UnitFile("systemd-nspawn@.service", (), ())
# What it says besides, and a container is or has anyway.
_STOCK = {
    "Unit": "Description Documentation Wants PartOf Before After RequiresMountsFor".split(),
    "Service": "Type NotifyAccess RestartForceExitStatus SuccessExitStatus KillMode Slice Delegate DelegateSubgroup"
    " CoredumpReceive TasksMax WatchdogSec DevicePolicy DeviceAllow ExecStart".split(),
    "Install": ["WantedBy"],
}
_VALUES = {
    "Type": "notify",
    "NotifyAccess": "all",
    "RestartForceExitStatus": "133",
    "SuccessExitStatus": "133",
    "KillMode": "mixed",
    "Slice": "machine.slice",
    "Delegate": "yes",
    "DelegateSubgroup": "supervisor",
    "CoredumpReceive": "yes",
    "TasksMax": "16384",
    "WatchdogSec": "3min",
    "DevicePolicy": "closed",
    "WantedBy": "machines.target",
}
_ANYWAY = frozenset("machines.target network.target systemd-resolved.service modprobe@tun.service".split())
_ANYWAY |= {f"modprobe@{name}.service" for name in ("loop", "dm_mod", "dm-mod")}
_RELATIONS = frozenset(("Wants", "PartOf", "Before", "After"))


def command_of(unit: UnitFile, machine: str) -> tuple[list[Said], list[str]]:
    """The options, and the command, of the last ExecStart= of *unit*, or of systemd's own.

    Raises:
        NotCarried: it starts something else.
    """
    item = next((item for item in reversed(unit.section("Service")) if item.key == "ExecStart"), None)
    if item is None:
        return parse([*COMMAND.split()[:-1], f"--machine={machine}"], f"systemd-nspawn@{machine}.service")
    try:
        words = split(item.value, c_escapes=True, controls=True)
    except ValueProblem as problem:
        raise NotCarried(f"ExecStart= {problem.message}", "mind the quotes") from None
    if not words or not words[0].endswith("systemd-nspawn"):
        raise NotCarried("its ExecStart= is not about systemd-nspawn", "leave it a service, see nsunit import unit")
    words = [
        "%".join(part.replace("%i", machine).replace("%I", machine) for part in word.split("%%")) for word in words[1:]
    ]
    return parse(words, item.origin.path, item.origin.line)


def keys_of_unit(unit: UnitFile, target: Target) -> None:
    """Take over what *unit* says besides: limits, when it is restarted, what it needs."""
    target.remarks += unit.remarks
    for section in ("Unit", "Service", "Install"):
        for item in unit.section(section):
            target.origin = item.origin
            if _is_stock(section, item.key, item.value):
                continue
            if section == "Unit" and item.key in _RELATIONS:
                kept = [word for word in item.value.split() if word not in _ANYWAY]
                if kept:
                    target.say(item.key, " ".join(kept), section)
            elif section == "Service" and item.key == "Slice":
                target.remark("slices of nsunit are below nsunit.slice", "use Slice=GROUP and GROUP.slice.nsunit")
            elif section == "Service" and item.key in ("Environment", "EnvironmentFile"):
                target.remark("it is about systemd-nspawn itself", "leave it out")
            else:
                take(target, section, item.key, item.value)
    for item in unit.said:
        if item.section not in ("Unit", "Service", "Install"):
            target.origin = item.origin
            target.remark(f"there is nothing for a section [{item.section}] here", "put it into a unit of its own")


def _is_stock(section: str, key: str, value: str) -> bool:
    if key not in _STOCK[section]:
        return False
    if key in _RELATIONS:
        return False
    if key == "RequiresMountsFor":
        return value == "/var/lib/machines"
    if key == "DeviceAllow":
        return value.partition(" ")[0] in (
            *("/dev/net/tun", "char-pts", "/dev/loop-control", "block-loop", "block-blkext", "/dev/mapper/control"),
            *("block-device-mapper", "/dev/fuse"),
        )
    return value == _VALUES.get(key, value)
