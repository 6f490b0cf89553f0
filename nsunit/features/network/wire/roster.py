"""The containers whose hosts files say what all in their network are told, remembered from one change to the next.

A start or stop then reads what is said of the one that comes or goes, and no two files of each of the others; what it
writes is made once for all.  The roster is a cache: where there is none, or somebody is connected whose file says more,
all is read.  It is taken away before anything is changed: who is killed leaves none.
"""

from __future__ import annotations

import os

from nsunit import jsontext
from nsunit.features.names.hosts import HOSTS
from nsunit.setup import overwrite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LINKS = "/sys/class/net"


# A container: its name, the network whose file it has, the inode of its entry in the registry, its directory, the
# host's end of its link, what others are told of it.
Entry = tuple[str, str, int, str, str, str]
# In place of a network: its file depends on nobody, or says more than those of others.  Neither is the name of one.
NOBODY, OTHERS = "", "*"
_ABOUT = 4  # fields between name and lines


class Roster:
    """All that are connected, by name.

    *changed* are the networks whose files have to follow; *lost* tells whether somebody has left nothing but a name.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries = {entry[0]: entry for entry in entries}
        self.changed: set[str] = set()
        self.lost = False

    def follow(self, registry: str, read: Callable[[str, int], Entry]) -> bool:
        """Have it follow *registry*, by *read*, which knows the container of a name and an inode there.

        Returns whether it is enough to write the files of what has `changed`: nobody has, or had, one of `OTHERS`.
        """
        with os.scandir(registry) as listed:
            numbers = {entry.name: entry.inode() for entry in listed}
        links = frozenset(("", *os.listdir(LINKS)))
        for name, network, number, _, link, _ in [*self.entries.values()]:
            if numbers.get(name) != number or link not in links:
                del self.entries[name]
                self.changed.add(network)
        for name in numbers.keys() - self.entries.keys():
            try:
                found = self.entries[name] = read(name, numbers[name])
                self.changed.add(found[1])
            except FileNotFoundError:
                self.lost = True  # it leaves just now, or ended together with what should have taken its name away
        is_enough = OTHERS not in self.changed and all(entry[1] != OTHERS for entry in self.entries.values())
        self.changed = self.changed - {NOBODY} if is_enough else set()
        return is_enough

    def lines(self, network: str) -> str:
        """What all in *network* are told."""
        there = sorted((entry[0], entry[5]) for entry in self.entries.values() if entry[1] == network)
        return "".join(lines for _, lines in there)

    def write(self, network: str, text: str) -> None:
        """Make *text* what is in the files of all in *network*."""
        content = os.fsencode(text)
        for entry in self.entries.values():
            if entry[1] == network:
                try:
                    fd = os.open(f"{entry[3]}/{HOSTS}", os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                except FileNotFoundError:
                    continue  # its directory went away just now, and it with it
                try:
                    overwrite(fd, content, os.fstat(fd).st_size)
                finally:
                    os.close(fd)


def take(path: str) -> Roster:
    """The roster in the file *path*, which is gone then; an empty one where there is none that can be used."""
    try:
        with open(path, "rb") as file:
            content = file.read()
        os.unlink(path)
        found = [(name, *about, lines) for name, *about, lines in jsontext.loads(content) if len(about) == _ABOUT]
        return Roster(found)
    except (FileNotFoundError, TypeError, ValueError):
        return Roster()  # or who wrote it was killed, or of another version


def keep(roster: Roster, path: str) -> None:
    """Keep *roster* in the file *path*; what is not written whole is none."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(jsontext.dumps([*roster.entries.values()]).encode())
