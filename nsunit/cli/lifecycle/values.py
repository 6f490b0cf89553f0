"""Values of options that are written as those of definitions are."""

from __future__ import annotations

from nsunit.definition.words import ValueProblem
from nsunit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def value_of(parse: Callable[[str], int], text: str) -> int:
    """Parse an option's value as a definition's would be.

    Raises:
        UsageError: it is none.
    """
    try:
        return parse(text)
    except ValueProblem as problem:
        raise UsageError(str(problem), hint=problem.hint) from None
