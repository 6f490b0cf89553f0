"""The keys of [Container] about names and name servers.  Rows as in `setting.Row`, without a D-Bus property.

Most definitions have none of them, so the module is imported when one is met; what they say is collected in the
record `values_names.Names`.
"""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.values_names import (
    added_hosts,
    aliases,
    domains,
    exposed_ports,
    links,
    options,
    servers,
    tunnels,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.setting import Row
    from nsunit.definition.values import Parser


def _own(parse: Parser, syntax: str, text: str, example: str) -> Row:
    return own(parse, True, syntax, text, example)


NAMES: dict[str, Row] = {
    "NetworkAlias": _own(
        aliases, "NAME…", "Further names by which the containers of its networks find it.", "db database"
    ),
    "AddHost": _own(added_hosts, "NAME:ADDRESS…", "Further lines of its /etc/hosts.", "printer:192.0.2.9"),
    "ExposedPort": _own(
        exposed_ports, "PORT[/PROTOCOL]…", "Ports it serves, told to containers that are linked with it.", "5432"
    ),
    "Link": _own(
        *(links, "NAME[:ALIAS]…"),
        *(
            "Containers of its networks that run before it and as long as it; it gets variables for them.",
            "db:DB",
        ),
    ),
    "Tunnel": _own(
        *(tunnels, "NAME:PORT[:PORT|:PATH]…"),
        *("Sockets inside that lead to a port of another container, in whatever network.", "db:5432"),
    ),
    "DNS": _own(servers, "ADDRESS…", "Name servers, instead of the host's.", "9.9.9.9 2620:fe::fe"),
    "DNSSearch": _own(
        domains, "DOMAIN…|.", "Domains in which short names are looked up; none if it is a dot.", "example.org"
    ),
    "DNSOption": _own(options, "OPTION…", "Options of the resolver, resolv.conf(5).", "ndots:2 timeout:1"),
}
