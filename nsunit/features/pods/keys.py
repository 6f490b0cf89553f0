"""`Pod=` of [Container], and the keys of [Pod]."""

from __future__ import annotations

from nsunit.definition.model import UserRange
from nsunit.definition.setting import own
from nsunit.definition.values import Alone, word_list
from nsunit.definition.values_container import hostname, sysctl
from nsunit.definition.words import wrong
from nsunit.features.groups.keys import group_name
from nsunit.features.identities.keys import private_users
from nsunit.features.names.keys import NAMES
from nsunit.features.network.connection import connection
from nsunit.features.network.keys import RATES
from nsunit.features.network.values import host_ports, published_ports
from nsunit.names import POD_SUFFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.setting import Row

SHARED = ("net", "ipc", "uts")


def pod(text: str) -> str:
    """The name of a pod, with or without `.pod`; `shop-eu` is one within `shop`."""
    return group_name(text, POD_SUFFIX, "pod")


def share(text: str) -> tuple[str, ...]:
    """Kinds of namespaces that live on without a process: `net`, `ipc`, `uts`."""
    found = []
    for word in word_list(text):
        if word == "pid":
            raise wrong(word, "cannot be shared by a pod", "a PID namespace ends with its first process")
        if word not in SHARED:
            raise wrong(word, "is not a kind of namespace that a pod shares", f"there are {', '.join(SHARED)}")
        found.append(word)
    return tuple(kind for kind in SHARED if kind in found)


def network_of_pod(text: str) -> object:
    """`none` or the name of a network."""
    if text == "none":
        return Alone(text)
    if text in ("host", "pasta", "private") or text.startswith(("container:", "path:")):
        raise wrong(text, "is not a network for a pod", "use none, bridge or that of a NAME.network.nsunit")
    return connection(text)


POD: dict[str, Row] = {
    "Share": own(share, False, "net|ipc|uts…", "What its containers share; all three unless given.", "net ipc"),
    "Hostname": own(hostname, False, "NAME", "Host name of its containers; the pod's name unless given.", "shop"),
    "Network": own(network_of_pod, True, "none|bridge|NAME", "The networks it is connected to; or lo only.", "bridge"),
    "PublishPort": own(
        *(published_ports, True, "[ADDRESS:]HOST:CONTAINER[/PROTOCOL]…"),
        *("Ports of the host that lead into it.", "8080:80 [::]:5353:53/udp"),
    ),
    "HostPort": own(host_ports, True, "PORT[/PROTOCOL]…", "Ports of the host it may reach.", "5432 53/udp"),
    "PrivateUsers": own(
        *(private_users, False, "auto|no|identity|START:COUNT"),
        *("User and group ids of all its containers.", "524288:65536"),
    ),
    "Sysctl": own(sysctl, True, "NAME=VALUE", "Kernel parameters of what is shared.", "net.ipv4.ip_default_ttl=32"),
    # A pod's own are not changed while it is there.
    **{key: (*row[:5], False, *row[6:]) for key, row in RATES.items()},
    **NAMES,
}
TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "Pod": own(pod, False, "POD", "Pod whose namespaces and limits it shares.", "shop"),
    },
    "Pod": POD,
}


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Put it into the pod, which is a group as well and has the ids."""
    name = dict(values)["Pod"]
    fields["slice"] = name
    fields["private_users"] = UserRange("joined")
    fields["extras"] |= {"groups": None, "pods": name}
