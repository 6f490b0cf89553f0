"""One deed for each container of a command."""

from __future__ import annotations

from nsunit.cli import fail
from nsunit.errors import NsunitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.cli.verbs import Invocation


def each(invocation: Invocation, deed: Callable[[str], None]) -> int:
    """Do *deed* to each operand; one that fails does not keep the others from it."""
    failures = []
    for name in invocation.names("running"):
        try:
            deed(name)
        except NsunitError as error:
            failures.append(error)
    return fail(failures)
