"""The verb `network`, which has verbs of its own."""

from __future__ import annotations

from nsunit.cli import foreign
from nsunit.cli.network import ACTIONS, ALIASES
from nsunit.cli.verbs import load
from nsunit.errors import UsageError
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def network(invocation: Invocation) -> int:
    """The verb `network`."""
    action, *operands = invocation.operands or ["list"]
    action = ALIASES.get(action, action)
    if action not in ACTIONS:
        hint = foreign.network(action)
        raise UsageError(f"network: '{printable(action)}' is not one of {', '.join(ACTIONS)}", hint=hint)
    if invocation.flag("user"):
        hint = "a container of yours has a network of its own by Network=pasta"
        raise UsageError("networks are for containers of the system", hint=hint)
    if action in ("create", "rm") and not operands:
        raise UsageError(f"network {action}: a name is missing", hint=f"nsunit network {action} NAME")
    if action not in ("inspect", "create", "rm") and operands:
        raise UsageError(f"network {action}: '{printable(operands[0])}' is one operand too many")
    return int(load(ACTIONS[action])(invocation, operands))
