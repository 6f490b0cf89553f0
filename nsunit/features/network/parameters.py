"""Kernel parameters (`Sysctl=`) that are about the interfaces of a container's networks.  Pure.

The interfaces come when the container is attached, after all other parameters are set; so they are set by what attaches
it, and again by what repairs it.
"""

from __future__ import annotations

from nsunit.addresses import is_six
from nsunit.definition.values_container import interface_of
from nsunit.features.network.connection import interface_names
from nsunit.features.network.model.attachment import SEPARATORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nsunit.definition.container import Contradiction
    from nsunit.features.network.connection import Connection

    Sysctls = Iterable[tuple[str, str]]

_SWITCH = "net.ipv6.conf.{}.disable_ipv6"


def of_interface(sysctls: Sysctls, interface: str) -> tuple[str, ...]:
    """Those of *interface* as `PATH=VALUE`, with the path below /proc/sys/net."""
    return tuple(f"{_path(name)}={value}" for name, value in sysctls if interface_of(name) == interface)


def _path(name: str) -> str:
    return name.translate(SEPARATORS).removeprefix("net/")


def switch_of_six(sysctls: Sysctls, interface: str) -> str:
    """The parameter that keeps IPv6 away from *interface*; empty where none does."""
    said = dict(sysctls)
    own = _SWITCH.format(interface.replace(".", "/"))
    found = [name for name in (own, _SWITCH.format("all"), _SWITCH.format("default")) if name in said]
    if own in found:
        found = [own]  # set last
    return next((name for name in found if said[name] != "0"), "")


def contradictions(sysctls: Sysctls, connections: Sequence[Connection]) -> list[Contradiction]:
    """What does not fit to the interfaces that *connections* become."""
    names = interface_names(connections)
    found = []
    for interface in dict.fromkeys(interface_of(name) for name, _ in sysctls):
        if interface and interface not in names:
            hint = f"it has {', '.join(names)}, one for each Network= in their order"
            found.append(("Sysctl", f"there is no interface '{interface}'", hint))
    for interface, connection in zip(names, connections, strict=True):
        switch = switch_of_six(sysctls, interface)
        needing = [text for text in (*connection.addresses, *connection.gateways, *connection.routes) if is_six(text)]
        if switch and needing:
            message = f"'{switch}' switches off the IPv6 that '{needing[0]}' needs"
            found.append(("Sysctl", message, "leave out one of the two"))
    return found
