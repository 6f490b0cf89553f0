"""The errors nsunit raises.  Library code raises them; only `nsunit.cli` prints them and exits.

A message is one line without a full stop: what is wrong, where, with the user's own text in single quotes.
`hint` is a second line that says what to do.
"""

from __future__ import annotations

import posix

from nsunit.record import Record

LEAVE_TO_ROOT = "leave it out, or have root run the container as one of the system's"
AS_ROOT = "run it as root, or with --user for containers of your own"  # the hint where privileges are missing
AS_OWNER = "with --user it uses what is the calling user's, 'ls -ld' shows whose a file is"  # the same with --user


def where_users_systemd_is(uid: int, path: str) -> str:
    """The hint that *path*, below what should be $XDG_RUNTIME_DIR of user *uid*, is not there or another's."""
    own = f"/run/user/{uid}"
    if not f"{path}/".startswith(own + "/") and posix.access(own, posix.F_OK):
        return f"$XDG_RUNTIME_DIR is not this user's, which is '{own}'"
    return (
        f"the user's systemd runs while they are logged in, by ssh, a console or 'machinectl shell {uid}@' of "
        f"root's, but not by sudo; and always after 'loginctl enable-linger {uid}'"
    )


class NsunitError(Exception):
    """Something the user must know about; `exit_status` is what the command line exits with."""

    exit_status = 1
    told = False  # whether the user was told when it happened, while other things went on

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(NsunitError):
    """The command line itself is wrong."""

    exit_status = 2


class NotFoundError(NsunitError):
    """The named container is not defined, or does not run."""

    exit_status = 3


class SessionError(NsunitError):
    """The command could not be executed; exits as env(1) does: 125, 126 or 127."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.exit_status = status


class Problem(Record):
    """One mistake in a definition: `path:line: message`, with a hint on what to write instead."""

    path: str
    line: int
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}" if self.line else f"{self.path}: {self.message}"


# What a Problem has as path where that is no file but what was typed.
COMMAND_LINE, PROPERTY, LIMIT, SET, DROPIN = TYPED = ("the command line", "--property", "--limit", "set", "dropin")


class DefinitionError(NsunitError):
    """A definition cannot be used; carries every problem found, not only the first, and what is right of it if any.

    Where all of them are about what was typed, it is the command line that is wrong.
    """

    def __init__(self, problems: list[Problem], partial: object = None) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        if problems and all(problem.path in TYPED for problem in problems):
            self.exit_status = UsageError.exit_status
        self.problems = problems
        self.partial = partial


class BusError(NsunitError):
    """A D-Bus call failed; `name` is the D-Bus error name, for callers that act on it."""

    def __init__(self, name: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.name = name


class JobFailedError(NsunitError):
    """A systemd job ended with another result than "done".

    *ended*: the program ran, and these are the unit's Result, ExecMainCode and ExecMainStatus.
    """

    ended: tuple[str, int, int] | None = None

    def __init__(self, unit: str, result: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.unit = unit
        self.result = result


# The nearest known word, for hints


def distance(left: str, right: str) -> int:
    """Return the number of edits between two words, a swap of neighbours counting as one, case counting as none."""
    left, right = left.lower(), right.lower()
    before: list[int] = []
    last = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        row = [i]
        for j, b in enumerate(right, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def nearest(word: str, known: tuple[str, ...] | list[str]) -> str | None:
    """Return the one of *known* that *word* was probably meant to be, or None."""
    limit = max(1, len(word) // 3)
    scored = sorted(
        (distance(word, candidate), candidate) for candidate in known if abs(len(candidate) - len(word)) <= limit
    )
    return scored[0][1] if scored and scored[0][0] <= limit else None


def did_you_mean(word: str, known: tuple[str, ...] | list[str], form: str) -> str | None:
    """Return "did you mean …?" with the nearest of *known* put into *form*, or None."""
    longer = [candidate for candidate in known if len(word) > 2 and candidate.startswith(word)]
    found = longer[0] if len(longer) == 1 else nearest(word[:64], longer or known)
    return f"did you mean {form.format(found)}?" if found else None
