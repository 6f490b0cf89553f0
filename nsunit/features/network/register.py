"""Who has which addresses and ports: the attachments of all containers, as they are noted in files."""

from __future__ import annotations

import _socket  # the C half of socket: the Python half imports enum
import errno

from nsunit import jsontext
from nsunit.addresses import has_six
from nsunit.core.running import find_running
from nsunit.definition.search import find
from nsunit.digest import hex_digest
from nsunit.errors import DefinitionError, NotFoundError, NsunitError
from nsunit.features import load
from nsunit.features.network.model import attachment as plan
from nsunit.features.network.model.attachment import Attachment, Network
from nsunit.features.network.values import of
from nsunit.storage import files
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from nsunit.core.context import Context
    from nsunit.definition.model import Container
    from nsunit.features.network.model.port import Port

    T = TypeVar("T")

DEFAULT_NETWORK = "bridge"
DEFAULT_BRIDGE = "nsunit0"
DEFAULT_SUBNET = "10.91.0.0/24"
DEFAULT_GATEWAY = "10.91.0.1"
LOCK = ".addresses"  # on what is given to whom
_read: dict[str, tuple[bytes, Attachment]] = {}  # what was in each file, and what that says
_SOCKETS = {"tcp": (_socket.SOCK_STREAM, 0), "udp": (_socket.SOCK_DGRAM, 0), "sctp": (_socket.SOCK_STREAM, 132)}


def default_network() -> Network:
    """The network called `bridge`."""
    subnets: tuple[str, ...] = (DEFAULT_SUBNET,)
    gateways: tuple[str, ...] = (DEFAULT_GATEWAY,)
    prefix = ula_prefix()
    if prefix:
        subnets, gateways = (*subnets, prefix + "::/64"), (*gateways, prefix + "::1")
    return Network(DEFAULT_NETWORK, DEFAULT_BRIDGE, subnets, gateways)


def ula_prefix() -> str:
    """A unique local prefix of 48 bits (RFC 4193) made from the machine's id; empty where there is no IPv6."""
    if not has_six():
        return ""
    identity = files.read_file("/etc/machine-id") or b""
    digest = hex_digest(b"nsunit network " + identity)
    return f"fd{digest[:2]}:{digest[2:6]}:{digest[6:10]}"


def attachments(context: Context, but: str = "") -> list[Attachment]:
    """The attachments of all containers that run, are being started, or will be at boot; not that of *but*.

    Raises:
        NsunitError: a file holds something else.
    """
    found = []
    enabled = [name for name in files.list_directory(context.paths.states) if context.paths.is_enabled(name)]
    for name in sorted({*files.list_directory(context.paths.networks), *enabled} - {but}):
        item = attachment_of(context, name)
        if item is not None:
            found.append(item)
    return found


class Known:
    """What a command knows of the attachments of others, under the lock, as long as nobody else has changed any.

    A start of many would look at those of all others for each.  *version* is that of `_changes`, *items* has the
    attachments by name, *enabled* the names of those that will be there at boot, and *numbers* which host number in
    which network containers had last, if that was asked.
    """

    def __init__(self, version: bytes | None, items: dict[str, Attachment], enabled: frozenset[str]) -> None:
        self.version = version
        self.items = items
        self.enabled = enabled
        self.numbers: dict[str, dict[str, int]] | None = None


_known: dict[str, Known] = {}  # by the file of `_changes`


def known_attachments(context: Context, name: str) -> Known:
    """`attachments` of all, for who has the lock, and calls `note` before it writes that of *name*.

    Raises:
        NsunitError: the file of another one holds something else.
    """
    path = _changes(context)
    version = files.version_of(path) or files.note_change(path)
    known = _known.get(path)
    if not known or known.version != version:
        found = {item.container: item for item in attachments(context, name)}
        try:
            own = attachment_of(context, name)
        except NsunitError:
            own = None  # it is spoiled, and about to be mended
        found |= {name: own} if own else {}
        enabled = frozenset(filter(context.paths.is_enabled, found))
        known = _known[path] = Known(version, found, enabled)
    there = {*files.list_directory(context.paths.networks), *filter(context.paths.is_enabled, known.enabled)}
    known.items = {other: item for other, item in known.items.items() if other in there}
    return known


def note(context: Context, item: Attachment, directory: str) -> None:
    """Have other commands see that the attachment *item* is about to be written in *directory*, under the lock."""
    path = _changes(context)
    known, before = _known.get(path), files.version_of(path)
    after = files.note_change(path)
    if known and known.version == before:
        known.version = after
        known.items[item.container] = item
        if directory != context.paths.network_of(item.container):
            known.enabled |= {item.container}


