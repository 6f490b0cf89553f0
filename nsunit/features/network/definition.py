"""Definitions of networks: `shop.network.nsunit`.  Imported only where a network is meant or a container is in one."""

from __future__ import annotations

from nsunit.addresses import is_six, parse_subnet
from nsunit.definition.load import Loader, read_all
from nsunit.definition.search import find_network
from nsunit.definition.syntax import NETWORK_SECTIONS
from nsunit.errors import DefinitionError
from nsunit.features.network.model.port import MTU_MIN_SIX
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.addresses import Subnet
    from nsunit.definition.host import Host
    from nsunit.definition.search import SearchPath


class NetworkDefinition(Record):
    """A checked definition of network *name*; `subnets` is empty where nsunit is to take free ones.

    `gateways` are in the order of `subnets`, and fewer where there is no router for one.  `first_last` are the numbers
    of the first and the last host that a container is given in its subnet, empty for all.
    """

    name: str
    subnets: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    first_last: tuple[int, ...] = ()
    mtu: int = 1500
    internal: bool = False
    isolated: bool = False
    domain: str = ""
    vlan: str = ""
    dns: bool = False
    sources: tuple[str, ...] = ()


_SCALARS = {
    "MTU": "mtu",
    "Internal": "internal",
    "Isolate": "isolated",
    "Domain": "domain",
    "VLAN": "vlan",
    "DNS": "dns",
}


class NetworkLoader(Loader):
    """Takes what a network may say: [Network]."""

    sections = NETWORK_SECTIONS

    def __init__(self, name: str, host: Host) -> None:
        super().__init__(name, host)
        self.values = {letter: text for letter, text in self.values.items() if letter not in "nNi"}

    def network(self, sources: tuple[str, ...]) -> NetworkDefinition:
        """Return the definition.

        Raises:
            DefinitionError: there are problems; it has all of them.
        """
        fields: dict[str, Any] = {"sources": sources}
        subnets: dict[bool, Subnet] = {}
        gateways: dict[bool, str] = {}
        for item in self.items:
            key = item.setting.key
            if key in _SCALARS:
                fields[_SCALARS[key]] = item.value
            elif key == "Subnet":
                subnet = parse_subnet(str(item.value))
                if subnet.six in subnets:
                    family = "IPv6" if subnet.six else "IPv4"
                    self._say(key, f"'{subnet}' is a second subnet of {family}", "make another network, join both")
                subnets[subnet.six] = subnet
            elif key == "Gateway":
                six = is_six(str(item.value))
                if six in gateways:
                    family = "IPv6" if six else "IPv4"
                    self._say(key, f"'{item.value}' is a second gateway of {family}", "leave out one of the two")
                gateways[six] = str(item.value)
        fields["first_last"] = self._range(subnets)
        self._check_gateways(subnets, gateways)
        self._check(fields, subnets)
        if self.problems:
            raise DefinitionError(sorted(dict.fromkeys(self.problems), key=lambda problem: problem.line))
        for six, subnet in subnets.items():
            if not fields.get("vlan"):
                gateways.setdefault(six, subnet.host(1))
        return NetworkDefinition(
            self.name,
            tuple(str(subnet) for subnet in subnets.values()),
            tuple(gateways[six] for six in subnets if six in gateways),
            **fields,
        )

    def _range(self, subnets: dict[bool, Subnet]) -> tuple[int, ...]:
        value = next((item.value for item in self.items if item.setting.key == "Range"), None)
        if not isinstance(value, tuple):
            return ()
        first, last = value
        subnet = subnets.get(is_six(first))
        numbers = tuple(number for end in value if subnet and (number := subnet.number_of(end)) is not None)
        if len(numbers) < 2:
            self._say("Range", f"'{first}-{last}' is not in a subnet of it", "add the Subnet= that both ends are in")
        elif numbers[0] > numbers[1]:
            self._say("Range", f"'{first}-{last}' ends before it begins", f"write {last}-{first}")
        return numbers

    def _check_gateways(self, subnets: dict[bool, Subnet], gateways: dict[bool, str]) -> None:
        for six, gateway in gateways.items():
            subnet = subnets.get(six)
            number = subnet.number_of(gateway) if subnet else None
            if subnet is None or number is None:
                self._say("Gateway", f"'{gateway}' is not in a subnet of it", "add the Subnet= that it is in")
            elif number == 0 or (not six and number == subnet.size - 1):
                self._say("Gateway", f"'{gateway}' is no address of a host", f"use {subnet.host(1)}")

    def _check(self, fields: dict[str, Any], subnets: dict[bool, Subnet]) -> None:
        if fields.get("mtu", MTU_MIN_SIX) < MTU_MIN_SIX and (True in subnets or not subnets):
            self._say("MTU", f"IPv6 needs {MTU_MIN_SIX}", "use more, or only a Subnet= of IPv4")
        if fields.get("vlan") and not subnets:
            self._say("VLAN", "nsunit cannot know which addresses are free there", "add Subnet=, and Range= maybe")
        if fields.get("vlan") and fields.get("internal"):
            self._say("Internal", "a network with VLAN= has a way out", "leave out one of the two")
        if fields.get("vlan") and fields.get("dns"):
            self._say(
                "DNS", "the bridge of a network with VLAN= has no address to answer at", "leave out one of the two"
            )

    def _say(self, key: str, message: str, hint: str) -> None:
        self.blame("Network", key, message, hint)


def load_network(name: str, search: SearchPath, host: Host) -> NetworkDefinition:
    """Read the definition of network *name*: its file and all drop-ins.

    Raises:
        NotFoundError: there is no such definition.
        DefinitionError: it has mistakes or cannot be read; the error lists every one of them.
    """
    found = find_network(name, search)
    loader = NetworkLoader(name, host)
    sources = (found.main, *found.drop_ins)
    read_all(loader, sources)
    return loader.network(sources)


def network_of_text(name: str, text: str, path: str, host: Host) -> NetworkDefinition:
    """What *text* says; *path* is named in problems.

    Raises:
        DefinitionError: it has mistakes.
    """
    loader = NetworkLoader(name, host)
    loader.read(path, text.encode())
    return loader.network((path,))
