"""Before a start: sources checked, ids and directories reserved, the plan written for the helper."""

from __future__ import annotations

import _stat as stat  # the C half of stat
import os
import sys

from nsunit import setup
from nsunit.core.context import make_directory, take_back
from nsunit.core.seccomp import filter_file_for
from nsunit.core.sources import automounts, check_sources, warn_of_foreign_binds
from nsunit.definition.load import serialize
from nsunit.errors import NotFoundError, NsunitError
from nsunit.features import hooks
from nsunit.names import former_unit, service_name, slice_name, slice_path
from nsunit.plan.ceilings import asked_limits, may_be_moot
from nsunit.plan.facts import Facts
from nsunit.plan.operations import keeps_upper, operations
from nsunit.plan.units import Units, may_be_ignored, needed_containers, units
from nsunit.record import Record
from nsunit.setup import CGROUP_ROOT
from nsunit.setup.operation import dump
from nsunit.storage import files, ranges
from nsunit.units import UP, has_job, is_idle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition

# Statically linked ones only: they run in the container's root.
INIT_PROGRAMS = ("/usr/bin/catatonit", "/usr/libexec/catatonit/catatonit", "/usr/bin/tini-static")


# By which relations another unit starts one, systemd.unit(5).
_STARTERS = ("UpheldBy", "RequiredBy", "WantedBy", "BoundBy", "OnFailureOf", "OnSuccessOf")
# And by which it keeps one that is to stop when it is not needed.
_PINS = ("RequiredBy", "RequisiteOf", "WantedBy", "BoundBy", "UpheldBy")


class Prepared(Record):
    """A container that only has to be started."""

    definition: Definition
    units: Units
    undo: tuple[Callable[[], object], ...]  # in reverse order, takes back what was reserved for this start


class Place(Record):
    """Where what is reserved for a start is kept: numbers in *keeper*, files about the network in *network*.

    *user_range* is the container's; *undo* gets what takes the reservation back.
    """

    keeper: str
    network: str
    user_range: tuple[int, int]
    undo: Undo


def helper_path() -> str:
    """The helper's entry point, beside the package it belongs to."""
    return os.path.dirname(setup.__file__) + "/run.py"


def used_by(context: Context, definition: Definition) -> tuple[str, ...]:
    """The features that a container uses: for what it says, and since it is the caller's."""
    return (*definition.container.features, *context.features)


def facts_for(context: Context, definition: Definition, user_range: tuple[int, int]) -> Facts:
    """The facts the plan of *definition* depends on, apart from what has to be reserved."""
    container = definition.container
    more = [name for calls in hooks(container.features, "plan.calls") for name in calls(container)]
    facts = Facts(
        systemd_version=context.host.systemd_version,
        interpreter=sys.executable or "/usr/bin/python3",
        helper=helper_path(),
        runtime_directory=context.paths.runtime_of(definition.name),
        user_range=user_range,
        upper=context.paths.upper_of(definition.name) if keeps_upper(container) else "",
        init=find_init() if container.init else "",
        seccomp=filter_file_for((*container.capabilities, *more), context.paths.seccomp),
        runtime_base=context.paths.runtime_base,
        cgroup=context.cgroup,
        automounts=automounts(),
        unstarted=context.paths.unstarted_of(definition.name),
        notify=(context.paths.notify_of(definition.name),),
    )
    for add in hooks(used_by(context, definition), "deeds.facts"):
        facts = add(context, definition, facts)
    return facts


def resolved(context: Context, definition: Definition) -> Definition:
    """*definition* with what it leaves to others: its image, the devices in a directory.

    Raises:
        NsunitError: that is not there.
    """
    for resolve in hooks(definition.container.features, "deeds.resolve"):
        definition = resolve(context, definition)
    return expanded(definition)


def expanded(definition: Definition) -> Definition:
    """*definition* with what of it is as the host has it by now."""
    for expand in hooks(definition.container.features, "deeds.expand"):
        definition = expand(definition)
    return definition


def obtain(context: Context, definition: Definition) -> None:
    """Get what *definition* leaves to others, where that is not here yet.

    Raises:
        NsunitError: it cannot be had.
    """
    if definition.name in context.obtained:
        return
    for ensure in hooks(definition.container.features, "obtain.ensure"):
        ensure(context, definition)
    context.obtained.add(definition.name)  # a restart does so before it stops the container


