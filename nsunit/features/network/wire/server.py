"""What the server of a network's names is started with: `server.py NETWORK`, by its unit, before dnsmasq.

The bridge has to be there with its addresses, and dnsmasq's configuration beside the file with the names.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":  # started by path: the package stands four directories up
    sys.path.insert(0, os.path.abspath(__file__).rsplit("/", 5)[0])

from nsunit import jsontext
from nsunit.addresses import has_six
from nsunit.errors import NsunitError
from nsunit.features.network import program
from nsunit.features.network.model import attachment
from nsunit.features.network.model.server import configuration, directory_of, names_file
from nsunit.features.network.wire import hosts, links
from nsunit.storage import files
from nsunit.storage.paths import Paths


def main(argv: list[str]) -> int:
    """Do it, and return the exit status; an error is one line on standard error."""
    try:
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
    with open(f"{paths.network_records}/{name}", "rb") as file:
        network = attachment.network_from_json(jsontext.loads(file.read()))
    if not has_six():
        network = attachment.network_without_six(network)
    with program.locked(paths.locks):
        links.ensure_bridge(network)
    directory, told = directory_of(paths.runtime, name), names_file(paths.runtime, name)
    os.makedirs(os.path.dirname(told), 0o755, exist_ok=True)
    files.write_file(f"{directory}/dnsmasq.conf", configuration(network, paths.runtime).encode(), mode=0o644)
    with program.locked(paths.locks, program.NAMES_LOCK):
        hosts.refresh(paths.locks)


if __name__ == "__main__":
    os._exit(main(sys.argv))
