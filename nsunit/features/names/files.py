"""The files hosts and resolv.conf on disk, and what a container is called, as its network directory has it."""

from __future__ import annotations

from nsunit import jsontext
from nsunit.definition import read_regular
from nsunit.errors import NsunitError
from nsunit.features.names.hosts import behind, from_json, is_reachable, servers_of, to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.features.names.hosts import Naming

NAMING = "names"  # the file with what the definition says
# Where those who answer on the host's loopback say whom they ask: systemd-resolved, NetworkManager, Debian's dnsmasq.
_UPSTREAM = (
    "/run/systemd/resolve/resolv.conf",
    "/run/NetworkManager/no-stub-resolv.conf",
    "/run/dnsmasq/resolv.conf",
)


def read_naming(directory: str) -> Naming:
    """What the container of *directory* is called.

    Raises:
        NsunitError: its file holds something else.
        FileNotFoundError: there is none.
    """
    path = f"{directory}/{NAMING}"
    content = read_regular(path)
    try:
        return from_json(jsontext.loads(content))
    except (ValueError, KeyError, TypeError):
        raise NsunitError(f"'{path}' does not hold the names of a container", hint="restart it") from None


def naming_file(item: Naming) -> bytes:
    """The content of the file that `read_naming` reads."""
    return jsontext.dumps(to_json(item)).encode()


def resolver_of_host() -> str:
    """The host's resolv.conf; where that only names a server of the host itself, with those that it asks."""
    text = read("/etc/resolv.conf").decode("utf-8", "replace")
    if not any(map(is_reachable, servers_of(text))):
        for path in _UPSTREAM:
            upstream = read(path).decode("utf-8", "replace")
            if any(map(is_reachable, servers_of(upstream))):
                return behind(text, upstream)
    return text


def host_lacks_servers() -> tuple[str, ...]:
    """The name servers of the host, where it has some and a container could ask none of them."""
    servers = servers_of(resolver_of_host())
    return () if any(map(is_reachable, servers)) else tuple(servers)


def read(path: str) -> bytes:
    """The content of a file, empty if there is none."""
    try:
        return read_regular(path)  # the host's is usually a symbolic link
    except FileNotFoundError:
        return b""
