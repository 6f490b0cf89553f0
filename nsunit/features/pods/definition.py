"""Definitions of pods: `shop.pod.nsunit`, a group of containers that share namespaces as well.

Imported only where a pod is meant or a container is in one.
"""

from __future__ import annotations

from nsunit.definition.container import without_interfaces
from nsunit.definition.load import Loader, read_all, take_text
from nsunit.definition.model import Container, Definition
from nsunit.definition.search import SLICE_SUFFIX, find, find_group
from nsunit.errors import DefinitionError, NotFoundError, Problem, UsageError
from nsunit.features.names import keys as names
from nsunit.features.network import parameters
from nsunit.features.network.keys import connected_by
from nsunit.features.network.keys import contradictions as contradictions_of_network
from nsunit.features.network.values import of
from nsunit.features.pods.keys import POD, SHARED
from nsunit.names import POD_SUFFIX, check_any_name, group_of_pod, pod_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.host import Host
    from nsunit.definition.load import Given
    from nsunit.definition.search import SearchPath
    from nsunit.units import Property

# Keys of [Container] that are about names in a network.
OF_NETWORK = ("NetworkAlias", "AddHost", "ExposedPort", "Link", "Tunnel", "DNS", "DNSSearch", "DNSOption")
# Which kind a key of [Container] is about.
_KINDS = {
    "Network": "net",
    "PublishPort": "net",
    "HostPort": "net",
    "Egress": "net",
    "Ingress": "net",
    "Activation": "net",
    **dict.fromkeys(OF_NETWORK, "net"),
    "IPCNamespace": "ipc",
    "UTSNamespace": "uts",
    "Hostname": "uts",
    "Domainname": "uts",
}
_USERS = ("PrivateUsers", "UserNamespace", "UIDMap", "GIDMap")
_WORDS = {"net": "network", "ipc": "IPC", "uts": "host name"}


class PodLoader(Loader):
    """Takes what a pod may say: [Pod], [Slice] and [Unit]."""

    whose = "a pod has only [Pod], [Slice] and [Unit]"
    elsewhere = {
        "Container": "each container has a definition of its own, and joins with [Container] Pod=",
        "Service": "limits of the pod belong in [Slice], those of one container in its own definition",
        "Timer": "a timer starts a container, and belongs in its definition",
        "Install": "a pod is there as soon as one of its containers runs",
    }

    def __init__(self, name: str, host: Host) -> None:
        super().__init__(check_any_name(name), host)
        self.group_name = name.removesuffix(POD_SUFFIX)
        self.values = {**self.values, "p": self.group_name}

    def _container(self) -> Container:
        # Host names have fewer characters than names of groups.
        hostname = "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in self.group_name)
        values = self.values_of("Pod")
        fields: dict[str, Any] = {"hostname": hostname.strip("-.") or "pod", "extras": {"share": SHARED}}
        for key, value in values:
            if key == "Share":
                fields["extras"]["share"] = value
            elif key in _SCALARS:
                fields[_SCALARS[key]] = value
        names.build(fields, values)
        fields["extras"]["network"] = connected_by(fields, values)
        extras = tuple(fields.pop("extras").items())
        sysctls = dict(value for key, value in values if key == "Sysctl")
        return Container((), **fields, sysctls=tuple(sysctls.items()), slice=self.group_name, extras=extras)

    def _check_container(self, container: Container, service: tuple[Property, ...], source: str) -> None:
        for key, message, hint in _contradictions(container, dict(self.values_of("Pod"))):
            self.blame("Pod", key, message, hint)


_SCALARS = {"Hostname": "hostname", "PrivateUsers": "private_users"}


def share_of(container: Container) -> tuple[str, ...]:
    """The kinds of namespaces that the containers of the pod *container* share."""
    found: tuple[str, ...] = container.extra("share")
    return found


def _contradictions(container: Container, given: Mapping[str, object]) -> list[Contradiction]:
    """What does not fit together in a pod for which the keys *given* are."""
    found: list[Contradiction] = []
    connected, share = of(container), share_of(container)
    for key in ("Network", "Hostname"):
        if key in given and _KINDS[key] not in share:
            found.append((key, f"its containers do not share the {_WORDS[_KINDS[key]]}", _add(_KINDS[key])))
    if connected.exposed:
        found.append(("PublishPort", "a pod has no image that could say what 'all' is", "name the ports"))
    if container.network != "bridge":
        hint = "add Network=bridge, or leave it out"
        if connected.published_ports:
            found.append(("PublishPort", f"ports cannot be published with Network={container.network}", hint))
        found += [
            (key, f"there is no link to be limited with Network={container.network}", hint)
            for key in ("Egress", "Ingress")
            if key in given
        ]
        if connected.host_ports:
            found.append(("HostPort", f"there is nothing to open with Network={container.network}", hint))
    found += contradictions_of_network(connected)
    if container.network == "bridge":
        found += parameters.contradictions(container.sysctls, connected.connections)
    else:
        found += without_interfaces(container)
    found += names.contradictions(container)
    for parameter, _ in container.sysctls:
        if _kind_of_sysctl(parameter) not in share:
            message = f"its containers do not share what '{parameter}' belongs to"
            found.append(("Sysctl", message, _add(_kind_of_sysctl(parameter))))
    return found


