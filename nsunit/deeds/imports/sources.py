"""The files that an import is about: those that are named, those in directories, or in the places of a format."""

from __future__ import annotations

import fnmatch
import os

from nsunit.definition import read_regular
from nsunit.errors import NsunitError, UsageError
from nsunit.names import base_directory, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nsunit.imports import Format

FILES_MAX = 10_000
_OF_ROOTS = ("usr", "bin", "sbin")


def gather(kind: Format, sources: Sequence[str], *, user: bool, environ: dict[str, str]) -> list[tuple[str, str]]:
    """The texts of all files of *kind* in *sources*, or in its places where none is named, with their paths.

    Raises:
        NsunitError: one cannot be read, or there is none.
        UsageError: none is named, and *kind* has no places.
    """
    paths = [path for source in sources for path in _files_of(source, kind)]
    if not sources:
        paths = _in_places(kind, user=user, environ=environ)
    if not paths:
        where = " ".join(sources) or (kind.users_places if user else kind.places)
        hint = f"its files are called {', '.join(kind.files.split())}"
        if not where:
            raise UsageError(
                f"import {kind.name}: a file or directory is missing", hint=f"it has no place of its own; {hint}"
            )
        raise NsunitError(f"there are no files of {kind.name} in {printable(where)}", hint=hint)
    if len(paths) > FILES_MAX:
        raise NsunitError(f"more than {FILES_MAX} files", hint="name fewer of them")
    found = ((path, _text_of(path, links=kind.links)) for path in dict.fromkeys(paths))
    return [(path, text) for path, text in found if text is not None]


def read(path: str) -> str | None:
    """The text of a file that another one names; None where there is none.

    Raises:
        NsunitError: it cannot be read.
    """
    return _text(path) if os.path.lexists(path) else None


def entries(path: str) -> tuple[str, ...] | None:
    """The names in the directory *path*, sorted; None where there is none."""
    try:
        return tuple(sorted(os.listdir(path)))
    except OSError:
        return None


def _text(path: str, *, links: bool = False) -> str | None:
    """The text of a file; what is not UTF-8 in it is replaced, and told by whoever reads it."""
    if links and _is_lead(path):
        return os.path.realpath(path)
    if os.path.realpath(path) == "/dev/null":
        return None  # masked
    try:
        return read_regular(path).decode(errors="surrogateescape")
    except OSError as error:
        raise NsunitError(f"'{printable(path)}': {error.strerror}", hint="name a text file that can be read") from error


def _text_of(path: str, *, links: bool) -> str | None:
    return "" if path.endswith(("/", ".raw")) else _text(path, links=links)


def _is_lead(path: str) -> bool:
    """Whether *path* is a link to a directory, or to what is not there."""
    return os.path.islink(path) and not os.path.isfile(path)


def _files_of(source: str, kind: Format) -> list[str]:
    if kind.roots and _is_root(source):
        return [_root(source)]
    if os.path.isdir(source):
        return list(_within(os.path.abspath(source), kind))
    if not os.path.lexists(source):
        raise UsageError(f"'{printable(source)}' does not exist", hint=f"name files or directories of {kind.name}")
    path = os.path.abspath(source)
    return [path, *(_drop_ins(path) if kind.drop_ins else ())]


def _within(directory: str, kind: Format) -> Iterator[str]:
    """The files of *kind* in *directory*, with their drop-ins, sorted."""
    try:
        entries = sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        path = os.path.join(directory, entry)
        if kind.roots and _is_root(path):
            if not entry.startswith("."):  # machinectl(1) hides them: they are layers of others, or downloads
                yield _root(path)
        elif os.path.isdir(path) and not (kind.links and os.path.islink(path)):
            if kind.drop_ins and entry.endswith(".d"):
                yield from _conf(path) if _has_drop_ins(entry, kind) else ()
            elif kind.deep:
                yield from _within(path, kind)
            else:
                yield from _below(path, kind)
        elif any(_is_like(path, pattern) for pattern in kind.files.split()):
            yield path


def _below(path: str, kind: Format) -> Iterator[str]:
    """The files in the directory *path* that are taken with its name: `NAME/FILE`."""
    for pattern in kind.files.split():
        folder, slash, name = pattern.partition("/")
        if slash and fnmatch.fnmatch(os.path.basename(path), folder) and os.path.lexists(os.path.join(path, name)):
            yield os.path.join(path, name)


def _has_drop_ins(folder: str, kind: Format) -> bool:
    """Whether files in *folder*, `web.container.d` or `container.d`, are drop-ins of files of *kind*."""
    name = folder.removesuffix(".d")
    return any(fnmatch.fnmatch(text, pattern) for pattern in kind.files.split() for text in (name, f".{name}"))


def _is_root(path: str) -> bool:
    """Whether *path* is a root, or what has its layers: a directory with the system's own, NAME.mstack, NAME.raw."""
    if os.path.isdir(path):
        return path.rstrip("/").endswith(".mstack") or any(os.path.isdir(os.path.join(path, n)) for n in _OF_ROOTS)
    return path.endswith(".raw") and os.path.isfile(path)


def _root(path: str) -> str:
    path = os.path.abspath(path)
    return path + "/" if os.path.isdir(path) else path


def _is_like(path: str, pattern: str) -> bool:
    """Whether the name of the file at *path*, with that of its directory where *pattern* has one, is like that."""
    return fnmatch.fnmatch("/".join(path.rsplit("/", 2)[-1 - pattern.count("/") :]), pattern)


def _drop_ins(path: str) -> Iterator[str]:
    """The drop-ins of one file: of all directories beside it that may have some."""
    folder, name = os.path.split(path)
    ending = name.rpartition(".")[2]
    for entry in sorted(os.listdir(folder)):
        if entry.endswith(f"{ending}.d") and os.path.isdir(os.path.join(folder, entry)):
            yield from _conf(os.path.join(folder, entry))


def _conf(folder: str) -> Iterator[str]:
    for entry in sorted(os.listdir(folder)):
        if entry.endswith(".conf"):
            yield os.path.join(folder, entry)


def _in_places(kind: Format, *, user: bool, environ: dict[str, str]) -> list[str]:
    """Of files with the same name, that in the first of the places."""
    found: dict[str, str] = {}
    for place in (kind.users_places if user else kind.places).split():
        directory = _expanded(place, environ)
        if not directory:
            continue
        directory = os.path.abspath(directory)
        for path in _within(directory, kind):
            if directory == "/etc/containers/systemd" and path.startswith(f"{directory}/users/"):
                continue  # those of users
            folder = os.path.basename(os.path.dirname(path))
            key = f"{folder}/{os.path.basename(path)}" if folder.endswith(".d") else os.path.basename(path)
            found.setdefault(key, path)
    return list(found.values())


def _expanded(place: str, environ: dict[str, str]) -> str:
    first, slash, rest = place.partition("/")
    if first == "$XDG_CONFIG_HOME":
        home = base_directory(environ, "XDG_CONFIG_HOME", f"{environ.get('HOME', '')}/.config")
        return f"{home}/{rest}"
    if first.startswith("$"):
        value = base_directory(environ, first[1:], "")
        return f"{value}{slash}{rest}" if value else ""
    return place.replace("$UID", str(os.getuid()))
