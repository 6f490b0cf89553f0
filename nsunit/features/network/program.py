"""What attaches a container to its networks, and the program that detaches it: `detach DIRECTORY LOCKS`.

The helper forks a process that attaches it, while it makes the container's namespaces; systemd starts the program
(ExecStopPost=) however the container has ended, unless a `stop` has detached it by then.  DIRECTORY is the container's
network directory, in which the file `attachment` is.

From before there is anything of it on the host, until all of that is gone, there is the file `attached_path`.  Who
detaches a container that has ended has it locked.
"""

from __future__ import annotations

import fcntl
import os

from nsunit import jsontext
from nsunit.addresses import has_six
from nsunit.digest import hex_digest
from nsunit.errors import NsunitError
from nsunit.features import load
from nsunit.features.network.model import attachment, firewall, flows
from nsunit.features.network.model.attachment import attached_path
from nsunit.features.network.wire import hosts, removal, ruleset
from nsunit.storage.files import discard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# In the directory of locks, beside those of containers, whose names begin with a letter or digit.
LOCK = ".network"  # on the host's links and rules
NAMES_LOCK = ".names"  # on the files with the names of others


def main(argv: list[str]) -> int:
    """Detach, and return the exit status; an error is one line on standard error."""
    return _told(lambda: detach(read(*argv[2:]), argv[3]))


def connect(directory: str, locks: str, process: Callable[[], int]) -> int:
    """Attach the container of *directory* to the namespaces of the *process*, which is waited for, 0 if there is none.

    What the host has to have is made before.  Returns the exit status; an error is one line on standard error.
    """

    def deed() -> None:
        item = read(directory, locks)
        item = item if has_six() else attachment.without_six(item)
        note_attached(item.container, locks)
        make_way(item, locks)
        if pid := process():
            attach(item, f"/proc/{pid}/ns/net", locks)
            try:
                make_known(directory, locks)
            except BaseException:
                detach(item, locks)
                raise

    return _told(deed)


def _told(deed: Callable[[], None]) -> int:
    try:
        deed()
    except (NsunitError, OSError) as error:
        os.write(2, f"{error}\n".encode())
        return 1
    return 0


def read(directory: str, locks: str) -> attachment.Attachment:
    """The attachment in *directory*."""
    with open(directory + "/attachment") as file:
        return with_rates(attachment.from_json(jsontext.loads(file.read())), locks)


def note_attached(container: str, locks: str) -> None:
    """Have the file of *container* there, a new one: who has opened that of its last run detaches nothing of this one.

    Who detaches it just now, since systemd has given up waiting for that, is waited for.
    """
    path = attached_path(container, locks)
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    while True:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            return
        except FileExistsError:
            pass
        try:
            with open(path, "rb") as file:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX)
                if os.fstat(file.fileno()).st_nlink:
                    os.unlink(path)
        except FileNotFoundError:
            continue  # who detached it has just ended


def make_way(item: attachment.Attachment, locks: str) -> None:
    """Make the bridges and rules of *item*: the rules come before the links, as nothing may pass without them.

    Raises:
        NsunitError: the kernel or nft refused it.
    """
    if item.interfaces:
        with locked(locks):
            for interface in item.interfaces:
                load("network", "wire.links").ensure_bridge(interface.network)
        guard(item, locks, new=True)


def attach(item: attachment.Attachment, namespace: str, locks: str, *, again: bool = False) -> None:
    """Attach *item*, whose way is made, to the network namespace at path *namespace*; what is left is replaced.

    With *again* it runs, and of its links of the host's it has lost none.

    Raises:
        NsunitError: it failed; nothing of it is left.
    """
    links = load("network", "wire.links")
    namespace_fd = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for interface in item.interfaces:
            links.attach(interface, namespace_fd)
        if item.devices and not again:
            load("network", "wire.devices").attach(item, namespace_fd)
        links.configure((*item.interfaces, *(() if again else item.devices)), namespace_fd)
        if item.egress or item.ingress:
            load("network", "wire.bandwidth").apply(item, namespace_fd)
    except BaseException:
        detach(item, locks)
        raise
    finally:
        os.close(namespace_fd)


def rates_path(container: str, locks: str) -> str:
    """The file with the rates that *container* was given while it runs; it ends with the container."""
    return f"{os.path.dirname(locks)}/containers/{container}/rates"


def with_rates(item: attachment.Attachment, locks: str) -> attachment.Attachment:
    """*item* with the rates that it was given since it was started, if it was."""
    try:
        with open(rates_path(item.container, locks)) as file:
            egress, ingress = (int(number) for number in file.read().split())
    except FileNotFoundError:
        return item
    return item.replace(egress=egress, ingress=ingress)


def change_rates(item: attachment.Attachment, namespace: str, locks: str) -> None:
    """Hold *item*, which runs, to its rates, and to no other ones.

    Raises:
        NsunitError: the kernel or nft refused it.
    """
    guard(item, locks)
    namespace_fd = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        load("network", "wire.bandwidth").change(item, namespace_fd)
    finally:
        os.close(namespace_fd)


