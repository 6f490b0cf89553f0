"""Read the chain of cgroups of a container or a group, for what its limits come to."""

from __future__ import annotations

import os

from nsunit.core.limits import device_number
from nsunit.core.running import is_running, unit_of
from nsunit.definition.load import load, load_any
from nsunit.errors import NotFoundError, UsageError, did_you_mean
from nsunit.formats.cgroupfs import cpu_list
from nsunit.names import (
    check_any_name,
    group_slice,
    groups_of_slice,
    is_group,
    printable,
    service_name,
    slice_name,
    slice_path,
)
from nsunit.plan import hierarchy
from nsunit.plan.ceilings import DISK_LATENCY, DISK_WEIGHTS
from nsunit.plan.facts import Facts
from nsunit.plan.hierarchy import KNOBS, Explanation, Knob, Level
from nsunit.plan.units import default_tasks
from nsunit.setup import CGROUP_ROOT
from nsunit.storage.files import read_kernel_file
from nsunit.units import Property

BLOCK = "/sys/block"
_UNWEIGHED = "{}= has no effect: no disk of this machine has the scheduler bfq, nor io.cost.qos on"
_NO_LATENCY = "IODeviceLatencyTargetSec= has no effect: this kernel was built without io.latency (BLK_CGROUP_IOLATENCY)"
_SYMBOLS = "/proc/kallsyms"
_WHOLE = (1 << 32) - 1  # what 100% is in a property such as MemoryMaxScale

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nsunit.core.context import Context
    from nsunit.definition.model import Definition


def explain(context: Context, name: str, key: str | None = None) -> list[Explanation]:
    """What limits container or group *name*: all that anybody has set, or *key* alone, set or not.

    What does not run is looked at as if it were started now.

    Raises:
        UsageError: *key* is not one of the limits.
        NotFoundError: it is neither defined nor does it run.
    """
    knobs = [find_knob(key)] if key else list(KNOBS)
    levels = _chain(context, check_any_name(name))
    found = []
    for knob in knobs:
        devices = hierarchy.devices_of(levels, knob) if knob.kind == "device" else [""]
        found += [hierarchy.explain(knob, levels, _host(knob), device) for device in devices]
    found = [_weighed(item) if item.key in DISK_WEIGHTS else item for item in found]
    return [item for item in found if key or hierarchy.is_said(item)]


def moot_limits(context: Context, definition: Definition, *, starting: bool = False) -> list[str]:
    """What *definition* asks for although a slice above the container, or the machine, does not let it have that.

    While it is *starting* the machine does not count, and of slices what systemd was asked for: it may have made their
    cgroups and not yet written to all of their files.
    """
    slice_ = slice_name(definition.name, definition.container.slice)
    units = (("Slice", slice_), ("Service", service_name(definition.name)))
    own = [_planned(unit, definition.properties_of(section)) for section, unit in units]
    knobs = [knob for knob in KNOBS if any(knob.dbus_name in level.asked for level in own)]
    weights = [key for key in DISK_WEIGHTS if any(item.name == key for item in _properties(definition))]
    notes = [] if not weights or disks_are_weighed() else [_UNWEIGHED.format(key) for key in weights]
    if any(item.name == DISK_LATENCY for item in _properties(definition)) and not has_io_latency():
        notes.append(_NO_LATENCY)
    levels = _chain_above(context, slice_) + own if knobs else []
    if starting:
        levels = [level.replace(exists=False, files={}) if level.asked else level for level in levels]
    for knob in knobs:
        for device in hierarchy.devices_of(own, knob) if knob.kind == "device" else [""]:
            notes += hierarchy.explain(knob, levels, None if starting else _host(knob), device).notes
    return notes


def _properties(definition: Definition) -> list[Property]:
    return [item for section in ("Slice", "Service") for item in definition.properties_of(section)]


def _weighed(item: Explanation) -> Explanation:
    if item.notes or disks_are_weighed() or not any(step.asked is not None for step in item.steps):
        return item
    return item.replace(effective=None, tightest=None, notes=(_UNWEIGHED.format(item.key),))


def disks_are_weighed() -> bool:
    """Whether any disk is shared by weight: its scheduler is bfq, or io.cost is on for it, cgroup-v2.rst."""
    if "enable=1" in (read_kernel_file(f"{CGROUP_ROOT}/io.cost.qos") or ""):
        return True
    schedulers = (read_kernel_file(f"{BLOCK}/{disk}/queue/scheduler") for disk in os.listdir(BLOCK))
    return any("[bfq]" in (text or "") for text in schedulers)


def has_io_latency() -> bool:
    """Whether the kernel has io.latency; true if that cannot be told.

    The file is in every cgroup with the controller, and before there is one, the functions are in the kernel's symbols.
    """
    for group in os.listdir(CGROUP_ROOT):
        if os.path.exists(f"{CGROUP_ROOT}/{group}/io.max"):
            return os.path.exists(f"{CGROUP_ROOT}/{group}/io.latency")
    try:
        with open(_SYMBOLS, "rb") as file:
            symbols = file.read()
    except OSError:
        return True
    return not symbols or b" iolatency_" in symbols


