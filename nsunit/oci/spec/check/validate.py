"""Whether a config.json can be had: the type of each field, and what the ones who plan do not look at.

What is refused is what the specification says must be, and what runc refuses; what both leave alone is left alone.  The
first thing that is wrong is named by its place, as in `linux.resources.cpu.shares`.  Nothing of the host is looked at.
"""

from __future__ import annotations

from nsunit.oci.spec.check.schema import CONFIG, PROCESS
from nsunit.oci.spec.check.shapes import FieldError, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_NICE = (-20, 19)
_PRIORITIES = {"SCHED_FIFO": (1, 99), "SCHED_RR": (1, 99)}
_NAME_MAX = 64  # bytes, of uname(2)
_LINK_NAME_MAX = 15
_IDS = 1 << 32


def check_config(config: Any) -> None:
    """See that *config*, the content of a config.json, has the right types, and that its parts fit to each other.

    Raises:
        FieldError: it has not, or they do not.
    """
    if type(config) is not dict:
        raise FieldError("", "config.json holds no object")
    check(config, CONFIG, "")
    linux = config.get("linux") or {}
    if not linux:
        for other in ("windows", "solaris", "vm", "zos", "freebsd"):
            if config.get(other):
                raise FieldError(other, "that is a container of another system", hint="here are those with 'linux'")
    for name in ("hostname", "domainname"):
        if len((config.get(name) or "").encode()) > _NAME_MAX:
            raise FieldError(name, f"'{config[name]}' is longer than {_NAME_MAX} bytes")
    for name in ("uidMappings", "gidMappings"):
        _check_map(linux.get(name) or (), f"linux.{name}")
        for index, item in enumerate(config.get("mounts") or ()):
            _check_map(item.get(name) or (), f"mounts[{index}].{name}")
    for name in ("maskedPaths", "readonlyPaths"):
        for index, path in enumerate(linux.get(name) or ()):
            if not path.startswith("/"):
                raise FieldError(f"linux.{name}[{index}]", f"'{path}' is no absolute path")
    for index, item in enumerate(linux.get("devices") or ()):
        for name in ("major", "minor"):
            if item["type"] != "p" and (item.get(name) or 0) < 0:
                raise FieldError(f"linux.devices[{index}].{name}", f"{item[name]} is no number of a device")
    if linux.get("intelRdt"):
        raise FieldError(
            "linux.intelRdt",
            "there are no classes of cache and bandwidth: they are the machine's, and a crash would leave them behind",
            hint="have the engine leave it out, or use runc for this container",
        )
    _check_links(linux.get("netDevices") or {}, linux.get("namespaces") or ())
    if linux.get("seccomp"):
        from nsunit.oci.spec.seccomp import check_profile  # what has none is not to load it

        check_profile(linux["seccomp"])
    if config.get("process"):
        _check_process(config["process"])


def check_process(process: Any) -> None:
    """See that *process*, what `exec --process` is given, has the right types, and that its parts fit to each other.

    Raises:
        FieldError: it has not, or they do not.
    """
    if type(process) is not dict:
        raise FieldError("process", "it holds no object")
    check(process, PROCESS, "process")
    _check_process(process)


def _check_process(process: Mapping[str, Any]) -> None:
    for index, item in enumerate(process.get("rlimits") or ()):
        soft, hard = item.get("soft") or 0, item.get("hard") or 0
        if soft > hard:
            raise FieldError(f"process.rlimits[{index}].soft", f"{soft} is above hard, {hard}")
    for name in ("initial", "final"):
        text = (process.get("execCPUAffinity") or {}).get(name) or ""
        if any(character not in "0123456789, -" for character in text):
            raise FieldError(f"process.execCPUAffinity.{name}", f"'{text}' is no list of numbers, as 0-3,8 is")
    scheduler = process.get("scheduler")
    if scheduler:
        _check_scheduler(scheduler)


def _check_scheduler(scheduler: Mapping[str, Any]) -> None:
    policy, where = scheduler["policy"], "process.scheduler"
    _check_range(scheduler.get("nice") or 0, _NICE, f"{where}.nice")
    _check_range(scheduler.get("priority") or 0, _PRIORITIES.get(policy, (0, 0)), f"{where}.priority")
    if policy != "SCHED_DEADLINE" and any(scheduler.get(name) for name in ("runtime", "deadline", "period")):
        raise FieldError(where, "runtime, deadline and period are for 'SCHED_DEADLINE'")


def _check_range(number: int, limits: tuple[int, int], where: str) -> None:
    low, high = limits
    if not low <= number <= high:
        raise FieldError(where, f"{number} is not between {low} and {high}" if low < high else f"{number} is not {low}")


def _check_map(entries: Sequence[Mapping[str, Any]], where: str) -> None:
    for index, item in enumerate(entries):
        for name in ("containerID", "hostID"):
            if (item.get(name) or 0) + (item.get("size") or 0) > _IDS:
                raise FieldError(f"{where}[{index}].{name}", "the ids go beyond the last one")


def _check_links(links: Mapping[str, Any], namespaces: Sequence[Mapping[str, Any]]) -> None:
    if links and all(item["type"] != "network" for item in namespaces):
        raise FieldError("linux.netDevices", "they would stay here", hint="add a namespace of type 'network'")
    inside: list[str] = []
    for name, item in links.items():
        where = f"linux.netDevices['{name}']"
        new = (item or {}).get("name") or name
        for text in (name, new):
            if not _is_link_name(text):
                raise FieldError(where, f"'{text}' is no name of a link")
        if new in inside:
            raise FieldError(where, f"two links cannot both be '{new}'")
        inside.append(new)


def _is_link_name(text: str) -> bool:
    short = 0 < len(text.encode()) <= _LINK_NAME_MAX and text not in (".", "..")
    return short and not any(character in "/:" or character.isspace() for character in text)