def _changes(context: Context) -> str:
    return context.paths.changes + "/addresses"


def attachment_of(context: Context, name: str) -> Attachment | None:
    """The attachment of container *name*, or None where it has none.

    Of one that is just being enabled, and runs or is listened for, it is still that which it has by now.

    Raises:
        NsunitError: its file holds something else.
    """
    paths = context.paths
    path = (paths.boot_network_of(name) if paths.is_enabled(name) else paths.network_of(name)) + "/attachment"
    content = files.read_known(path)
    if content is None and paths.is_enabled(name):
        path = paths.network_of(name) + "/attachment"
        content = files.read_known(path)
    if content is None:
        return None
    known = _read.get(path)
    if known and known[0] is content:
        return known[1]
    try:
        item = plan.from_json(jsontext.loads(content))
    except (ValueError, KeyError, TypeError):
        raise NsunitError(f"'{path}' is not an attachment to a network", hint=f"restart '{name}'") from None
    _read[path] = content, item
    return item


def existing_attachment(context: Context, name: str) -> Attachment:
    """The attachment of container *name*, for who has asked for it by name.

    Raises:
        NotFoundError: it has none: it is not defined, does not run, or is in no network of nsunit's.
    """
    item = attachment_of(context, name)
    if item is not None:
        return item
    try:
        find_running(context, name)
    except NotFoundError:
        find(name, context.search)
        raise
    raise NotFoundError(f"{name}: it is not connected to a network that nsunit makes")


def note_ports(context: Context, name: str, container: Container, directory: str) -> None:
    """Note in *directory* the ports of a container that pasta(1) connects, for who asks what there is."""
    item = Attachment(name, (), of(container).published_ports)
    with Lock(context.paths.locks, LOCK):
        note(context, item, directory)
        files.write_file(directory + "/attachment", jsontext.dumps(plan.to_json(item)).encode())


def again_without_killed(context: Context, deed: Callable[[], T]) -> T:
    """What *deed* returns; where it fails, at the second try, without what commands hold that were killed.

    A foreground `run` takes its addresses and ports back itself, unless it gets SIGKILL.
    """
    try:
        return deed()
    except DefinitionError:
        raise
    except NsunitError:
        if not load("network", "doctor").forget_killed(context):
            raise
    return deed()


def check_ports(context: Context, name: str, ports: tuple[Port, ...]) -> None:
    """See that *ports* are free for container *name*, which is in no network of nsunit's.

    Raises:
        NsunitError: one is taken.
    """
    again_without_killed(context, lambda: check_ports_among(name, ports, attachments(context, name)))


def check_ports_among(
    name: str,
    ports: tuple[Port, ...],
    others: list[Attachment],
    held: tuple[tuple[int, str], ...] = (),
) -> None:
    """`check_ports`, where the attachments of *others* are known; *held* are those that the container has itself."""
    for port in ports:
        taker = plan.clash(port, others)
        if taker:
            raise NsunitError(
                f"{name}: PublishPort=: {port} is published by container '{taker}'", hint="choose another port"
            )
        if (port.host, port.protocol) not in held:
            check_free(name, port)


def check_free(name: str, port: Port) -> None:
    """See that no program on the host has the port.

    Raises:
        NsunitError: one has, or the address is not one of the host's.
    """
    kind, protocol = _SOCKETS[port.protocol]
    for family, any_address in ((_socket.AF_INET, "0.0.0.0"), (_socket.AF_INET6, "::")):
        if port.address and (":" in port.address) != (family == _socket.AF_INET6):
            continue
        try:
            probe = _socket.socket(family, kind, protocol)
        except OSError:
            continue  # no such protocol on this host: nobody can have the port either
        try:
            probe.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
            if family == _socket.AF_INET6:
                probe.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 1)
            probe.bind((port.address or any_address, port.host))
            if kind == _socket.SOCK_STREAM:
                probe.listen()  # with SO_REUSEADDR it is this that another listener forbids
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise NsunitError(
                    f"{name}: PublishPort=: {port} is in use on the host",
                    hint=f"see who has it with 'ss -lnp sport = :{port.host}'",
                ) from None
            if error.errno == errno.EADDRNOTAVAIL and port.address:
                raise NsunitError(
                    f"{name}: PublishPort=: the host has no address '{port.address}'", hint="see 'ip address'"
                ) from None
            if error.errno != errno.EADDRNOTAVAIL:  # IPv6 may be switched off
                raise
        finally:
            probe.close()
