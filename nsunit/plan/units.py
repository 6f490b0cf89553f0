"""From a definition to the two units that systemd is asked to make: the slice with the limits, and the service.

Every directive stands here once in both of its forms, the typed property for D-Bus and the text for a unit file, so
that `nsunit render --unit-files` shows the same unit that `nsunit start` makes.
"""

from __future__ import annotations

from nsunit.features import hooks
from nsunit.names import (
    container_of_unit,
    group_slice,
    groups_above,
    limits_watcher,
    mount_unit,
    notify_unit,
    service_name,
    slice_name,
    slice_path,
)
from nsunit.plan.operations import has_limits_elsewhere, is_delegated, limits_unit
from nsunit.record import Record
from nsunit.units import INFINITY, PAYLOAD_SUBGROUP, Property, Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nsunit.definition.model import Container, Definition
    from nsunit.plan.facts import Facts

_USEC = 1_000_000
UNIT_NAME_MAX = 255  # systemd refuses longer ones
DEFAULT_TASKS_MAX = 1024  # of a container, with its sessions
# What systemd takes since this version and forgets, since it always does so.
GONE = {"CPUAccounting": 258}
_ADD_UP = ("RestartForceExitStatus", "SuccessExitStatus")  # with what the definition says of them
_LOST = frozenset(" \t%\"'\\")  # what a path in a transient unit's file has for systemd to read another one
_QUOTED = frozenset(" \t\"'")
# SIGHUP, SIGINT, SIGPIPE, SIGTERM: a service that one of them ends has not failed, systemd.service(5).
_CLEAN_SIGNALS = (1, 2, 13, 15)

PULLING = ("Requires", "BindsTo")  # without what they name systemd starts nothing, and it has to be known to it

# What systemd may leave out without an error: limits of disks, by the signature of their properties, and these.
OF_DISKS = "a(st)"
NEED_BPF = ("SocketBindAllow", "SocketBindDeny", "RestrictNetworkInterfaces")
GONE_LATER = ("DefaultMemoryMin", "DefaultMemoryLow", "DefaultStartupMemoryLow")  # 262 has them no more


class Directive(Record):
    """One line of a unit: section, key and text as in a unit file, and the property that says the same on D-Bus."""

    section: str
    key: str
    text: str
    property: Property


class Listeners(Record):
    """Units beside a container: those that listen for it, the first one that is started first, and check it.

    *waits*: whether it waits for its first connection.
    """

    units: tuple[Unit, ...] = ()
    waits: bool = False


class Units(Record):
    """The units of one container."""

    service: Unit
    slice: Unit
    service_directives: tuple[Directive, ...]  # what nsunit adds to what the definition says
    slice_directives: tuple[Directive, ...]
    listeners: tuple[Unit, ...] = ()  # sockets and proxies, then what checks it
    waits: bool = False  # for its first connection: the first of these is started instead of the service
    beside: tuple[str, ...] = ()  # units of others that it wants, and comes after

    @property
    def entry(self) -> Unit:
        """The unit that is started in order to start the container, or to have it listened for."""
        return self.listeners[0] if self.waits else self.service

    @property
    def others(self) -> tuple[Unit, ...]:
        """All but `entry` and the slice."""
        return (*self.listeners[1:], self.service) if self.waits else self.listeners


def units(definition: Definition, facts: Facts) -> Units:
    """Plan the units of *definition*."""
    container, version = definition.container, facts.systemd_version
    own = _service_directives(definition, facts)
    title = f"Limits of container {definition.name}"
    limits = (*slice_directives(definition, title, version), *default_tasks(definition, facts))
    found = Listeners()
    for listeners in hooks(container.features, "plan.listeners"):
        more = listeners(definition, facts)
        found = Listeners((*found.units, *more.units), found.waits or more.waits)
    return Units(
        Unit(service_name(definition.name), merge(own, definition, ("Unit", "Service"), version)),
        Unit(slice_name(definition.name, container.slice), merge(limits, definition, ("Slice",), version)),
        own,
        limits,
        found.units,
        found.waits,
        tuple(unit for beside in hooks(container.features, "plan.beside") for unit in beside(facts)),
    )


def has_exec_condition(definition: Definition) -> bool:
    """Whether a command on the host decides if the container is started."""
    return any(key == "ExecCondition" for key, _ in definition.texts_of("Service"))


def entry_of(definition: Definition, target: str) -> tuple[str, str]:
    """The unit that is started in order to start the container, and what starts it at boot: by itself *target*."""
    for entry in hooks(definition.container.features, "plan.entry"):
        found: tuple[str, str] | None = entry(definition)
        if found:
            return found
    return service_name(definition.name), target


