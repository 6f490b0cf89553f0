"""The files hosts and resolv.conf of connected containers, which follow the starts and stops of others.

They are bound into containers, so they are rewritten in place: a new file would not appear there.  Who is connected is
noted by a link for each container, to its network directory; one whose end of the network is gone does not count,
whatever has been left of it.

When many start or stop at once, each notes its change and then waits for its turn to write the files.  Whoever comes
first writes what all of them have noted, and the others find nothing left to do.  Those whose files say the same as all
in their network are known from one change to the next: see `nsunit.features.network.wire.roster`.
"""

from __future__ import annotations

import os

from nsunit import jsontext
from nsunit.addresses import has_six, is_six, plain
from nsunit.features.names.files import NAMING, read, read_naming, resolver_of_host
from nsunit.features.names.hosts import (
    HOSTS,
    RESOLVER,
    Member,
    Neighbours,
    Place,
    common,
    is_alone,
    is_common,
    own_lines,
    resolver,
    seen,
)
from nsunit.features.network.model import attachment
from nsunit.features.network.model.server import names_file, pid_file, served
from nsunit.features.network.wire import roster
from nsunit.setup import write_over
from nsunit.storage.files import discard, list_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.features.network.model.attachment import Attachment
    from nsunit.features.network.wire.roster import Entry, Roster


def join(directory: str, locks: str) -> None:
    """Make the container of the network directory *directory* known; `follow` is due then.  The links are locked."""
    registry = _registry(locks)
    os.makedirs(registry, 0o700, exist_ok=True)
    item = read_naming(directory)
    link = f"{registry}/{item.container}"
    discard(link)
    os.symlink(directory, link)
    text = resolver(item, resolver_of_host(), own_loopback=True, served=_servers(directory))
    write_over(None, f"{directory}/{RESOLVER}", text)
    _note_change(locks)


def leave(container: str, locks: str) -> None:
    """Forget *container*; `follow` is due then.  The links are locked."""
    if discard(f"{_registry(locks)}/{container}"):
        _note_change(locks)


def directory_of(container: str, locks: str) -> str:
    """The network directory of *container*, which is known."""
    return os.readlink(f"{_registry(locks)}/{container}")


def sweep(locks: str) -> None:
    """Forget those whose directory is gone, and they with it.  The links are locked."""
    registry = _registry(locks)
    for name in list_directory(registry):
        if not os.path.exists(f"{registry}/{name}/{NAMING}"):
            os.unlink(f"{registry}/{name}")


def follow(locks: str) -> bool:
    """Have all files follow the changes that were noted, if nobody has done so meanwhile.  The names are locked.

    One that is killed here leaves its work to the next one.  Returns whether a `sweep` is due.
    """
    begun = _changes(locks) + ".begun"
    try:
        os.rename(_changes(locks), begun)  # before anything is read: what is noted from now on is another one's
    except FileNotFoundError:
        if not os.path.exists(begun):
            return False
    path = _changes(locks) + ".known"
    known = roster.take(path)
    if not known.follow(_registry(locks), lambda name, number: _entry(locks, name, number)):
        refresh(locks)
    for network in known.changed:
        _follow_in(network, known, locks)
    roster.keep(known, path)
    os.unlink(begun)
    return known.lost


def _follow_in(network: str, known: Roster, locks: str) -> None:
    """Write the files of all in *network*, which say the same, as they are *known*, and that of its server."""
    lines = known.lines(network)
    known.write(network, common(lines))
    told = names_file(os.path.dirname(locks), network)
    if os.path.isdir(os.path.dirname(told)):
        try:
            write_over(None, told, lines)
        except FileNotFoundError:
            pass  # the server ends just now, and its directory with it


