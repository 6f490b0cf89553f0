"""The process in which a layer is unpacked: its root is the layer, and of root's privileges it has those for files."""

from __future__ import annotations

import os
import sys

from nsunit.definition.values_container import mask_of
from nsunit.errors import NsunitError
from nsunit.record import Record
from nsunit.setup import linux, root
from nsunit.setup.build import Build

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CAPABILITIES = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_MKNOD", "CAP_SETFCAP")


_ANSWER_MAX = 1 << 20
_DONE, _REFUSED = b"+", b"-"


class Ground(Record):
    """What a process works on: its root is *place*/upper, on top of *lowers*, put together at *workspace*.

    *own_users*: it is in the user namespace of a user without privileges.
    """

    workspace: str
    place: str
    lowers: Sequence[str]
    own_users: bool = False


def run(ground: Ground, keep: int, work: Callable[[int], bytes], most: int = _ANSWER_MAX) -> bytes:
    """What *work* returns, *most* bytes at most, called in a process of its own with a descriptor of *ground*.

    *keep* is the one descriptor of the caller's that it has, beside the standard streams.

    Raises:
        OSError: the root cannot be made.
        NsunitError: the process has ended without an answer.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            try:
                enter(ground)
                fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                close_all_but(sorted((keep, writer, fd)))
                give_up_privileges()
            except OSError as error:
                _write(writer, _REFUSED + f"{error.errno or 5} {error.strerror or error}".encode())
            else:
                _write(writer, _DONE + work(fd))
                status = 0
        finally:
            os._exit(status)  # no matter what: there is only one caller
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        found = answer.read(most)
    _, status = os.waitpid(child, 0)
    if found.startswith(_REFUSED):
        number, _, text = found.removeprefix(_REFUSED).decode().partition(" ")
        raise OSError(int(number), text, ground.place)
    if status or not found.startswith(_DONE):
        raise NsunitError("a layer could not be unpacked: the process that did it was killed")
    return found.removeprefix(_DONE)


def _write(fd: int, content: bytes) -> None:
    with os.fdopen(fd, "wb") as file:
        file.write(content)


def enter(ground: Ground) -> None:
    """Make *ground* the root of this process, in a mount namespace of its own."""
    load_all()
    build = Build(ground.workspace)
    build.own_users = ground.own_users
    root.make_workspace(build)
    if ground.lowers:
        root.merge(build, tuple(ground.lowers), ground.place, volatile=True)
    else:
        root.Directory(ground.place + "/upper").prepare(build)
    build.attach_root()
    root.Pivot().execute(build)
    import_no_more()
    os.umask(0)


def load_all() -> None:
    """Have Python load what it loads when that is first used, while the host's files are in sight."""
    for encoding in ("utf-8", "latin-1", "ascii", "unicode_escape"):
        "".encode(encoding)


def import_no_more() -> None:
    """See that what is not imported by now never is: it would come from the layer."""
    for places in (sys.path, sys.path_hooks, sys.meta_path):
        places.clear()


def close_all_but(kept: Sequence[int]) -> None:
    """Close all descriptors but the standard streams and *kept*, which are sorted."""
    first = 3
    for fd in kept:
        linux.close_range(first, fd - 1)
        first = fd + 1
    linux.close_range(first)


def give_up_privileges() -> None:
    """Keep what owners, modes, nodes and file capabilities take, and nothing else."""
    mask = mask_of(CAPABILITIES)
    linux.prctl(linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_CLEAR_ALL)
    linux.drop_bounding_set(mask)
    linux.capset(mask)
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
