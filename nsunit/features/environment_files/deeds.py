"""Reading environment files."""

from __future__ import annotations

import os

from nsunit.definition import read_regular
from nsunit.definition.values_container import is_variable_name
from nsunit.errors import NsunitError
from nsunit.features.environment_files.keys import of
from nsunit.features.environment_files.syntax import Reader
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.core.context import Context
    from nsunit.definition.model import Container, Definition
    from nsunit.plan.facts import Facts

_SHOWN = 40  # characters of a name that is none
_COMMENTS_END = 254  # the first systemd in which a comment ends with its line, whatever is at the end of that


def missing_sources(container: Container) -> list[str]:
    """Which of the files have to be there and are not."""
    return [
        f"EnvironmentFile=: '{item.path}' does not exist"
        for item in of(container)
        if not item.optional and not os.path.exists(item.path)
    ]


def facts(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* with the variables; warns of what systemd passes over as well.

    Raises:
        NsunitError: a file cannot be read, or is not UTF-8.
    """
    found: list[tuple[str, str]] = []
    for item in of(definition.container):
        try:
            found += variables(item.path, context.warn, facts.systemd_version)
        except FileNotFoundError:
            continue  # missing_sources told of one that is needed
        except NsunitError as error:
            if not item.optional:
                raise
            context.warn(f"warning: {error}; the file is passed over")
    return facts.with_extra("environment_files", tuple(found))


def variables(path: str, warn: Callable[[str], object], systemd_version: int) -> list[tuple[str, str]]:
    """What file *path* sets, as systemd of that version reads it; *warn* is told of all else that is in it.

    Raises:
        FileNotFoundError: there is none.
        NsunitError: it cannot be read, has a NUL, or a variable that is not UTF-8.
    """
    reader = Reader(_content(path), comments_continue=systemd_version < _COMMENTS_END)
    found = []
    for name, value, line in ((item.name, item.value, item.line) for item in reader.assignments):
        if not _is_unicode(name) or not _is_unicode(value):
            raise NsunitError(
                f"{path}:{line}: '{printable(name[:_SHOWN])}' is not UTF-8", hint="save the file as UTF-8"
            )
        if is_variable_name(name):
            found.append((name, value))
        else:
            warn(f"warning: {path}:{line}: '{printable(name[:_SHOWN])}' is not the name of a variable, passed over")
    for line in reader.others:
        warn(f"warning: {path}:{line}: not NAME=VALUE, passed over")
    return found


def _content(path: str) -> str:
    try:
        content = read_regular(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise NsunitError(f"{path}: {error.strerror}") from error
    if b"\0" in content:
        raise NsunitError(f"{path}: has a NUL", hint="this is not a text")
    return content.decode("utf-8", "surrogateescape")


def _is_unicode(text: str) -> bool:
    """Whether systemd takes *text* for Unicode, which is without the characters that are reserved for good."""
    return not any(
        0xD800 <= code <= 0xDFFF or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE for code in map(ord, text)
    )
