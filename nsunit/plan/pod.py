"""Pods: the service that keeps what the containers of one share, and how they share it.

Imported only where there is a pod.
"""

from __future__ import annotations

from nsunit.definition.model import UserRange
from nsunit.names import group_of_pod, group_slice, service_name
from nsunit.plan.setup import open_network
from nsunit.plan.units import Directive, directive, switch, usec
from nsunit.setup import mounts, namespaces, process
from nsunit.units import Property, Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container, Definition
    from nsunit.plan.facts import Facts
    from nsunit.setup.operation import Operation


def member(container: Container, facts: Facts) -> Container:
    """*container* with the namespaces of its pod, which are pinned in `facts.pod_pins`, as its own choice."""
    sources = {kind: f"path:{facts.pod_pins}/{kind}" for kind in facts.pod_kinds}
    network = sources.pop("net", container.network)
    users = UserRange("joined" if "user" in sources else "no")
    return container.replace(namespaces=(*container.namespaces, *sources.items()), network=network, private_users=users)


def pinned_kinds(container: Container) -> tuple[str, ...]:
    """The kinds of namespaces that the pod *container* keeps: what is shared, and the ids that it belongs to."""
    return container.share if container.private_users.mode == "no" else ("user", *container.share)


def operations(definition: Definition, facts: Facts) -> list[Operation]:
    """What makes the namespaces of a pod."""
    container = definition.container
    start, count = facts.user_range
    planned: list[Operation] = [
        *([namespaces.UserNamespace(str(start), str(count))] if count else []),
        namespaces.Namespaces(container.share),
    ]
    if "uts" in container.share:
        planned.append(process.Hostname(container.hostname or ""))
    if "net" in container.share:
        planned.append(process.Loopback())
    parameters = open_network(facts) if "net" in container.share else {}
    planned += [mounts.Sysctl(key, value) for key, value in (parameters | dict(container.sysctls)).items()]
    if facts.network_program:
        from nsunit.setup.attach import Network

        planned.append(Network(facts.interpreter, facts.network_program, facts.network_directory, facts.locks))
    return planned


def directives(definition: Definition, facts: Facts, pins: str) -> tuple[Directive, ...]:
    """The service of a pod: it has no process, and is there as long as the namespaces pinned in *pins* are."""
    base = facts.runtime_base + "/"
    own = (facts.runtime_directory, facts.network_directory)
    directories = tuple(directory.removeprefix(base) for directory in own if directory)
    program = (facts.interpreter, "-I", facts.helper)
    # However it ends, also where the start failed half-way.
    ends = [(*program, "remove", pins, facts.locks)]
    if facts.network_program:
        ends.insert(0, (*program[:2], facts.network_program, "detach", facts.network_directory, facts.locks))
    return (
        directive("Unit", "Description", f"Pod {definition.name}", "s"),
        directive("Service", "Type", "oneshot", "s"),
        switch("Service", "RemainAfterExit"),
        directive("Service", "NotifyAccess", "all", "s"),
        directive("Service", "Slice", group_slice(group_of_pod(definition.name)), "s"),
        _command("ExecStart", (*program, "make", pins, facts.locks, facts.runtime_directory)),
        *(_command("ExecStopPost", argv) for argv in ends),
        Directive(
            "Service", "RuntimeDirectory", " ".join(directories), Property("RuntimeDirectory", "as", directories)
        ),
        Directive("Service", "RuntimeDirectoryMode", "0700", Property("RuntimeDirectoryMode", "u", 0o700)),
        usec("TimeoutStartSec", 60),
        usec("TimeoutStopSec", 30),
        directive("Service", "SyslogIdentifier", definition.name, "s"),
    )


def boot_directives(facts: Facts, boot_directory: str) -> tuple[Directive, ...]:
    """What that service needs besides in order to start at boot: all it is started from in place."""
    copies = [("/bin/cp", "-rT", boot_directory, facts.runtime_directory)]
    if facts.network_directory:
        copies.append(("/bin/cp", "-rT", f"{boot_directory}/network", facts.network_directory))
    return (
        Directive("Unit", "RequiresMountsFor", boot_directory, Property("RequiresMountsFor", "as", (boot_directory,))),
        *(_command("ExecStartPre", argv) for argv in copies),
    )


def pod_unit(definition: Definition, facts: Facts, pins: str) -> Unit:
    """The same for StartTransientUnit."""
    return Unit(service_name(definition.name), tuple(item.property for item in directives(definition, facts, pins)))


def _command(key: str, argv: tuple[str, ...]) -> Directive:
    return Directive("Service", key, " ".join(argv), Property(key, "a(sasb)", ((argv[0], argv, False),)))
