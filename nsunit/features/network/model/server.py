"""The server of a network's names: dnsmasq(8) in the unit `nsunit-names@NETWORK.service`.  Pure.

systemd starts it before the first container of the network and stops it after the last one, since their units want it
and it has StopWhenUnneeded=.  It answers on the bridge's own addresses, by a file that is rewritten as containers come
and go, which it notices itself (inotify(7)); everything else it asks the host's servers.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.features.network.model.attachment import Network

PROGRAM = "/usr/sbin/dnsmasq"
_RUNTIME = "/run/nsunit-names-"  # the unit's own directory, which is there as long as it runs


def unit_of(network: str) -> str:
    """The unit that serves the names of *network*."""
    return f"nsunit-names@{network}.service"


def pid_file(network: str) -> str:
    """The file that is there while it listens."""
    return f"{_RUNTIME}{network}/pid"


def served(runtime: str) -> str:
    """The directory with those of all networks that have one; not below *runtime*, which is root's alone."""
    return f"{runtime}-names"


def directory_of(runtime: str, network: str) -> str:
    """Where nsunit, with its *runtime* directory, tells it what to do."""
    return f"{served(runtime)}/{network}"


def names_file(runtime: str, network: str) -> str:
    """The file with the names, alone in a directory that it watches."""
    return f"{directory_of(runtime, network)}/hosts/containers"


def configuration(network: Network, runtime: str) -> str:
    """What it is to do for *network*, dnsmasq(8).

    Names without a dot are not asked for elsewhere, as systemd-resolved has it, nor names in the network's own domain.
    From an internal network nothing is asked outside, as nothing else gets there.
    """
    addresses = [f"listen-address={address.partition('/')[0]}" for address in network.own_addresses]
    lines = [
        "bind-interfaces",
        "except-interface=lo",
        *addresses,
        f"pid-file={pid_file(network.name)}",
        "no-hosts",
        f"hostsdir={names_file(runtime, network.name).rpartition('/')[0]}",
        "domain-needed",  # also for the other family of a name that it tells: nobody else may say that there is none
        "no-negcache",  # what is not there now may come
        *([f"local=/{network.domain}/"] if network.domain else []),
        *(["no-resolv", "local=/#/"] if network.internal else []),
    ]
    return "".join(f"{line}\n" for line in lines)
