"""What `plan` and `apply` are for."""

from __future__ import annotations

from nsunit.names import limited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation


def names_or_running(invocation: Invocation) -> Sequence[str]:
    """Return the operands; without one, all containers that run and the groups that they are in."""
    names = [limited(name) for name in invocation.names()]
    if not names:
        from nsunit.cli.change.running import running  # without a name only

        return running(invocation.context())
    return names
