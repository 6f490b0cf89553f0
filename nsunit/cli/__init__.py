"""The command line: verbs, arguments, output; the only room that prints and exits.

Here is how it speaks: lines, warnings, and errors with the exit status that they stand for.  It stands in the package
itself since every command needs it.
"""

from __future__ import annotations

import os
import posix
import sys

from nsunit.errors import AS_OWNER, AS_ROOT, DefinitionError, NsunitError, where_users_systemd_is
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.jobs import Outcome

EXIT_FAILURE = 1


def report(error: Exception) -> int:
    """Print *error* to standard error, one line and its hint, and return the exit status it stands for.

    One that was told when it happened is not told again.
    """
    if isinstance(error, NsunitError) and error.told:
        return error.exit_status
    if isinstance(error, DefinitionError):
        for problem in error.problems:
            _complain(str(problem), problem.hint)
        return error.exit_status
    if isinstance(error, NsunitError):
        _complain(error.message, error.hint)
        return error.exit_status
    status: int = getattr(error, "exit_status", EXIT_FAILURE)
    if isinstance(error, OSError):
        path = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
        where = f"{path}: " if path else ""
        _complain(f"{where}{error.strerror or error}", _without_right(path) if error.errno in (1, 13) else None)
        return status
    if isinstance(error, MemoryError):
        _complain("there is not enough memory", None)
        return status
    kind = type(error).__name__
    _complain(f"internal error: {kind}: {error}", "this is a bug in nsunit; '--debug' shows where")
    return status


def _without_right(path: str) -> str:
    """The hint where *path* may not be used."""
    uid = os.geteuid()
    own = f"/run/user/{uid}"
    is_there = f"{path}/".startswith(f"{own}/") and posix.access(own, posix.F_OK)
    if _SAID["user"] and path.startswith("/run/user/") and not is_there:
        return where_users_systemd_is(uid, path)
    return AS_ROOT


_SAID = {"user": False}  # whether the command line has --user


def set_user(is_user: bool) -> None:
    """Say whether hints are for who has typed --user."""
    _SAID["user"] = is_user


def _of_user(hint: str) -> str:
    """*hint*, with --user in the commands of its that are to be typed as it was."""
    if hint == AS_ROOT:
        return AS_OWNER
    if hint.startswith("root"):
        return hint
    found = hint.replace("'nsunit ", "'nsunit --user ")
    for word in ("--", "delegate ", "help "):
        found = found.replace(f"'nsunit --user {word}", f"'nsunit {word}")
    return found


def _complain(message: str, hint: str | None) -> None:
    lines = [f"nsunit: {printable(message)}"]
    if hint:
        lines.append(f"  hint: {printable(_of_user(hint) if _SAID['user'] else hint)}")
    sys.stderr.write("\n".join(lines) + "\n")


def fail(failures: Sequence[NsunitError]) -> int:
    """Report *failures*; the exit status is that of all of them, 1 if they differ, 0 where there are none."""
    if not failures:
        return 0
    statuses = {report(error) for error in failures}
    return statuses.pop() if len(statuses) == 1 else 1


def say(text: str) -> None:
    """Print a line, with control characters made visible."""
    sys.stdout.write(printable(text) + "\n")


def warn(text: str) -> None:
    """Print a line that tells of something other than an error to standard error."""
    sys.stdout.flush()
    sys.stderr.write(f"nsunit: {printable(_of_user(text) if _SAID['user'] else text)}\n")


def tell_deaf(outcome: Outcome) -> None:
    """Say of a program that was stopped that it could not be asked to end, if so."""
    if not outcome.deaf_to:
        return
    from nsunit.definition.signals import signal_name  # with such a program only

    sys.stdout.flush()
    text = f"{outcome.name}: killed, since its program has no handler for {signal_name(outcome.deaf_to)}"
    sys.stderr.write(f"nsunit: {text}\n  hint: give it one, another StopSignal=, or Init=yes\n")