def needed_containers(container: Container) -> dict[str, str]:
    """The names of the containers that must run before *container*, each with why."""
    found: dict[str, str] = {}
    for needs in hooks(container.features, "plan.needs"):
        found = needs(container) | found  # the first reason counts
    return dict(sorted(found.items()))


def pulled_in(definition: Definition) -> tuple[str, ...]:
    """The names of the containers without whose services systemd does not start that of *definition*.

    A pod is there with the first of its containers.
    """
    units = [
        unit
        for item in definition.properties_of("Unit")
        if item.name in PULLING and isinstance(item.value, tuple)
        for unit in item.value
    ]
    found = (container_of_unit(unit) for unit in units if unit.endswith(".service"))
    return tuple(dict.fromkeys(name for name in found if name and name != definition.name))


def needed_services(container: Container) -> tuple[str, ...]:
    """The services that must run with *container*: those of such containers, and what its features keep for it."""
    names = [*needed_containers(container)]
    for kept in hooks(container.features, "plan.keepers"):
        names += kept(container)
    return tuple(service_name(name) for name in names)


def may_be_ignored(definition: Definition) -> bool:
    """Whether *definition* has a limit of which only a look at the machine tells whether systemd can enforce it."""
    return any(
        item.signature == OF_DISKS or item.name in (*NEED_BPF, *GONE_LATER)
        for section in ("Slice", "Service")
        for item in definition.properties_of(section)
    )


def exec_start(facts: Facts) -> tuple[str, ...]:
    """The command line of the helper; the payload's own is in the plan, where nothing expands `$` or `%`."""
    return (facts.interpreter, "-SI", facts.helper, facts.runtime_directory)


def boot_directives(facts: Facts, boot_directory: str) -> tuple[Directive, ...]:
    """What the service needs to start at boot: its plan in place."""
    copy = ("/bin/cp", "-rT", boot_directory, facts.runtime_directory)
    return (*requires_mounts((boot_directory,)), command("ExecStartPre", copy))


def mount_directives(container: Container, facts: Facts) -> tuple[Directive, ...]:
    """What the service needs so that the mounts its files come from are there before it, and go after it.

    Those of an automount go when nobody uses them, which a bind mount does not prevent, and take along what requires
    them; so it only comes after them, and after what may be missing.  RequiresMountsFor= of some paths counts until a
    daemon-reload only (findings/transient-unit-reloaded.sh); the service still has to be stopped before they go.
    """
    needed = (
        container.rootfs or "",
        *container.layers,
        *(bind.source for bind in container.binds if not bind.optional),
    )
    optional = [bind.source for bind in container.binds if bind.optional]
    automatic = [path for path in needed if _automount_of(path, facts)]
    found = requires_mounts([path for path in needed if path and path not in automatic])
    unsure = [path for path in needed if set(path) & _LOST]
    after = [unit for path in (*automatic, *optional, *unsure) for unit in _mounts_of(path)]
    after += [mount_unit(_automount_of(path, facts), "automount") for path in automatic]
    units = tuple(unit for unit in dict.fromkeys(after) if len(unit) <= UNIT_NAME_MAX)
    return (*found, *([relation("After", units)] if units else []))


def requires_mounts(paths: Iterable[str]) -> tuple[Directive, ...]:
    """The mounts of *paths* are there before the unit, and it goes before them."""
    # The other characters systemd would take for quotes and escapes; nothing that must be mounted is called like that.
    plain = tuple(path for path in dict.fromkeys(paths) if not set(path) & set("\"'\\"))
    text = " ".join(f'"{path}"' if " " in path or "\t" in path else path for path in plain)
    return (Directive("Unit", "RequiresMountsFor", text, Property("RequiresMountsFor", "as", plain)),) if plain else ()


def _automount_of(path: str, facts: Facts) -> str:
    return next((point for point in facts.automounts if f"{path}/".startswith(f"{point}/")), "")


def _mounts_of(path: str) -> list[str]:
    """The units of all mounts that *path* may be on, the root's apart."""
    parts = path.strip("/").split("/")
    return [mount_unit("/".join(parts[: count + 1])) for count in range(len(parts))]


def install_directives(definition: Definition, target: str) -> tuple[Directive, ...]:
    """The [Install] section where the definition has none of the kind: *target* wants it."""
    said = {key for key, _ in definition.texts_of("Install")}
    if said & set(_INSTALL_DIRECTORIES):
        return ()
    return (directive("Install", "WantedBy", target, "s"),)


_INSTALL_DIRECTORIES = {"WantedBy": ".wants", "RequiredBy": ".requires", "UpheldBy": ".upholds"}


