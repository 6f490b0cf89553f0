"""The files hosts and resolv.conf of connected containers, which follow the starts and stops of others.

They are bound into containers, so they are rewritten in place: a new file would not appear there.  Who is connected is
noted by a link for each container, to its network directory; one whose end of the network is gone does not count,
whatever has been left of it.

When many start or stop at once, each notes its change and then waits for its turn to write the files.  Whoever comes
first writes what all of them have noted, and the others find nothing left to do.
"""

from __future__ import annotations

import json
import os

from nsunit.addresses import plain
from nsunit.errors import NsunitError
from nsunit.plan import attachment
from nsunit.plan.hosts import HOSTS, RESOLVER, Member, Neighbours, Place, from_json, own_lines, resolver, to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.plan.attachment import Attachment
    from nsunit.plan.hosts import Naming

NAMING = "names"  # the file with what the definition says
_STUB_RESOLVER = "127.0.0.53"
_UPSTREAM = "/run/systemd/resolve/resolv.conf"


def join(directory: str, locks: str) -> None:
    """Make the container of the network directory *directory* known; `follow` is due then.  The links are locked."""
    registry = _registry(locks)
    os.makedirs(registry, 0o700, exist_ok=True)
    for name in os.listdir(registry):
        if not os.path.exists(f"{registry}/{name}/{NAMING}"):
            os.unlink(f"{registry}/{name}")  # its directory is gone, and it with it
    item = read_naming(directory)
    link = f"{registry}/{item.container}"
    _unlink(link)
    os.symlink(directory, link)
    rewrite(f"{directory}/{RESOLVER}", resolver(item, resolver_of_host(), own_loopback=True))
    _note_change(locks)


def leave(container: str, locks: str) -> None:
    """Forget *container*; `follow` is due then.  The links are locked."""
    if _unlink(f"{_registry(locks)}/{container}"):
        _note_change(locks)


def follow(locks: str) -> None:
    """Have all files follow the changes that were noted, if nobody has done so meanwhile.  The names are locked.

    One that is killed here leaves its work to the next one.
    """
    begun = _changes(locks) + ".begun"
    try:
        os.rename(_changes(locks), begun)  # before anything is read: what is noted from now on is another one's
    except FileNotFoundError:
        if not os.path.exists(begun):
            return
    refresh(locks)
    os.unlink(begun)


def refresh(locks: str) -> None:
    """Write each file that is not as it should be.  The names are locked."""
    for path, text in wanted(locks).items():
        try:
            rewrite(path, text)
        except FileNotFoundError:
            continue  # its directory went away just now, and it with it


def outdated(texts: dict[str, str]) -> list[str]:
    """Those of the hosts files that are not as `wanted` has them, by path."""
    return [path for path, text in texts.items() if _read(path) != text.encode()]


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
    return {
        f"{directory}/{HOSTS}": own_lines(member) + all_of_them.lines_for(member) for directory, member in found.items()
    }


def read_naming(directory: str) -> Naming:
    """What the container of *directory* is called.

    Raises:
        NsunitError: its file holds something else.
        FileNotFoundError: there is none.
    """
    path = f"{directory}/{NAMING}"
    with open(path, "rb") as file:
        content = file.read()
    try:
        return from_json(json.loads(content))
    except (ValueError, KeyError, TypeError):
        raise NsunitError(f"'{path}' does not hold the names of a container", hint="restart it") from None


def naming_file(item: Naming) -> bytes:
    """The content of the file that `read_naming` reads."""
    return json.dumps(to_json(item)).encode()


def resolver_of_host() -> str:
    """The host's resolv.conf; that with the real servers where it only names systemd-resolved's stub."""
    text = _read("/etc/resolv.conf")
    if _STUB_RESOLVER.encode() in text.split():
        text = _read(_UPSTREAM)
    return text.decode("utf-8", "replace")


def rewrite(path: str, text: str) -> None:
    """Give the file at *path* another content and leave it the same file.

    One write(2) does it.  What is longer in the old content is overwritten by empty lines first and cut off then, so
    whoever reads meanwhile finds no half of a line.
    """
    content = text.encode()
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        before = os.pread(fd, os.fstat(fd).st_size, 0)
        if before == content:
            return
        padded = content.ljust(len(before), b"\n")
        if os.pwrite(fd, padded, 0) != len(padded):
            raise OSError(28, os.strerror(28), path)  # ENOSPC
        os.ftruncate(fd, len(content))
    finally:
        os.close(fd)


def _member(directory: str) -> Member:
    with open(f"{directory}/attachment", "rb") as file:
        item = attachment.from_json(json.load(file))
    return Member(read_naming(directory), _places(item))


def _places(item: Attachment) -> tuple[Place, ...]:
    """Where *item* is connected, as far as the kernel still has the links; nobody is named to those of the host's."""
    networks = tuple(
        Place(
            "" if interface.network.isolated else interface.network.name,
            tuple(address for _, address in interface.by_family),
            interface.network.domain,
        )
        for interface in item.interfaces
        if os.path.exists(f"/sys/class/net/{interface.link}")
    )
    own = tuple(plain(address) for device in item.devices for address in device.addresses)
    return (*networks, Place("", own)) if own else networks


def _registry(locks: str) -> str:
    return os.path.dirname(locks) + "/connected"


def _changes(locks: str) -> str:
    return os.path.dirname(locks) + "/connected.changed"


def _note_change(locks: str) -> None:
    os.close(os.open(_changes(locks), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


def _unlink(path: str) -> bool:
    """Remove it, and return whether it was there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # the host's is usually a symbolic link
            return file.read()
    except FileNotFoundError:
        return b""
