"""The verbs about networks: port, network, capture."""

from __future__ import annotations

from nsunit.cli.verbs import Verb

# What `network` does, by its first operand.
ACTIONS = {
    "list": "nsunit.cli.network.overview:list_networks",
    "inspect": "nsunit.cli.network.overview:inspect",
    "create": "nsunit.cli.network.define:create",
    "rm": "nsunit.cli.network.define:remove",
    "prune": "nsunit.cli.network.upkeep:prune",
    "check": "nsunit.cli.network.upkeep:check",
    "repair": "nsunit.cli.network.upkeep:repair",
}
ALIASES = {"ls": "list"}

VERBS = (
    Verb(
        "port",
        "look",
        "Show the ports that containers publish",
        "nsunit.cli.network.port:port",
        operands="[NAME…] [PORT[/PROTOCOL]]",
        most=None,
        complete="running",
        details=(
            "With a PORT of a container's, such as 80 or 53/udp, behind the names: where that one is on the host. The "
            "protocol is tcp unless it is said.",
        ),
        before="why",
    ),
    Verb(
        "network",
        "host",
        "Manage networks, and check what is connected to them",
        "nsunit.cli.network.network:network",
        operands="[list|inspect [NAME…]|create NAME [KEY=VALUE…]|rm NAME…|prune|check|repair]",
        most=None,
        complete="networks",
        details=(
            "list, or ls, shows all networks, inspect what is connected to them. create writes NAME.network.nsunit "
            "below /etc/nsunit, see nsunit.network(5); rm takes it away again, with the bridge, once no container is "
            "in it. prune removes the bridges, and at last the firewall rules, that no container needs; the next start "
            "makes them anew.",
            "check compares bridges, links and firewall rules with what there should be, and exits with 1 if something "
            "is wrong; repair puts it right, without touching what is.",
        ),
        before="doctor",
    ),
    Verb(
        "capture",
        "look",
        "Watch the packets of a container with the host's tcpdump",
        "nsunit.cli.network.capture:capture",
        operands="NAME [WORD…]",
        least=1,
        most=None,
        command_at=0,
        complete="running",
        details=(
            "Runs tcpdump(8) with the WORDs in the container's network, from the caller's directory: 'nsunit capture "
            "web -i eth0 -w web.pcap port 80'. Exits as exec does.",
        ),
        before="doctor",
    ),
)
