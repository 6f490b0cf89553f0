"""Where the project is that somebody works on: its compose files."""

from __future__ import annotations

import os
import stat

from nsunit.deeds.imports import sources
from nsunit.errors import NsunitError
from nsunit.imports import find
from nsunit.imports.compose.variables import environment_file
from nsunit.imports.model import NotCarried
from nsunit.names import printable


def of_project(directory: str, environ: dict[str, str]) -> tuple[str, ...]:
    """What names the compose files of who is in *directory*: those in $COMPOSE_FILE, also in its .env, or a directory.

    That is the first one, of it and those above it, with a compose file; empty if there is none.

    Raises:
        NsunitError: it is one above, where others can put files: they would say what is run with the caller's rights.
    """
    known = {**_variables(os.path.join(directory, ".env")), **environ}
    if named := known.get("COMPOSE_FILE"):
        separator = known.get("COMPOSE_PATH_SEPARATOR") or ":"
        return tuple(os.path.join(directory, path) for path in named.split(separator) if path)
    kind = find("compose")
    assert kind is not None
    here = directory
    while True:
        files = [path for name in kind.files.split() if os.path.isfile(path := os.path.join(directory, name))]
        if files:
            if directory != here and not _is_trusted(directory, environ):
                raise NsunitError(
                    f"'{printable(files[0])}' is in a directory that other users can write to",
                    hint="name it with --file if it is meant, or go there",
                )
            return (directory,)
        above = os.path.dirname(directory)
        if above == directory:
            return ()
        directory = above


def _is_trusted(directory: str, environ: dict[str, str]) -> bool:
    """Whether root and the caller alone, and who is in a group of theirs, can put files into *directory*."""
    trusted = {0, os.geteuid()}
    if not os.geteuid() and (caller := environ.get("SUDO_UID", "")).isdecimal():
        trusted.add(int(caller))  # sudo(8) says who has become root
    status = os.stat(directory)
    return status.st_uid in trusted and not status.st_mode & stat.S_IWOTH


def _variables(path: str) -> dict[str, str]:
    try:
        return environment_file(sources.read(path) or "")
    except NotCarried:
        return {}  # who reads the project tells it
