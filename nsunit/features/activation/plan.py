"""The units that listen for a container, and start it at the first connection.  Pure.

With Activation=fds one socket unit has the name of the container's service, which gets all its sockets.  With
Activation=socket there is, for each port of the container, a socket and a service with systemd-socket-proxyd(8), which
is bound to the container's: it starts it and ends with it.  A container with IdleStop= is stopped by systemd when no
proxy needs it any more (StopWhenUnneeded=).

A container that publishes a port on ::1 has such a socket and proxy, too.  They come and go with it.

A proxy that was killed is started again, so that a container does not stop for it.  A container that fails at each
start is given up: by its start limit, and by that of the socket, which would go on for the connection that waits.

All of them are in the container's slice, so whatever stops that stops them.  The first socket keeps the directories
of a container that is not enabled, since the container has to be startable again when it was stopped.
"""

from __future__ import annotations

from nsunit.core.programs import SOCKET_PROXY as PROXY
from nsunit.features.activation.setup import ListenFds
from nsunit.features.network.model.attachment import SOCKET_MARK
from nsunit.features.network.values import listened, listened_ports, of
from nsunit.names import service_name, slice_name, slice_path, socket_name
from nsunit.plan.units import Directive, Listeners, command, directive, relation, switch, words
from nsunit.record import Record
from nsunit.units import INFINITY, Property, Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container, Definition
    from nsunit.features.network.model.port import Port
    from nsunit.plan.facts import Facts
    from nsunit.setup.operation import Operation

_KINDS = {"tcp": "Stream", "udp": "Datagram"}
LISTEN_SECONDS = 60  # for a program to listen once it runs
START_SECONDS = 90
_IDLE_USEC = 60_000_000  # of a proxy whose container goes on without it
_TRIGGER_LIMIT_USEC = 5_000_000  # 20 in 2 s, which is the default, is more than a busy machine may get to
_START_LIMIT = 10_000_000  # systemd's default, for five starts
_START_LIMIT_MAX = 600_000_000


class ListenFacts(Record):
    """The container's address as the host reaches it, what waits for a payload to listen there, and its cgroup.

    The *cgroup* is that which nsunit.slice is in.
    """

    address: str = ""
    program: str = ""
    cgroup: str = ""


def entry_socket(definition: Definition) -> str:
    """The socket that is started in order to start all of them."""
    container = definition.container
    if listened(container).how == "fds":
        return socket_name(definition.name)
    return socket_name(definition.name, of(container).published_ports[0].container)


def entry(definition: Definition) -> tuple[str, str] | None:
    """What is started instead of the container, if it waits for a connection, and what starts that at boot."""
    return (entry_socket(definition), "sockets.target") if listened(definition.container).how else None


def listeners(definition: Definition, facts: Facts) -> Listeners:
    """The units that listen for it."""
    found = tuple(
        Unit(name, tuple(item.property for item in directives))
        for name, directives in listener_directives(definition, facts).items()
    )
    return Listeners(found, bool(listened(definition.container).how))


def operations(planned: list[Operation], container: Container, _facts: object) -> list[Operation]:
    """*planned* with the sockets that systemd hands in, right before the program is executed."""
    return [*planned[:-1], ListenFds(), planned[-1]] if listened(container).how == "fds" else planned


def listener_directives(definition: Definition, facts: Facts) -> dict[str, tuple[Directive, ...]]:
    """The directives of the sockets and proxies of *definition* by unit, those of `entry_socket` first."""
    ports: dict[str, list[Port]] = {}
    for port in listened_ports(definition.container):
        inside = 0 if listened(definition.container).how == "fds" else port.container
        ports.setdefault(socket_name(definition.name, inside), []).append(port)
    found: dict[str, tuple[Directive, ...]] = {}
    for name, carried in ports.items():
        others = tuple(other for other in ports if other != name) if not found else ()
        found[name] = _socket(definition, facts, carried, others, first=not found)
        if listened(definition.container).how != "fds":
            service = name.removesuffix(".socket") + ".service"
            found[service] = _proxy(definition, facts, name, carried[0].container)
    return found


def relations(definition: Definition) -> tuple[Directive, ...]:
    """What the container's own service needs in addition."""
    idle_stop = listened(definition.container).idle_stop
    if not listened(definition.container).how:
        ports = {port.container: None for port in listened_ports(definition.container)}
        return (relation("Wants", tuple(socket_name(definition.name, port) for port in ports)),)
    socket = (entry_socket(definition),)
    found = [relation("After", socket), relation("BindsTo", socket)]
    if 0 < idle_stop < INFINITY:
        found.append(switch("Unit", "StopWhenUnneeded"))
        # A program that is slow to fail is given up as well: one that works takes that long from start to start.
        interval = min(4 * idle_stop, _START_LIMIT_MAX)
        if interval > _START_LIMIT and not any(key == "Restart" for key, _ in definition.texts_of("Service")):
            limit = Property("StartLimitIntervalUSec", "t", interval)
            found.append(Directive("Unit", "StartLimitIntervalSec", f"{interval // 1_000_000}s", limit))
    return tuple(found)