def install_links(definition: Definition, target: str) -> tuple[str, ...]:
    """The links, relative to the unit directory, that make [Install] of *definition* true (systemd.unit(5)).

    Where it has none, *target* starts it.
    """
    service, target = entry_of(definition, target)
    pairs = [(item.key, item.text) for item in install_directives(definition, target)]
    found = []
    for key, text in (*pairs, *definition.texts_of("Install")):
        for name in text.split():
            if key in _INSTALL_DIRECTORIES:
                found.append(f"{name}{_INSTALL_DIRECTORIES[key]}/{service}")
            elif key == "Alias":
                found.append(name)
    return tuple(dict.fromkeys(found))


def _service_directives(definition: Definition, facts: Facts) -> tuple[Directive, ...]:
    container = definition.container
    used = (*container.features, *facts.features)
    directives = _default_directives(definition, facts)
    for replace in hooks(used, "plan.directives"):
        own = [item for item in replace(definition, facts) if item.section != "Slice"]
        replaced = {item.key for item in own}
        directives = [*(item for item in directives if item.key not in replaced), *own]
    said = {(section, key) for section in ("Unit", "Service") for key, _ in definition.texts_of(section)}
    kept = [item for item in directives if (item.section, item.key) not in said or item.key in _ADD_UP]
    if has_exec_condition(definition):  # systemd has forgotten by the time we could ask
        kept.append(command("ExecStartPre", ("/bin/rm", "-f", facts.unstarted)))
    for commands in hooks(used, "plan.commands"):
        kept += commands(definition, facts)
    for access in hooks(used, "plan.access"):
        kept += access(container)
    if is_delegated(definition) and facts.systemd_version >= 254:
        kept.append(directive("Service", "DelegateSubgroup", PAYLOAD_SUBGROUP, "s"))
    # What it shares ends with the other one, so it ends too; and it has nothing to join before.
    services = needed_services(container)
    for key in ("After", "BindsTo") if services else ():
        kept.append(relation(key, services))
    kept += mount_directives(container, facts)
    for relations in hooks(used, "plan.relations"):
        kept += relations(definition)
    if container.notify and facts.notify:
        unit = notify_unit(definition.name)
        kept += [Directive("Unit", key, unit, Property(key, "as", (unit,))) for key in ("Requires", "After")]
    if has_limits_elsewhere(definition):
        kept += _watchers(definition, facts)
    return tuple(kept)


def _watchers(definition: Definition, facts: Facts) -> list[Directive]:
    """What has changes shown that others make to limits above and below the slice, once the container runs."""
    slice_ = slice_name(definition.name, definition.container.slice)
    groups = groups_above(definition.container.slice) if definition.container.slice else ()
    own = slice_path(slice_)
    paths = [*(slice_path(group_slice(name)) for name in groups), own]
    if limits_unit(definition):
        paths.append(f"{own}/{service_name(definition.name)}")
    found = [limits_watcher(facts.cgroup + path) for path in paths]
    units = tuple(unit for unit in found if unit)
    return [relation(key, units) for key in ("Wants", "Before")]


def _default_directives(definition: Definition, facts: Facts) -> list[Directive]:
    container = definition.container
    argv = exec_start(facts)
    runtime = () if facts.directories_stay else facts.runtime_directories
    reloads = any(key == "ReloadSignal" for key, _text in definition.texts_of("Service"))
    return [
        directive("Unit", "Description", f"Container {definition.name}", "s"),
        directive("Service", "Type", "notify-reload" if reloads else "notify", "s"),
        command("ExecStart", argv),
        directive("Service", "Slice", slice_name(definition.name, container.slice), "s"),
        # The helper reports after it has made the payload the main process; nothing in the container can unless
        # Notify=yes puts the socket there.
        directive("Service", "NotifyAccess", "all", "s"),
        Directive("Service", "RuntimeDirectory", " ".join(runtime), Property("RuntimeDirectory", "as", runtime)),
        Directive("Service", "RuntimeDirectoryMode", "0700", Property("RuntimeDirectoryMode", "u", 0o700)),
        directive("Service", "RuntimeDirectoryPreserve", "yes" if facts.is_wanted else "restart", "s"),
        Directive(
            "Service", "KillSignal", str(container.stop_signal), Property("KillSignal", "i", container.stop_signal)
        ),
        # The payload gets the signal, and what is left of the container SIGKILL once it has ended.
        directive("Service", "KillMode", "mixed", "s"),
        # systemd's default for a delegated unit is to continue with what the OOM killer left over.
        directive("Service", "OOMPolicy", "kill", "s"),
        *([_clean_ends(container.stop_signal)] if container.init else []),
        usec("TimeoutStartSec", 60),
        usec("TimeoutStopSec", 10),
        usec("RestartSec", 1),
        tasks_max("Service", INFINITY),  # the slice has the limit; systemd would give each service one of its own
        directive("Service", "DevicePolicy", "closed", "s"),
        directive("Service", "SyslogIdentifier", definition.name, "s"),
        # As in a shell, and in podman and docker: programs in pipes end when nobody reads any more.
        Directive("Service", "IgnoreSIGPIPE", "no", Property("IgnoreSIGPIPE", "b", False)),
        *(switch("Service", key) for key in accounting(facts.systemd_version)),
        switch("Service", "Delegate"),
    ]