def _entry(locks: str, name: str, number: int) -> Entry:
    """What the roster has of container *name*, whose entry in the registry is *number*."""
    directory = directory_of(name, locks)
    noted = _noted(directory)
    member = Member(read_naming(directory), _places(noted))
    own, link = f"{directory}/{HOSTS}", noted["interfaces"][0]["link"] if noted["interfaces"] else ""
    os.close(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))
    network, lines = roster.OTHERS, ""
    if is_alone(member):
        network = roster.NOBODY
        write_over(None, own, own_lines(member))
    elif is_common(member):
        network = member.places[0].network
        lines = seen(member, frozenset((network,)))
    return name, network, number, directory, link, lines


def refresh(locks: str) -> None:
    """Write each file that is not as it should be.  The names are locked."""
    for path, text in wanted(locks).items():
        try:
            write_over(None, path, text)
        except FileNotFoundError:
            continue  # its directory went away just now, and it with it


def outdated(texts: dict[str, str]) -> list[str]:
    """Those of the hosts files that are not as `wanted` has them, by path."""
    return [path for path, text in texts.items() if read(path) != text.encode()]


def wanted(locks: str) -> dict[str, str]:
    """What there should be in the hosts file of each container that is connected, by path."""
    registry = _registry(locks)
    found: dict[str, Member] = {}
    for name in sorted(os.listdir(registry)) if os.path.isdir(registry) else ():
        try:
            directory = os.readlink(f"{registry}/{name}")
            found[directory] = _member(directory)
        except FileNotFoundError:
            continue  # it leaves just now, or ended together with what should have taken its name away
    all_of_them = Neighbours(found.values())
    texts = {f"{directory}/{HOSTS}": all_of_them.file_of(member) for directory, member in found.items()}
    return texts | _told_by_servers(os.path.dirname(locks), all_of_them)


def _told_by_servers(runtime: str, everyone: Neighbours) -> dict[str, str]:
    """What there should be in the file of each network's server that is there, by path."""
    paths = {network: names_file(runtime, network) for network in list_directory(served(runtime))}
    return {
        path: everyone.lines_within(network) for network, path in paths.items() if os.path.isdir(os.path.dirname(path))
    }


def _servers(directory: str) -> tuple[str, ...]:
    """Where the container of *directory* asks for names: at the first of its networks that has a server."""
    for interface in _attachment(directory).interfaces:
        network = interface.network
        if network.dns and os.path.exists(pid_file(network.name)):
            return network.gateways
    return ()


def _member(directory: str) -> Member:
    return Member(read_naming(directory), _places(_noted(directory)))


def _attachment(directory: str) -> Attachment:
    item = attachment.from_json(_noted(directory))
    return item if has_six() else attachment.without_six(item)


def _noted(directory: str) -> dict[str, Any]:
    """The attachment of *directory* as it is noted there, see `attachment.to_json`."""
    with open(f"{directory}/attachment", "rb") as file:
        found: dict[str, Any] = jsontext.loads(file.read())
    return found


def _places(noted: dict[str, Any]) -> tuple[Place, ...]:
    """Where a container is connected, as far as the kernel still has the links; nobody is named to those of the host's.

    Whoever starts asks this of all that run, so no records are made of what is *noted*.
    """
    networks = tuple(
        Place(
            "" if interface["network"]["isolated"] else interface["network"]["name"],
            _counting(interface["addresses"]),
            interface["network"]["domain"],
        )
        for interface in noted["interfaces"]
        if os.path.exists(f"{roster.LINKS}/{interface['link']}")
    )
    own = tuple(address for device in noted["devices"] for address in _counting(device["addresses"]))
    return (*networks, Place("", own)) if own else networks


def _counting(addresses: list[str]) -> tuple[str, ...]:
    """Those of *addresses* that count here, without their prefix lengths."""
    six = has_six()
    return tuple(plain(address) for address in addresses if six or not is_six(address))


def _registry(locks: str) -> str:
    return os.path.dirname(locks) + "/connected"


def _changes(locks: str) -> str:
    return os.path.dirname(locks) + "/changes/connected"  # see Paths.changes


def _note_change(locks: str) -> None:
    os.makedirs(os.path.dirname(_changes(locks)), 0o700, exist_ok=True)
    os.close(os.open(_changes(locks), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