def find_knob(key: str) -> Knob:
    """The limit of that name.

    Raises:
        UsageError: there is none.
    """
    for knob in KNOBS:
        if knob.key == key:
            return knob
    known = [knob.key for knob in KNOBS]
    hint = did_you_mean(key, known, "'{}'") or f"there are {', '.join(known)}"
    raise UsageError(f"'{printable(key)}' is not a limit 'why' knows", hint=hint)


def _chain(context: Context, name: str) -> list[Level]:
    if is_group(name):
        return _chain_of_group(context, name)
    unit = unit_of(context, name)
    service = context.bus.properties(unit)
    group = str(service.get("ControlGroup") or "")
    if not group:
        definition = load(name, context.search, context.host)
        slice_ = slice_name(name, definition.container.slice)
        default = [item.property for item in default_tasks(definition, Facts(context.host.systemd_version, "", "", ""))]
        return [
            *_chain_above(context, slice_),
            _planned(slice_, (*default, *definition.properties_of("Slice"))),
            _planned(service_name(name), definition.properties_of("Service")),
        ]
    paths = [*_above(group), group]
    asked = [_asked(context, path) for path in paths[:-1]]
    return [
        _level(path, properties, own=index >= len(paths) - 2)
        for index, (path, properties) in enumerate(zip(paths, [*asked, service], strict=True))
    ]


def _asked(context: Context, path: str) -> dict[str, object]:
    """What systemd was asked for the cgroup *path*; a user's does not know of those it is in itself."""
    known = path.startswith(f"{context.cgroup}/")
    return context.bus.properties(os.path.basename(path)) if known else {}


def _chain_of_group(context: Context, name: str) -> list[Level]:
    unit = group_slice(name)
    if is_running(context, name):
        own = _level(context.cgroup + slice_path(unit), context.bus.properties(unit), own=True)
    else:
        own = _planned(unit, load_any(name, context.search, context.host).properties_of("Slice"))
    return [*_chain_above(context, unit), own]


def _chain_above(context: Context, slice_: str) -> list[Level]:
    """The levels above *slice_*; of a group that is not there, what its definition says."""
    paths = _above(context.cgroup + slice_path(slice_))
    levels = [_level(path, _asked(context, path), own=False) for path in paths]
    if all(level.exists for level in levels):
        return levels
    names = groups_of_slice(slice_)
    groups = {group_slice(name): _limits_of(context, name) for name in names}
    return [
        level.replace(asked={**level.asked, **_planned(level.unit, groups[level.unit]).asked})
        if not level.exists and level.unit in groups
        else level
        for level in levels
    ]


def _limits_of(context: Context, name: str) -> Sequence[Property]:
    """What group *name* is defined to have; nothing if nobody has defined it."""
    try:
        return load_any(name, context.search, context.host).properties_of("Slice")
    except NotFoundError:
        return ()


def _above(group: str) -> list[str]:
    """The cgroups around *group*, the outermost first, without the root."""
    parts = group.strip("/").split("/")
    return ["/" + "/".join(parts[:count]) for count in range(1, len(parts))]


def _planned(unit: str, properties: Sequence[Property]) -> Level:
    """A cgroup of the container's own as it would be; a later one of the same property counts."""
    asked = _by_device(dict(map(_in_numbers, properties)))
    return Level(unit=unit, own=True, asked=asked, files={}, enabled=(), exists=False)


def _level(path: str, properties: Mapping[str, object], *, own: bool) -> Level:
    directory = CGROUP_ROOT + path
    enabled = read_kernel_file(f"{directory}/cgroup.subtree_control")
    return Level(
        unit=os.path.basename(path),
        own=own,
        asked=_by_device(
            {knob.dbus_name: properties[knob.dbus_name] for knob in KNOBS if knob.dbus_name in properties}
        ),
        files={file: read_kernel_file(f"{directory}/{file}") for file in {knob.file for knob in KNOBS}},
        enabled=tuple((enabled or "").split()),
        exists=enabled is not None,
    )


def _in_numbers(item: Property) -> tuple[str, object]:
    """A property's name and value; a share of the host's memory or tasks as a number."""
    name = item.name.removesuffix("Scale")
    if name == item.name or not isinstance(item.value, int):
        return item.name, item.value
    whole = _all_tasks() if name == "TasksMax" else _all_memory()
    return name, (whole or 0) * item.value // _WHOLE


def _by_device(asked: dict[str, object]) -> dict[str, object]:
    """Put devices' numbers for the paths that systemd has."""
    for knob in KNOBS:
        pairs = asked.get(knob.dbus_name)
        if knob.kind == "device" and isinstance(pairs, (list, tuple)):
            asked[knob.dbus_name] = tuple((device_number(str(path)), limit) for path, limit in pairs)
    return asked


def _host(knob: Knob) -> int | tuple[int, ...] | None:
    """What the machine itself allows."""
    if knob.key == "CPUQuota":
        return (os.cpu_count() or 1) * 1_000_000
    if knob.key == "TasksMax":
        return _all_tasks()
    if knob.key in ("MemoryMax", "MemoryHigh"):
        return _all_memory()
    if knob.kind == "set":
        kind = "cpu" if knob.key == "AllowedCPUs" else "node"
        return cpu_list(read_kernel_file(f"/sys/devices/system/{kind}/online") or "")
    return None


def _all_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _all_tasks() -> int | None:
    numbers = (read_kernel_file(f"/proc/sys/kernel/{name}") for name in ("pid_max", "threads-max"))
    return min((int(text) for text in numbers if text), default=None)
