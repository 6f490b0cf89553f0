"""The verb `edit`."""

from __future__ import annotations

import os
import sys

from nsunit.cli import report
from nsunit.cli.definitions.draft import Draft
from nsunit.cli.definitions.lookup import checked, find_definition
from nsunit.definition import read_regular
from nsunit.definition.search import SUFFIX
from nsunit.errors import DefinitionError, NotFoundError, UsageError
from nsunit.names import is_network, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.cli.verbs import Invocation


def edit(invocation: Invocation, beginning: Callable[[str, str], str] | None = None) -> int:
    """The verb `edit`; *beginning* gives a new definition the text it begins with, by name and path."""
    context = invocation.context()
    name = invocation.operands[0]
    target, text = _what_to_edit(invocation, name, beginning)
    with Draft(checked(name), target, text) as draft:
        while True:
            changed = draft.fill(sys.stdin.buffer.read() if invocation.flag("stdin") else None)
            if not changed:
                _say(invocation, f"{target} is as it was")
                return 0
            try:
                draft.check(context)
                break
            except DefinitionError:
                if invocation.flag("stdin") or not _edit_again(invocation):
                    draft.is_edited = True  # kept also where it came from standard input
                    raise
        draft.install()
    _say(invocation, f"wrote {target}; 'nsunit restart' applies it to what runs already")
    return 0


def _say(invocation: Invocation, text: str) -> None:
    if not invocation.flag("quiet"):
        sys.stdout.write(printable(text) + "\n")


def _edit_again(invocation: Invocation) -> bool:
    """Show what is wrong and ask whether to go on editing; without a terminal the answer is no."""
    error = sys.exc_info()[1]
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or not isinstance(error, DefinitionError):
        return False
    report(error)
    try:
        return input("Edit it again? [Y/n] ").strip().lower() in ("", "y", "yes")
    except EOFError:
        return False


def _what_to_edit(invocation: Invocation, name: str, beginning: Callable[[str, str], str] | None) -> tuple[str, bytes]:
    """Return the path that will be written, always in the first directory searched, and the text to begin with."""
    context = invocation.context()
    own = context.search.directories[0]
    drop_in = invocation.value("drop-in")
    try:
        found = find_definition(checked(name), context)
    except NotFoundError as error:
        if beginning is None or drop_in:
            if not drop_in and not is_network(name):
                error.hint = f"{error.hint}; 'nsunit edit --force {name}' makes it"
            raise
        path = os.path.join(own, name + SUFFIX)
        return path, beginning(name, path).encode()
    if drop_in is None:
        path = os.path.join(own, os.path.basename(found.main))
        return os.path.realpath(path), read_regular(found.main)
    if "/" in drop_in or drop_in.startswith(".") or not drop_in.removesuffix(".conf"):
        raise UsageError(f"'{printable(drop_in)}' is not the name of a drop-in file", hint="--drop-in=limits.conf")
    path = os.path.join(own, name + SUFFIX + ".d", drop_in.removesuffix(".conf") + ".conf")
    return path, read_regular(path) if os.path.exists(path) else b""
