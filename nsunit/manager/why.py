"""Read the chain of cgroups of a container or a group, for what its limits come to."""

from __future__ import annotations

import os

from nsunit.definition.group import group_or_empty, load_group
from nsunit.definition.load import load
from nsunit.errors import UsageError
from nsunit.manager.group import groups_of_slice
from nsunit.manager.running import CGROUP_ROOT, is_running, unit_of
from nsunit.manager.stats import read_file
from nsunit.names import check_any_name, group_slice, is_group, printable, service_name, slice_name
from nsunit.plan import hierarchy
from nsunit.plan.events import slice_path
from nsunit.plan.hierarchy import KNOBS, Explanation, Knob, Level

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nsunit.definition.model import Definition
    from nsunit.manager.context import Context


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
    return [item for item in found if key or hierarchy.is_said(item)]


def moot_limits(definition: Definition, cgroup: str = "", groups: Sequence[Definition] = ()) -> list[str]:
    """What *definition* asks for although a slice above the container does not let it have that.

    Reads nothing but the kernel's files, and those only of what the definition limits.  nsunit.slice is in *cgroup*.
    *groups* are the definitions of the groups it is in, for those that are not there yet.
    """
    own = _planned(definition)
    knobs = [knob for knob in KNOBS if any(knob.property in level.asked for level in own)]
    if not knobs:
        return []
    slice_ = slice_name(definition.name, definition.container.slice)
    above = [_level(path, _defined(path, groups), own=False) for path in _above(cgroup + slice_path(slice_))]
    levels = [level for level in above if level.exists or level.asked] + own
    notes: list[str] = []
    for knob in knobs:
        for device in hierarchy.devices_of(own, knob) if knob.kind == "device" else [""]:
            notes += hierarchy.explain(knob, levels, _host(knob), device).notes
    return notes


def find_knob(key: str) -> Knob:
    """The limit of that name.

    Raises:
        UsageError: there is none.
    """
    for knob in KNOBS:
        if knob.key == key:
            return knob
    from nsunit.definition.near import did_you_mean

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
        return _chain_above(context, slice_) + _planned(definition)
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
        planned = _by_device(_properties(load_group(name, context.search, context.host), "Slice"))
        own = Level(unit=unit, own=True, asked=planned, files={}, enabled=(), exists=False)
    return [*_chain_above(context, unit), own]


def _chain_above(context: Context, slice_: str) -> list[Level]:
    """The levels above *slice_*; of a group that is not there, what its definition says."""
    paths = _above(context.cgroup + slice_path(slice_))
    levels = [_level(path, _asked(context, path), own=False) for path in paths]
    groups = group_definitions(context, slice_) if not all(level.exists for level in levels) else ()
    return [level if level.exists else level.replace(asked=_defined(level.unit, groups)) for level in levels]


def group_definitions(context: Context, slice_: str) -> tuple[Definition, ...]:
    """The definitions of the groups around *slice_*."""
    names = groups_of_slice(slice_)
    return tuple(group_or_empty(name, context.search, context.host) for name in names)


def _defined(path: str, groups: Sequence[Definition]) -> dict[str, object]:
    """What the definition of the group with the cgroup *path* asks for."""
    unit = os.path.basename(path)
    found = next((item for item in groups if group_slice(item.name) == unit), None)
    return _by_device(_properties(found, "Slice")) if found else {}


def _properties(definition: Definition, section: str) -> dict[str, object]:
    return {item.name: item.value for item in definition.properties_of(section)}


def _above(group: str) -> list[str]:
    """The cgroups around *group*, the outermost first, without the root."""
    parts = group.strip("/").split("/")
    return ["/" + "/".join(parts[:count]) for count in range(1, len(parts))]


def _planned(definition: Definition) -> list[Level]:
    """The container's own cgroups as they would be."""
    slice_ = slice_name(definition.name, definition.container.slice)
    units = (("Slice", slice_), ("Service", service_name(definition.name)))
    return [
        Level(
            unit=unit,
            own=True,
            asked=_by_device(_properties(definition, section)),
            files={},
            enabled=(),
            exists=False,
        )
        for section, unit in units
    ]


def _level(path: str, properties: Mapping[str, object], *, own: bool) -> Level:
    directory = CGROUP_ROOT + path
    enabled = read_file(f"{directory}/cgroup.subtree_control")
    return Level(
        unit=os.path.basename(path),
        own=own,
        asked=_by_device({knob.property: properties[knob.property] for knob in KNOBS if knob.property in properties}),
        files={file: read_file(f"{directory}/{file}") for file in {knob.file for knob in KNOBS}},
        enabled=tuple((enabled or "").split()),
        exists=enabled is not None,
    )


def _by_device(asked: dict[str, object]) -> dict[str, object]:
    """Put devices' numbers for the paths that systemd has."""
    for knob in KNOBS:
        pairs = asked.get(knob.property)
        if knob.kind == "device" and isinstance(pairs, (list, tuple)):
            asked[knob.property] = tuple((device_number(str(path)), limit) for path, limit in pairs)
    return asked


def device_number(path: str) -> str:
    """The whole disk behind a device node or a file, as `major:minor`, as systemd finds it; empty if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return ""
    number = found.st_rdev if found.st_rdev else found.st_dev
    entry = f"/sys/dev/block/{os.major(number)}:{os.minor(number)}"
    if os.path.exists(f"{entry}/partition"):
        return (read_file(f"{os.path.realpath(entry)}/../dev") or "").strip()
    return f"{os.major(number)}:{os.minor(number)}"


def _host(knob: Knob) -> int | None:
    """What the machine itself allows."""
    if knob.key == "CPUQuota":
        return (os.cpu_count() or 1) * 1_000_000
    if knob.key == "TasksMax":
        numbers = (read_file(f"/proc/sys/kernel/{name}") for name in ("pid_max", "threads-max"))
        return min((int(text) for text in numbers if text), default=None)
    if knob.key in ("MemoryMax", "MemoryHigh"):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None
