"""The errors nsunit raises.  Library code raises them; only `nsunit.cli` prints them and exits.

A message is one line without a full stop: what is wrong, where, with the user's own text in single quotes.
`hint` is a second line that says what to do.
"""

from __future__ import annotations

from nsunit.record import Record

AS_ROOT = "run it as root, or with --user for containers of your own"  # the hint where privileges are missing


class NsunitError(Exception):
    """Something the user must know about; `exit_status` is what the command line exits with."""

    exit_status = 1

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


class Problem(Record):
    """One mistake in a definition: `path:line: message`, with a hint on what to write instead."""

    path: str
    line: int
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}" if self.line else f"{self.path}: {self.message}"


class DefinitionError(NsunitError):
    """A definition cannot be used; carries every problem found, not only the first."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class BusError(NsunitError):
    """A D-Bus call failed; `name` is the D-Bus error name, for callers that act on it."""

    def __init__(self, name: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.name = name


class JobFailedError(NsunitError):
    """A systemd job ended with another result than "done"."""

    def __init__(self, unit: str, result: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.unit = unit
        self.result = result
