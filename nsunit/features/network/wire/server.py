"""What the server of a network's names is started with, by its unit, before dnsmasq: its argument is the NETWORK.

The bridge has to be there with its addresses, and dnsmasq's configuration beside the file with the names.  Where
systemd-resolved runs, the host asks the server for names in the network's domain, until this is started with `gone`
besides.
"""

from __future__ import annotations

import os
import select

from nsunit import jsontext
from nsunit.addresses import has_six
from nsunit.errors import NsunitError
from nsunit.features.network import program
from nsunit.features.network.model import attachment
from nsunit.features.network.model.server import configuration, directory_of, names_file
from nsunit.features.network.wire import hosts, links
from nsunit.storage import files
from nsunit.storage.paths import Paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.features.network.model.attachment import Network

_RESOLVED = "/run/systemd/resolve/io.systemd.Resolve"  # which is there while it runs
_RESOLVECTL = "/usr/bin/resolvectl"
_PATIENCE_MSEC = 3000  # containers wait for the server, and it for this


def main(argv: list[str]) -> int:
    """Do it, and return the exit status; an error is one line on standard error."""
    try:
        if argv[2:] == ["gone"]:
            ask_no_more(read(argv[1], Paths()))
        else:
            prepare(argv[1], Paths())
    except (NsunitError, OSError, ValueError, KeyError, TypeError) as error:
        os.write(2, f"{error}\n".encode())
        return 1
    return 0


def prepare(name: str, paths: Paths) -> None:
    """Make all that serves the names of network *name*.

    Raises:
        NsunitError: the kernel refused it.
        OSError, ValueError, KeyError, TypeError: no container has been in such a network.
    """
    network = read(name, paths)
    with program.locked(paths.locks):
        links.ensure_bridge(network)
    directory, told = directory_of(paths.runtime, name), names_file(paths.runtime, name)
    os.makedirs(os.path.dirname(told), 0o755, exist_ok=True)
    files.write_file(f"{directory}/dnsmasq.conf", configuration(network, paths.runtime).encode(), mode=0o644)
    with program.locked(paths.locks, program.NAMES_LOCK):
        hosts.refresh(paths.locks)
    have_asked(network)


def read(name: str, paths: Paths) -> Network:
    """The network *name* as it was recorded."""
    with open(f"{paths.network_records}/{name}", "rb") as file:
        network = attachment.network_from_json(jsontext.loads(file.read()))
    return network if has_six() else attachment.network_without_six(network)


def have_asked(network: Network) -> None:
    """Have systemd-resolved ask the server for names in the domain of *network*, and for no others.

    The host may insist on DNSSEC and TLS, of which this server has neither.
    """
    addresses = [address.partition("/")[0] for address in network.own_addresses]
    for words in (
        ("dnssec", network.bridge, "no"),
        ("dnsovertls", network.bridge, "no"),
        ("dns", network.bridge, *addresses),
        ("domain", network.bridge, f"~{network.domain}"),
    ):
        if not _tell_resolved(network, *words):
            return  # it has said why, and containers do not ask it


def ask_no_more(network: Network) -> None:
    """Take that back."""
    if os.path.exists(f"/sys/class/net/{network.bridge}"):
        _tell_resolved(network, "revert", network.bridge)


def _tell_resolved(network: Network, *words: str) -> bool:
    if not (network.domain and os.path.exists(_RESOLVED) and os.path.exists(_RESOLVECTL)):
        return False
    pid = os.posix_spawn(_RESOLVECTL, (_RESOLVECTL, *words), os.environ)
    pidfd = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if not poll.poll(_PATIENCE_MSEC):
        os.kill(pid, 9)
        os.write(2, b"systemd-resolved gives no answer: the host does not find containers by name\n")
    os.close(pidfd)
    return os.waitpid(pid, 0)[1] == 0