def at_boot(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* as they are for unit files that systemd starts by itself."""
    for change in hooks(used_by(context, definition), "deeds.at_boot"):
        facts = change(context, definition, facts)
    return facts


def prepare(context: Context, definition: Definition, *, transient: bool = False) -> Prepared:
    """Reserve and write all that a start of *definition* needs.  The caller holds the container's lock.

    With *transient* nothing is kept of the container once it has ended, not even its id range.

    Raises:
        NsunitError: a source is missing or of the wrong kind; nothing is left behind.
    """
    obtain(context, definition)
    definition = resolved(context, definition)
    name, paths = definition.name, context.paths
    check(context, definition)
    check_needed(context, definition)
    undo: Undo = []
    try:
        for require in hooks(definition.container.features, "deeds.require"):
            require(context, definition, undo)
        files.make_private_directory(paths.runtimes)
        runtime = paths.runtime_of(name)
        make_directory(context, runtime, undo)
        keeper = runtime if transient else paths.state_of(name)
        if not transient:
            adopt_drop_ins(context, name)
            keep_state(context, definition, undo)
            files.discard(paths.kept_definition_of(name))  # of an earlier run: it may be another by now
        user_range = reserve(context, definition, keeper, paths.network_of(name), undo)
        for refuse in hooks(used_by(context, definition), "deeds.check_now"):
            refuse(context, definition)
        facts = facts_for(context, definition, user_range)
        if not transient and is_wanted(context, service_name(name)):
            facts = facts.replace(is_wanted=True)
        planned = units(definition, facts)
        if may_be_ignored(definition):
            from nsunit.core.limits import made_effective  # few limits can be left out

            planned = made_effective(context, definition, planned)
        files.write_file(runtime + "/plan", dump(operations(definition, facts)))
        files.write_file(runtime + "/definition", serialize(definition).encode())
        context.mark("planned")
        files.write_file(runtime + "/asked", " ".join(f"{what} {at}" for what, at in context.moments.items()).encode())
    except BaseException:
        take_back(undo)
        raise
    return Prepared(definition, planned, tuple(undo))


def is_wanted(context: Context, unit: str) -> bool:
    """Whether other units may have systemd start *unit*, which does not run, again after its end."""
    if not context.bus.is_loaded(unit):
        return False  # nobody refers to it, as a rule
    return any(context.bus.get(unit, *_STARTERS).values())


def is_needed(context: Context, unit: str) -> bool:
    """Whether something that is there, or about to be, needs *unit*: see unit_is_unneeded() of systemd."""
    for pins in context.bus.get(unit, *_PINS).values():
        for other in pins if isinstance(pins, (list, tuple)) else ():
            if not is_idle(context.bus.get(other, "ActiveState", "Job")):
                return True
    return False


def check(context: Context, definition: Definition) -> None:
    """See that the host has what *definition* names, and that the caller can have what it asks for.

    Raises:
        DefinitionError: something is missing, or cannot be had.
    """
    check_sources(definition)
    for refuse in hooks(used_by(context, definition), "deeds.check"):
        refuse(context, definition)


def keep_state(context: Context, definition: Definition, undo: Undo) -> None:
    """Make what is kept of a container between its starts."""
    refuse_mounted(context, definition.name)
    files.make_private_directory(context.paths.states)
    make_directory(context, context.paths.state_of(definition.name), undo)
    for keep in hooks(definition.container.features, "deeds.keep"):
        keep(context, definition)
    if keeps_upper(definition.container):
        _make_upper(context.paths.upper_of(definition.name), definition.container.layers[0])


def refuse_mounted(context: Context, name: str) -> None:
    """See that nobody else can write to what is kept of the container *name*.

    Raises:
        NsunitError: its root is mounted on the host for that.
    """
    if os.path.lexists(context.paths.mounts_of(name) + "/writable"):
        raise NsunitError(
            f"{name}: its root is mounted on the host, to be written to", hint=f"'nsunit umount {name}' first"
        )


def reserve(context: Context, definition: Definition, keeper: str, network: str, undo: Undo) -> tuple[int, int]:
    """Reserve what nobody else may have, each feature its own; see `Place`.  Returns the container's id range.

    Raises:
        NsunitError: something is taken, or there is none left.
    """
    place = Place(keeper, network, reserve_range(context, definition, keeper), undo)
    for take in hooks(used_by(context, definition), "deeds.reserve"):
        take(context, definition, place)
    warn_of_foreign_binds(context, definition, place.user_range)
    return place.user_range


def reserve_range(context: Context, definition: Definition, keeper: str) -> tuple[int, int]:
    """The `(start, count)` of a container, remembered in the directory *keeper* if it is not the same at all times."""
    if context.user:
        return planned_user_range(context, definition)
    private_users = definition.container.private_users
    if private_users.mode in ("no", "joined", "maps"):
        return 0, 0
    if private_users.mode == "identity":
        return private_users.start, private_users.count
    if private_users.mode == "range":
        ranges.remember(context.paths, keeper, (private_users.start, private_users.count))
        return private_users.start, private_users.count
    return ranges.allocate(context.paths, definition.name, keeper)


def planned_user_range(context: Context, definition: Definition) -> tuple[int, int]:
    """The id range a start would use, without reserving one: the remembered one, or the one a name hashes to."""
    for own in hooks(context.features, "deeds.user_range"):
        found: tuple[int, int] = own(context)
        return found
    private_users = definition.container.private_users
    if private_users.mode != "yes":
        return private_users.start, private_users.count
    for directory in (context.paths.state_of(definition.name), context.paths.runtime_of(definition.name)):
        remembered = ranges.remembered(directory)
        if remembered:
            return remembered
    return ranges.planned(definition.name), ranges.COUNT


def _make_upper(path: str, top_layer: str) -> None:
    # The merged root shows the mode of the upper directory, so that has to be the top layer's.
    if os.path.isdir(path + "/upper"):
        return
    os.makedirs(path + "/work", 0o700, exist_ok=True)
    os.chmod(path, 0o755)  # the container's root passes here by its own, id-mapped, identity
    new = path + "/new"
    os.makedirs(new, exist_ok=True)
    os.chmod(new, stat.S_IMODE(os.stat(top_layer).st_mode))
    os.rename(new, path + "/upper")  # whoever is killed here leaves none of another mode


def find_init() -> str:
    """The host's reaper for `Init=yes`.

    Raises:
        NsunitError: none is installed.
    """
    for path in INIT_PROGRAMS:
        if os.access(path, os.X_OK):
            return path
    raise NsunitError("Init=yes needs a reaper, and none is installed", hint="install the package 'catatonit'")


def adopt_drop_ins(context: Context, name: str) -> None:
    """Have the service of container *name* the drop-ins that it had by its former name, unless it runs by that."""
    service, top = service_name(name), context.search.units
    former = former_unit(service)
    old, new = f"{top}/{former}.d", f"{top}/{service}.d"
    if not former or not os.path.isdir(old) or context.bus.get(service, "Id").get("Id") == former:
        return
    if not os.path.isdir(new):
        os.rename(old, new)
    else:
        for entry in os.listdir(old):
            if not os.path.lexists(f"{new}/{entry}"):
                os.rename(f"{old}/{entry}", f"{new}/{entry}")
        if not os.listdir(old):
            os.rmdir(old)
    context.bus.reload()  # else it looks for them where they were


def check_needed(context: Context, definition: Definition) -> None:
    """See that every container that *definition* needs runs, or is about to.

    Raises:
        NotFoundError: one does not.
    """
    for other, why in needed_containers(definition.container).items():
        state = context.bus.get(service_name(other), "ActiveState", "Job")
        # Its start may have been asked for just now, and wait for its slice.
        if state.get("ActiveState") not in (*UP, "activating") and not has_job(state):
            raise NotFoundError(
                f"{definition.name}: {why} '{other}', which is not running",
                hint=f"start that first: nsunit start {other}",
            )


def may_be_limited_above(context: Context, definition: Definition) -> bool:
    """Whether a slice above the container may make a limit of *definition* moot: a rough answer, but a quick one."""
    asked = asked_limits(definition)
    directory = os.path.dirname(
        CGROUP_ROOT + context.cgroup + slice_path(slice_name(definition.name, definition.container.slice))
    )
    while asked and directory != CGROUP_ROOT:
        if _takes_something(directory, asked):
            return True
        directory = os.path.dirname(directory)
    return False


def _takes_something(directory: str, asked: list[tuple[str, object]]) -> bool:
    """Whether the slice with the cgroup *directory* may make a limit of *asked* moot."""
    if not os.path.exists(directory):
        return True  # only systemd knows its limits
    return any(may_be_moot(file, value, files.read_file(f"{directory}/{file}")) for file, value in asked)
