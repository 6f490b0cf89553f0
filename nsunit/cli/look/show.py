"""The verb `show`."""

from __future__ import annotations

from nsunit.cli.output import print_json
from nsunit.deeds.look.query import inspect
from nsunit.errors import UsageError, did_you_mean
from nsunit.names import check_any_name, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def show(invocation: Invocation) -> int:
    """The verb `show`."""
    context = invocation.context()
    wanted = [key for text in invocation.values("property") for key in text.split(",")]
    found = []
    for name in invocation.operands:
        everything = inspect(context, check_any_name(name))
        state = everything.get("state")
        known = {**state, **everything} if isinstance(state, dict) else everything
        unknown = [key for key in wanted if key not in known]
        if unknown:
            hint = did_you_mean(unknown[0], list(known), "'{}'") or f"there are {', '.join(everything)}"
            if unknown[0][:1].isupper():
                hint = f"'nsunit show -p properties {name}' has what systemd knows by such names"
            raise UsageError(f"'{printable(unknown[0])}' is not something 'show' knows", hint=hint)
        found.append({key: known[key] for key in wanted} if wanted else everything)
    print_json(found[0] if len(found) == 1 else found)
    return 0


def print_nothing(_: Invocation) -> int:
    """Print what patterns come to that match nothing."""
    print_json([])
    return 0
