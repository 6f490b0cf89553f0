"""The files of a definition: read as a whole, written under a name, and removed."""

from __future__ import annotations

import errno
import os

from nsunit.definition import read_regular
from nsunit.definition.search import SUFFIX
from nsunit.dropins import files
from nsunit.errors import NsunitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nsunit.definition.search import Found, SearchPath

    Undo = list[Callable[[], object]]

FILE_MAX = 1 << 20  # bytes
# How directories with definitions under way begin, which are beside these and locked: who edits, creates or imports.
EDITED, CREATED, IMPORTED = ".edit-", ".create-", ".import-"


def texts_of(found: Found) -> dict[str, bytes]:
    """The content of the files *found*, by what they are called in a directory of definitions.

    Raises:
        NsunitError: one is too large to be one.
    """
    texts = {os.path.basename(found.main): read(found.main)}
    for path in found.drop_ins:
        texts["/".join(path.split("/")[-2:])] = read(path)
    return texts


def read(path: str) -> bytes:
    """The content of the file *path* of a definition.

    Raises:
        NsunitError: it is too large to be one.
        OSError: it cannot be read, or is no regular file.
    """
    try:
        return read_regular(path, FILE_MAX)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        raise NsunitError(f"'{path}' has more than {FILE_MAX >> 20} MiB") from None


def renamed(texts: Mapping[str, bytes], old: str, new: str) -> dict[str, bytes]:
    """Those of *texts* that are container *old*'s own, and no template's, as *new*'s."""
    own = f"{old}{SUFFIX}"
    return {
        f"{new}{SUFFIX}{path.removeprefix(own)}": text
        for path, text in texts.items()
        if path == own or path.startswith(f"{own}.d/")
    }


def write_all(directory: str, texts: Mapping[str, bytes], undo: Undo) -> None:
    """Write *texts* into *directory*, drop-ins first: a definition is there when it is whole."""
    for path in sorted(texts, key=lambda item: "/" not in item):
        place = f"{directory}/{path}"
        before = files.read(place)
        if before != texts[path]:
            undo.append(lambda place=place, before=before: files.restore(place, before))  # type: ignore[misc]
            files.write(place, texts[path])


def own_files(name: str, search: SearchPath) -> list[str]:
    """The files that define container *name* alone and that are the administrator's or user's, drop-ins last."""
    found = []
    for directory in search.directories:
        if directory.startswith("/usr/lib/") or not os.access(directory, os.W_OK):
            continue
        main = f"{directory}/{name}{SUFFIX}"
        try:
            entries = sorted(os.listdir(f"{main}.d"))
        except (FileNotFoundError, NotADirectoryError):
            entries = []
        found += [main] if os.path.lexists(main) else []
        found += [f"{main}.d/{entry}" for entry in entries if entry.endswith(".conf")]
    return sorted(found, key=lambda path: path.endswith(".conf"))


def remove_own(name: str, search: SearchPath, undo: Undo | None = None) -> list[str]:
    """Remove `own_files`; returns their paths."""
    found = own_files(name, search)
    for path in found:
        before = files.read(path)
        if undo is not None:
            undo.append(lambda path=path, before=before: files.restore(path, before))  # type: ignore[misc]
        files.remove(path)
    return found
