"""The options of mounts, as runtime-spec and runc know them."""

from __future__ import annotations

from nsunit.oci.spec.fields import wrong
from nsunit.record import Record
from nsunit.setup import linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

RDONLY, NOSUID, NODEV, NOEXEC = 1, 2, 4, 8
NOATIME, STRICTATIME, NODIRATIME, NOSYMFOLLOW, ATIME = 0x10, 0x20, 0x80, 0x200000, 0x70
MS_UNBINDABLE = 1 << 17

# word: attributes of mount_setattr(2) that it sets, and that it clears
ATTRIBUTES = {
    "ro": (RDONLY, 0),
    "rw": (0, RDONLY),
    "nosuid": (NOSUID, 0),
    "suid": (0, NOSUID),
    "nodev": (NODEV, 0),
    "dev": (0, NODEV),
    "noexec": (NOEXEC, 0),
    "exec": (0, NOEXEC),
    "noatime": (NOATIME, 0),
    "atime": (0, NOATIME),
    "strictatime": (STRICTATIME, 0),
    "nostrictatime": (0, ATIME),
    "relatime": (0, ATIME),
    "norelatime": (0, 0),
    "nodiratime": (NODIRATIME, 0),
    "diratime": (0, NODIRATIME),
    "nosymfollow": (NOSYMFOLLOW, 0),
    "symfollow": (0, NOSYMFOLLOW),
}
PROPAGATION = {
    "private": linux.MS_PRIVATE,
    "shared": linux.MS_SHARED,
    "slave": linux.MS_SLAVE,
    "unbindable": MS_UNBINDABLE,
}
PROPAGATION |= {f"r{name}": flag | linux.MS_REC for name, flag in list(PROPAGATION.items())}
_NOTHING = frozenset(("defaults", "remount", "auto", "noauto", "user", "nouser", "nofail", "_netdev", "async", "loud"))
_NOTHING |= {"nolazytime", "noiversion", "nomand"}
# Flags of file systems in general, which fsconfig(2) takes as they stand.
_OF_FILE_SYSTEMS = ("dirsync", "iversion", "lazytime", "mand", "silent", "sync")
# All that do not belong to one file system: what `features` tells of.
KNOWN = (
    *ATTRIBUTES,
    *(f"r{word}" for word in ATTRIBUTES),
    *PROPAGATION,
    *("bind", "rbind", "tmpcopyup", "idmap", "ridmap"),
    *_NOTHING,
    *_OF_FILE_SYSTEMS,
)


class Options(Record):
    """What the words of `mounts[].options` say; masks are of mount_setattr(2), *propagation* flags of mount(2)."""

    set: int = 0
    clear: int = 0
    set_all: int = 0
    clear_all: int = 0
    propagation: tuple[int, ...] = ()
    data: tuple[str, ...] = ()
    bind: bool = False
    recursive: bool = False
    copy_up: bool = False
    idmap: str = ""  # or "idmap", "ridmap"


def parse(options: Sequence[str]) -> Options:
    """Sort the words of one mount."""
    masks = {"": [0, 0], "r": [0, 0]}
    propagation: list[int] = []
    data: list[str] = []
    bind = recursive = copy_up = False
    idmap = ""
    for word in options:
        if word in ATTRIBUTES:
            _add(masks[""], *ATTRIBUTES[word])
        elif word[:1] == "r" and word[1:] in ATTRIBUTES:
            _add(masks["r"], *ATTRIBUTES[word[1:]])
        elif word in PROPAGATION:
            propagation.append(PROPAGATION[word])
        elif word in ("bind", "rbind"):
            bind, recursive = True, recursive or word == "rbind"
        elif word == "tmpcopyup":
            copy_up = True
        elif word in ("idmap", "ridmap"):
            idmap = word
        elif word and word not in _NOTHING:  # podman has an empty one for file systems without a context of SELinux
            data.append(word)
    set_, clear = masks[""]
    set_all, clear_all = masks["r"]
    return Options(set_, clear, set_all, clear_all, tuple(propagation), tuple(data), bind, recursive, copy_up, idmap)


def _add(masks: list[int], set_: int, clear: int) -> None:
    if set_ & ATIME:
        masks[0] &= ~ATIME
    masks[0] = masks[0] & ~clear | set_
    masks[1] = masks[1] & ~set_ | clear


def root_propagation(text: str) -> int:
    """The flags of `linux.rootfsPropagation`, 0 where it is not given.

    Raises:
        SpecError: there is no such propagation.
    """
    if not text:
        return 0
    if text not in PROPAGATION:
        raise wrong("linux.rootfsPropagation", f"'{text}' is none of {', '.join(PROPAGATION)}")
    return PROPAGATION[text]
