"""From a definition to the two units that systemd is asked to make: the slice with the limits, and the service.

Every directive stands here once in both of its forms, the typed property for D-Bus and the text for a unit file, so
that `nsunit render --unit-files` shows the same unit that `nsunit start` makes.
"""

from __future__ import annotations

from nsunit.features import hooks
from nsunit.names import service_name, slice_name
from nsunit.plan.operations import PAYLOAD_SUBGROUP, is_delegated
from nsunit.record import Record
from nsunit.units import Property, Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container, Definition
    from nsunit.plan.facts import Facts

_USEC = 1_000_000
DEFAULT_TASKS_MAX = 1024

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
    """Units that listen for a container, the first one that is started first, and whether it waits for them."""

    units: tuple[Unit, ...] = ()
    waits: bool = False


class Units(Record):
    """The units of one container."""

    service: Unit
    slice: Unit
    service_directives: tuple[Directive, ...]  # what nsunit adds to what the definition says
    slice_directives: tuple[Directive, ...]
    listeners: tuple[Unit, ...] = ()  # sockets and proxies
    waits: bool = False  # for its first connection: the first of these is started instead of the service

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
    container = definition.container
    own = _service_directives(definition, facts)
    limits = slice_directives(definition, f"Limits of container {definition.name}")
    found = Listeners()
    for listeners in hooks(container.features, "plan.listeners"):
        found = listeners(definition, facts)
    return Units(
        Unit(service_name(definition.name), merge(own, definition, ("Unit", "Service"))),
        Unit(slice_name(definition.name, container.slice), merge(limits, definition, ("Slice",))),
        own,
        limits,
        found.units,
        found.waits,
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


def boot_directives(definition: Definition, facts: Facts, boot_directory: str) -> tuple[Directive, ...]:
    """What the service needs to start at boot: its plan in place, and the paths the plan names."""
    copy = ("/bin/cp", "-rT", boot_directory, facts.runtime_directory)
    paths = (boot_directory, *needed_paths(definition))
    # The other characters systemd would take for quotes and escapes; nothing that must be mounted is called like that.
    plain = tuple(path for path in dict.fromkeys(paths) if not set(path) & set("\"'\\"))
    text = " ".join(f'"{path}"' if " " in path or "\t" in path else path for path in plain)
    return (
        Directive("Unit", "RequiresMountsFor", text, Property("RequiresMountsFor", "as", plain)),
        command("ExecStartPre", copy),
    )


def needed_paths(definition: Definition) -> tuple[str, ...]:
    """The host paths without which the container cannot start."""
    container = definition.container
    return (
        *((container.rootfs,) if container.rootfs else ()),
        *container.layers,
        *(bind.source for bind in container.binds if not bind.optional),
    )


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
        own = replace(facts)
        replaced = {item.key for item in own}
        directives = [*(item for item in directives if item.key not in replaced), *own]
    said = {(section, key) for section in ("Unit", "Service") for key, _ in definition.texts_of(section)}
    # That one adds up.
    kept = [item for item in directives if (item.section, item.key) not in said or item.key == "RestartForceExitStatus"]
    if has_exec_condition(definition):  # systemd has forgotten by the time we could ask
        kept.append(command("ExecStartPre", ("/bin/rm", "-f", facts.unstarted)))
    for commands in hooks(used, "plan.commands"):
        kept += commands(definition, facts)
    if is_delegated(definition) and facts.systemd_version >= 254:
        kept.append(directive("Service", "DelegateSubgroup", PAYLOAD_SUBGROUP, "s"))
    # What it shares ends with the other one, so it ends too; and it has nothing to join before.
    services = needed_services(container)
    for key in ("After", "BindsTo") if services else ():
        kept.append(Directive("Unit", key, " ".join(services), Property(key, "as", services)))
    for relations in hooks(used, "plan.relations"):
        kept += relations(definition)
    return tuple(kept)


def _default_directives(definition: Definition, facts: Facts) -> list[Directive]:
    container = definition.container
    argv = exec_start(facts)
    runtime = () if facts.directories_stay else facts.runtime_directories
    return [
        directive("Unit", "Description", f"Container {definition.name}", "s"),
        directive("Service", "Type", "notify", "s"),
        command("ExecStart", argv),
        directive("Service", "Slice", slice_name(definition.name, container.slice), "s"),
        # The helper reports after it has made the payload the main process; nothing in the container can unless
        # Notify=yes puts the socket there.
        directive("Service", "NotifyAccess", "all", "s"),
        Directive("Service", "RuntimeDirectory", " ".join(runtime), Property("RuntimeDirectory", "as", runtime)),
        Directive("Service", "RuntimeDirectoryMode", "0700", Property("RuntimeDirectoryMode", "u", 0o700)),
        directive("Service", "RuntimeDirectoryPreserve", "restart", "s"),
        Directive(
            "Service", "KillSignal", str(container.stop_signal), Property("KillSignal", "i", container.stop_signal)
        ),
        # The payload gets the signal, and what is left of the container SIGKILL once it has ended.
        directive("Service", "KillMode", "mixed", "s"),
        # systemd's default for a delegated unit is to continue with what the OOM killer left over.
        directive("Service", "OOMPolicy", "kill", "s"),
        usec("TimeoutStartSec", 60),
        usec("TimeoutStopSec", 10),
        usec("RestartSec", 1),
        Directive("Service", "TasksMax", str(DEFAULT_TASKS_MAX), Property("TasksMax", "t", DEFAULT_TASKS_MAX)),
        directive("Service", "DevicePolicy", "closed", "s"),
        directive("Service", "SyslogIdentifier", definition.name, "s"),
        *(switch("Service", key) for key in ("CPUAccounting", "IOAccounting", "MemoryAccounting", "TasksAccounting")),
        switch("Service", "Delegate"),
    ]


def slice_directives(definition: Definition, description: str) -> tuple[Directive, ...]:
    """What nsunit adds to a slice, of a container or a group."""
    said = {key for key, _ in definition.texts_of("Slice")}
    directives = (
        directive("Unit", "Description", description, "s"),
        # A slice stays active for ever otherwise; this one goes when the last unit in it has.
        switch("Unit", "StopWhenUnneeded"),
        *(switch("Slice", key) for key in ("CPUAccounting", "IOAccounting", "MemoryAccounting", "TasksAccounting")),
    )
    return tuple(item for item in directives if item.key not in said)


def merge(directives: tuple[Directive, ...], definition: Definition, sections: tuple[str, ...]) -> tuple[Property, ...]:
    """*directives*, and after them what the *sections* of *definition* say."""
    return (
        *(item.property for item in directives),
        *(item for section in sections for item in definition.properties_of(section)),
    )


def directive(section: str, key: str, text: str, signature: str) -> Directive:
    """One whose property has the key's name and text."""
    return Directive(section, key, text, Property(key, signature, text))


def switch(section: str, key: str) -> Directive:
    """One that says yes."""
    return Directive(section, key, "yes", Property(key, "b", True))


def usec(key: str, seconds: int) -> Directive:
    """A time of *seconds*, for `KEYSec=`."""
    return Directive("Service", key, f"{seconds}s", Property(key.removesuffix("Sec") + "USec", "t", seconds * _USEC))


def command(key: str, argv: tuple[str, ...], *, may_fail: bool = False) -> Directive:
    """One that executes *argv*."""
    prefix = "-" if may_fail else ""
    return Directive("Service", key, prefix + " ".join(argv), Property(key, "a(sasb)", ((argv[0], argv, may_fail),)))