def default_tasks(definition: Definition, facts: Facts) -> tuple[Directive, ...]:
    """The limit of tasks that the slice of a container gets where its definition says nothing of them."""
    if any(key == "TasksMax" for section in ("Slice", "Service") for key, _ in definition.texts_of(section)):
        return ()
    for replace in hooks(definition.container.features, "plan.directives"):
        if own := tuple(item for item in replace(definition, facts) if item.section == "Slice"):
            return own
    return (tasks_max("Slice", DEFAULT_TASKS_MAX),)


def accounting(systemd_version: int) -> tuple[str, ...]:
    """The keys by which systemd counts; that of the CPU is always on where `GONE` says so, and no key any more."""
    keys = ("CPUAccounting", "IOAccounting", "MemoryAccounting", "TasksAccounting")
    return tuple(key for key in keys if systemd_version < GONE.get(key, systemd_version + 1))


def _clean_ends(stop_signal: int) -> Directive:
    """What a reaper makes of the end of its program by a signal: an exit status, which has to mean the same."""
    statuses = tuple(128 + number for number in sorted({*_CLEAN_SIGNALS, stop_signal}))
    value = Property("SuccessExitStatus", "(aiai)", (statuses, ()))
    return Directive("Service", "SuccessExitStatus", " ".join(map(str, statuses)), value)


def slice_directives(definition: Definition, description: str, systemd_version: int) -> tuple[Directive, ...]:
    """What nsunit adds to a slice, of a container or a group."""
    said = {key for key, _ in definition.texts_of("Slice")}
    directives = (
        directive("Unit", "Description", description, "s"),
        # A slice stays active for ever otherwise; this one goes when the last unit in it has.
        switch("Unit", "StopWhenUnneeded"),
        *(switch("Slice", key) for key in accounting(systemd_version)),
    )
    return tuple(item for item in directives if item.key not in said)


def merge(
    directives: tuple[Directive, ...], definition: Definition, sections: tuple[str, ...], systemd_version: int
) -> tuple[Property, ...]:
    """*directives*, and after them what the *sections* of *definition* say to this version of systemd."""
    gone = [key for key, version in GONE.items() if systemd_version >= version]
    return (
        *(item.property for item in directives),
        *(item for section in sections for item in definition.properties_of(section) if item.name not in gone),
    )


def directive(section: str, key: str, text: str, signature: str) -> Directive:
    """One whose property has the key's name and text."""
    return Directive(section, key, text, Property(key, signature, text))


def relation(key: str, units: tuple[str, ...]) -> Directive:
    """One of [Unit] that names other *units*."""
    return Directive("Unit", key, " ".join(units), Property(key, "as", units))


def switch(section: str, key: str) -> Directive:
    """One that says yes."""
    return Directive(section, key, "yes", Property(key, "b", True))


def tasks_max(section: str, limit: int) -> Directive:
    """TasksMax= of *limit*."""
    text = "infinity" if limit == INFINITY else str(limit)
    return Directive(section, "TasksMax", text, Property("TasksMax", "t", limit))


def usec(key: str, seconds: int) -> Directive:
    """A time of *seconds*, for `KEYSec=`."""
    return Directive("Service", key, f"{seconds}s", Property(key.removesuffix("Sec") + "USec", "t", seconds * _USEC))


def command(key: str, argv: tuple[str, ...], *, may_fail: bool = False) -> Directive:
    """One that executes *argv*."""
    prefix = "-" if may_fail else ""
    return Directive("Service", key, prefix + words(argv), Property(key, "a(sasb)", ((argv[0], argv, may_fail),)))


def words(argv: Iterable[str]) -> str:
    """*argv* as a unit file has a command: systemd reads escapes in it, and the path of a slice may have one."""
    escaped = (word.replace("\\", "\\\\").replace('"', '\\"') for word in argv)
    return " ".join(f'"{word}"' if _QUOTED.intersection(word) else word for word in escaped)
