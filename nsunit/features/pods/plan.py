"""Pods: the service that keeps what the containers of one share, and how they share it.  Pure."""

from __future__ import annotations

from nsunit.definition.model import UserRange
from nsunit.features.network.plan import commands, connects, files_of
from nsunit.features.pods.definition import share_of
from nsunit.names import group_of_pod, group_slice, pod_name, service_name
from nsunit.plan.operations import early_sysctls, open_network
from nsunit.plan.units import Directive, command, directive, switch, usec
from nsunit.record import Record
from nsunit.setup import namespaces, process
from nsunit.setup.mounts import Sysctl
from nsunit.units import Property, Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container, Definition
    from nsunit.plan.facts import Facts
    from nsunit.setup.mounts import Bind
    from nsunit.setup.operation import Operation


class PodFacts(Record):
    """What a container has to know of its pod: the *kinds* of namespaces that it shares, pinned in *pins*.

    *network* is the network directory of the pod, empty where it has none.
    """

    kinds: tuple[str, ...]
    pins: str
    network: str = ""


def with_others(container: Container, facts: Facts) -> Container:
    """*container* with the namespaces of its pod as its own choice; what changes live does not depend on these."""
    pod: PodFacts | None = facts.extra("pods")
    if pod is None:
        return container
    sources = {kind: f"path:{pod.pins}/{kind}" for kind in pod.kinds}
    network = sources.pop("net", container.network)
    users = UserRange("joined" if "user" in sources else "no")
    found = container.replace(
        namespaces=(*container.namespaces, *sources.items()), network=network, private_users=users
    )
    return found.with_extra("namespaces", container.extra("namespaces"))


def keepers(container: Container) -> tuple[str, ...]:
    """The pod itself, whose service keeps what *container* shares."""
    return (pod_name(container.extra("pods")),)


def mounts(_container: Container, facts: Facts) -> list[Bind]:
    """The files that tell of the pod's network."""
    pod: PodFacts | None = facts.extra("pods")
    return files_of(pod.network) if pod and pod.network else []


def pinned_kinds(container: Container) -> tuple[str, ...]:
    """The kinds of namespaces that the pod *container* keeps: what is shared, and the ids that it belongs to."""
    share = share_of(container)
    return share if container.private_users.mode == "no" else ("user", *share)


def pod_operations(definition: Definition, facts: Facts) -> list[Operation]:
    """What makes the namespaces of a pod."""
    container = definition.container
    share = share_of(container)
    start, count = facts.user_range
    planned: list[Operation] = [
        *([namespaces.UserNamespace(str(start), str(count))] if count else []),
        namespaces.Namespaces(share),
    ]
    if "uts" in share:
        planned.append(process.Hostname(container.hostname or ""))
    if "net" in share:
        planned.append(namespaces.Loopback())
    parameters = open_network(facts) if "net" in share else {}
    planned += [Sysctl(key, value) for key, value in (parameters | early_sysctls(container)).items()]
    return planned + connects(definition, facts)


def pod_directives(definition: Definition, facts: Facts, pins: str, locks: str) -> tuple[Directive, ...]:
    """The service of a pod: it has no process, and is there as long as the namespaces pinned in *pins* are."""
    directories = facts.runtime_directories
    program = (facts.interpreter, "-SI", facts.helper, "features.pods.program")
    # However it ends, also where the start failed half-way.
    ends = [*commands(definition, facts), command("ExecStopPost", (*program, "remove", pins, locks))]
    return (
        directive("Unit", "Description", f"Pod {definition.name}", "s"),
        directive("Service", "Type", "oneshot", "s"),
        switch("Service", "RemainAfterExit"),
        directive("Service", "NotifyAccess", "all", "s"),
        directive("Service", "Slice", group_slice(group_of_pod(definition.name)), "s"),
        command("ExecStart", (*program, "make", pins, locks, facts.runtime_directory)),
        *ends,
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
    copies += [("/bin/cp", "-rT", f"{boot_directory}/network", directory) for directory in facts.directories]
    return (
        Directive("Unit", "RequiresMountsFor", boot_directory, Property("RequiresMountsFor", "as", (boot_directory,))),
        *(command("ExecStartPre", argv) for argv in copies),
    )


def pod_unit(definition: Definition, facts: Facts, pins: str, locks: str) -> Unit:
    """The same for StartTransientUnit."""
    lines = pod_directives(definition, facts, pins, locks)
    return Unit(service_name(definition.name), tuple(item.property for item in lines))


def without_root(_container: Container) -> list[tuple[str, str]]:
    """Why a user without privileges cannot have it, as (message, hint)."""
    message = "[Container] Pod= takes root: only root can mount what its containers share, so that it outlives them"
    return [(message, "use Slice= for common limits, or have root run them as containers of the system")]
