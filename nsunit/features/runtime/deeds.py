"""The program for the end of a container's time."""

from __future__ import annotations

from nsunit.features import STARTER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.plan.facts import Facts


def facts(_context: object, _definition: object, facts: Facts) -> Facts:
    """*facts* with the path of the program."""
    return facts.with_extra("runtime", STARTER)
