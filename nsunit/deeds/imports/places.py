"""Where the project is that somebody works on: its compose files."""

from __future__ import annotations

import os

from nsunit.deeds.imports import sources
from nsunit.imports import find
from nsunit.imports.compose.variables import environment_file
from nsunit.imports.model import NotCarried


def of_project(directory: str, environ: dict[str, str]) -> tuple[str, ...]:
    """What names the compose files of who is in *directory*: those in $COMPOSE_FILE, also in its .env, or a directory.

    That is the first one, of it and those above it, with a compose file; empty if there is none.
    """
    known = {**_variables(os.path.join(directory, ".env")), **environ}
    if named := known.get("COMPOSE_FILE"):
        separator = known.get("COMPOSE_PATH_SEPARATOR") or ":"
        return tuple(os.path.join(directory, path) for path in named.split(separator) if path)
    kind = find("compose")
    assert kind is not None
    while True:
        if any(os.path.isfile(os.path.join(directory, name)) for name in kind.files.split()):
            return (directory,)
        above = os.path.dirname(directory)
        if above == directory:
            return ()
        directory = above


def _variables(path: str) -> dict[str, str]:
    try:
        return environment_file(sources.read(path) or "")
    except NotCarried:
        return {}  # who reads the project tells it