def make_known(directory: str, locks: str) -> None:
    """Have the container with the network directory *directory* and those of its networks find each other by name.

    Raises:
        NsunitError: a file does not hold what it should.
    """
    with locked(locks):
        hosts.join(directory, locks)
    _follow(locks)


def _follow(locks: str) -> None:
    """Have the files with the names of others follow the changes that were noted."""
    with locked(locks, NAMES_LOCK):
        lost = hosts.follow(locks)
    if lost:
        with locked(locks):
            hosts.sweep(locks)


def guard(item: attachment.Attachment, locks: str, *, new: bool = False) -> None:
    """Make the rules of *item*, and those that all containers share, as they should be.

    A *new* one has none as a rule.  It only adds its own, unless somebody has changed rules since nsunit did.
    """
    with locked(locks) as lock:
        rules = ruleset.Ruleset()
        before, shared = rules.generation(), firewall.base()
        digest = hex_digest(jsontext.dumps(shared).encode())
        try:
            if not (new and before and ruleset.noted(lock.fd) == (before, digest) and _add(item, rules)):
                _apply([*shared, *firewall.detach(item), *firewall.attach(item)])
        except NsunitError as error:
            # A port may still lead to a container that was killed together with what should have cleaned up after it.
            raise NsunitError(f"{error}; 'nsunit network repair' removes what was left behind") from None
        _note(rules, before, digest, lock.fd)
    if flows.ports(item):
        load("network", "wire.conntrack").forget(item, flows.misses)


def _add(item: attachment.Attachment, rules: ruleset.Ruleset) -> bool:
    """Add the rules of *item*; False where something of it has been left, and nothing is done."""
    if not all(map(rules.lacks, firewall.misplaced(item))):
        return False
    try:
        _apply(firewall.attach(item, new=True))
    except NsunitError:
        return False
    return True


def _apply(items: list[firewall.Item]) -> None:
    load("network", "wire.nft").apply(items)


def _note(rules: ruleset.Ruleset, before: int, digest: str, fd: int) -> None:
    """Note the generation that a transaction has left, unless there was another one's meanwhile."""
    after = rules.generation()
    if before and after == before + 1:
        ruleset.note(fd, after, digest)


def detach_ended(container: str, fd: int, locks: str, wait: Callable[[int], None]) -> None:
    """Detach *container*, which has ended; *fd* is its `attached_path`, opened while it ran, and locked since.

    Nothing is done where its unit has done so, or it has been started again.  *wait* is as for `detach`.

    Raises:
        NsunitError: the kernel refused it.  Its unit tries again, as it does when this process is killed meanwhile.
    """
    if os.fstat(fd).st_nlink:
        detach(read(hosts.directory_of(container, locks), locks), locks, wait)


def detach(item: attachment.Attachment, locks: str, wait: Callable[[int], None] | None = None) -> None:
    """Remove the links and the rules of *item*; done twice is done once.

    The links go first, as nothing may pass without rules.  They are the container's own, and the kernel takes its time
    for each, so others that work on links and rules are not kept waiting meanwhile.  These are waited for by *wait*,
    which is given the descriptor of the lock; without it for long, with systemd's leave.

    Raises:
        NsunitError: the kernel refused it.
    """
    rules = None
    try:
        try:
            _unlink(item)
        finally:
            with locked(locks, wait=wait) as lock:
                hosts.leave(item.container, locks)
                if item.interfaces:
                    rules = ruleset.Ruleset()
                    _unguard(item, rules, lock.fd)
        if flows.ports(item):
            load("network", "wire.conntrack").forget(item, flows.leads_in)
        discard(attached_path(item.container, locks))
    finally:
        _follow(locks)
        if rules:
            rules.close()


def _unlink(item: attachment.Attachment) -> None:
    """Remove the links of *item*: its namespace takes a while to go, and they with it."""
    for link in item.links:
        removal.delete(link)
    if item.devices:
        load("network", "wire.devices").detach(item)


def _unguard(item: attachment.Attachment, rules: ruleset.Ruleset, fd: int) -> None:
    """Remove the rules of *item*: by name, or where that fails after adding once more what may be missing."""
    before, (known, digest) = rules.generation(), ruleset.noted(fd)
    if not rules.remove(item):
        _apply([*firewall.base(), *firewall.detach(item)])
    elif known == before:
        _note(rules, before, digest, fd)


class locked:
    """A lock on what containers share: the transactions of several starts must not be mixed."""

    def __init__(self, directory: str, name: str = LOCK, wait: Callable[[int], None] | None = None) -> None:
        os.makedirs(directory, 0o700, exist_ok=True)
        self._wait = wait
        self.fd = os.open(f"{directory}/{name}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> locked:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                (self._wait or load("network", "wire.lock").lock)(self.fd)
            except BaseException:
                os.close(self.fd)
                raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)