def _add(kind: str) -> str:
    return f"add '{kind}' to Share=, or leave it out"


def _kind_of_sysctl(name: str) -> str:
    return "net" if name.startswith("net.") else "ipc"


def load_pod(name: str, search: SearchPath, host: Host, more: Sequence[Given] = ()) -> Definition:
    """Read the definition of pod *name*, `shop.pod`: its file, all drop-ins, and after them *more*.

    Raises:
        UsageError: *name* is not a pod's name.
        NotFoundError: there is no such definition.
        DefinitionError: it has mistakes or cannot be read; the error lists every one of them.
    """
    loader = PodLoader(name, host)
    found = find(name, search)
    sources = (found.main, *found.drop_ins)
    read_all(loader, sources)
    loader.add(more)
    group = group_of_pod(name)
    limits = find_group(group, search).main
    if limits.endswith(SLICE_SUFFIX):
        hint = f"move its [Slice] into '{found.main}', and remove it"
        loader.problems.append(Problem(limits, 0, f"group '{group}' is the pod '{name}', which has its limits", hint))
    return loader.finish(sources)


def pod_of_text(name: str, text: str, path: str, host: Host, more: Sequence[Given] = ()) -> Definition:
    """`load_text` for a pod."""
    return take_text(PodLoader(name, host), text, path, more)


load, of_text = load_pod, pod_of_text


def refuse_as_container(name: str) -> None:
    """Tell who wants the container *name* that it is a pod.

    Raises:
        UsageError: always.
    """
    hint = f"name one of its containers, or for its limits the group '{group_of_pod(name)}'"
    raise UsageError(f"'{name}' is a pod, not a container", hint=hint)


def check_member(loader: Loader, search: SearchPath) -> None:
    """Note in *loader* what a container that is in a pod says and may not, and what is wrong with its pod."""
    pod = pod_name(str(dict(loader.values_of("Container"))["Pod"]))
    try:
        share = share_of(load_pod(pod, search, loader.host).container)
    except NotFoundError as error:
        loader.blame("Container", "Pod", error.message, error.hint or "")
        return
    except DefinitionError as error:
        loader.problems += error.problems
        return
    given = [(item.setting.key, item.text) for item in loader.items if item.setting.section == "Container"]
    for key, message, hint in member_contradictions(given, pod, share):
        loader.blame("Container", key, message, hint)


def member_contradictions(given: Iterable[tuple[str, str]], pod: str, share: Sequence[str]) -> list[Contradiction]:
    """What of the keys *given* in [Container], with their texts, a member of *pod* may not say; it shares *share*."""
    found: list[Contradiction] = []
    texts = dict(given)
    for key, text in given:
        kind = _KINDS.get(key, "")
        if key == "Slice":
            found.append((key, f"its group is its pod '{pod}'", "leave it out"))
        elif key in _USERS:
            message = f"its user and group ids are those of its pod '{pod}'"
            found.append((key, message, "leave it out, or set PrivateUsers= of the pod"))
        elif kind in share:
            message = f"its {_WORDS[kind]} is that of its pod '{pod}'"
            where = f"put it into [Pod] of {pod}.nsunit" if key in _OF_PODS else "leave it out"
            found.append((key, message, f"{where}, or take '{kind}' out of Share= there"))
        elif key in ("PublishPort", "HostPort", "NetworkAlias") and texts.get("Network", "none") == "none":
            found.append((key, "that takes a network", "add Network=bridge, or leave it out"))
        elif key == "Sysctl":
            name = text.partition("=")[0].strip()
            if _kind_of_sysctl(name) in share:
                message = f"'{name}' belongs to what it shares with its pod '{pod}'"
                found.append((key, message, f"put it into [Pod] of {pod}.nsunit"))
    return list(dict.fromkeys(found))


_OF_PODS = {key for key in _KINDS if key in POD}