def _socket(
    definition: Definition, facts: Facts, ports: list[Port], others: tuple[str, ...], *, first: bool
) -> tuple[Directive, ...]:
    told = " ".join(str(port) for port in ports)
    listen = tuple((_KINDS[port.protocol], _address(port)) for port in ports)
    directives = [
        directive("Unit", "Description", f"Ports of container {definition.name}: {told}", "s"),
        *_relations(definition, others),
        *(
            Directive("Socket", f"Listen{kind}", address, Property("Listen", "a(ss)", ((kind, address),)))
            for kind, address in listen
        ),
        directive("Socket", "BindIPv6Only", "both", "s"),
        directive("Socket", "Slice", slice_name(definition.name, definition.container.slice), "s"),
    ]
    if any(port.address for port in ports):
        directives.append(switch("Socket", "FreeBind"))  # at boot the address may come later
    if listened(definition.container).how:
        directives.append(Directive("Socket", "Mark", str(SOCKET_MARK), Property("Mark", "i", SOCKET_MARK)))
        limit = Property("TriggerLimitIntervalUSec", "t", _TRIGGER_LIMIT_USEC)
        directives.append(Directive("Socket", "TriggerLimitIntervalSec", f"{_TRIGGER_LIMIT_USEC // 1_000_000}s", limit))
    if first and facts.directories_stay:
        names = facts.runtime_directories
        directives += [
            Directive("Socket", "RuntimeDirectory", " ".join(names), Property("RuntimeDirectory", "as", names)),
            Directive("Socket", "RuntimeDirectoryMode", "0700", Property("RuntimeDirectoryMode", "u", 0o700)),
        ]
    return tuple(directives)


def _relations(definition: Definition, others: tuple[str, ...]) -> tuple[Directive, ...]:
    if not listened(definition.container).how:
        service = (service_name(definition.name),)
        return relation("BindsTo", service), relation("After", service)
    return (relation("Requires", others), relation("After", others)) if others else ()


def _proxy(definition: Definition, facts: Facts, socket: str, port: int) -> tuple[Directive, ...]:
    name, container = definition.name, definition.container
    slice_ = slice_name(name, container.slice)
    service = service_name(name)
    known: ListenFacts = facts.extra("activation", ListenFacts())  # none for what changes live
    address = f"[{known.address}]:{port}" if ":" in known.address else f"{known.address}:{port}"
    idle_stop = listened(container).idle_stop if listened(container).how else _IDLE_USEC
    idle = () if idle_stop in (0, INFINITY) else (f"--exit-idle-time={idle_stop}us",)
    # A payload takes its time until it listens, and the proxy would refuse the first connection meanwhile.
    cgroup = f"/sys/fs/cgroup{known.cgroup}{slice_path(slice_)}/{service}"
    wait = (
        facts.interpreter,
        "-SI",
        known.program,
        "features.activation.program",
        cgroup,
        known.address,
        str(port),
        str(LISTEN_SECONDS),
    )
    proxy = (PROXY, *idle, address)
    return (
        directive("Unit", "Description", f"Proxy to port {port} of container {name}", "s"),
        relation("BindsTo", (service,)),
        relation("Requires", (socket,)),
        relation("After", (service, socket)),
        directive("Service", "Type", "exec", "s"),
        directive("Service", "Slice", slice_, "s"),
        switch("Service", "DynamicUser"),
        directive("Service", "Restart", "on-abort", "s"),
        Directive("Service", "TimeoutStartSec", f"{START_SECONDS}s", _start_time()),
        *_privileged(wait, facts.systemd_version),
        command("ExecStart", proxy),
        directive("Service", "SyslogIdentifier", name, "s"),
    )


def _privileged(argv: tuple[str, ...], systemd_version: int) -> tuple[Directive, ...]:
    """What executes *argv* as root before the program, which is not.

    systemd 252 writes the name ExecStartPreEx into a transient unit's file, and after a daemon-reload knows no such
    key; 257 is known to write it well.  PermissionsStartOnly= does the same, and is deprecated.
    """
    if systemd_version < 257:
        return (switch("Service", "PermissionsStartOnly"), command("ExecStartPre", argv))
    flagged = Property("ExecStartPreEx", "a(sasas)", ((argv[0], argv, ("privileged",)),))
    return (Directive("Service", "ExecStartPre", "+" + words(argv), flagged),)


def _start_time() -> Property:
    return Property("TimeoutStartUSec", "t", START_SECONDS * 1_000_000)


def _address(port: Port) -> str:
    if not port.address:
        return f"[::]:{port.host}"
    return f"[{port.address}]:{port.host}" if ":" in port.address else f"{port.address}:{port.host}"


def without_root(_container: Container) -> list[tuple[str, str]]:
    """Why a user without privileges cannot have it, as (message, hint)."""
    message = "[Container] Activation= is for containers of the system"
    return [(message, "leave it out, and have 'nsunit enable' start it at the login")]
