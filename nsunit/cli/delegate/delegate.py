"""The verb `delegate`."""

from __future__ import annotations

import sys

from nsunit.cli.output import print_json
from nsunit.errors import UsageError
from nsunit.features.delegation.deeds import delegate as delegate_controllers
from nsunit.features.delegation.deeds import look, remove
from nsunit.features.delegation.plan import CONTROLLERS
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.features.delegation.deeds import Delegation


def delegate(invocation: Invocation) -> int:
    """The verb `delegate`."""
    if invocation.flag("user"):
        raise UsageError("delegate: only root can give controllers to a user", hint="run it as root, without --user")
    user, *controllers = invocation.operands
    now, check = invocation.flag("now"), invocation.flag("check")
    if controllers and (check or invocation.flag("remove")):
        option = "--check" if check else "--remove"
        raise UsageError(f"delegate: {option} takes no controllers", hint=f"nsunit delegate {option} USER")
    if check and (now or invocation.flag("remove")):
        raise UsageError("delegate: --check changes nothing", hint="nsunit delegate --check USER")
    context = invocation.context()
    if check:
        found = look(context, user)
    elif invocation.flag("remove"):
        found = remove(context, user, now=now)
    else:
        found = delegate_controllers(context, user, controllers, now=now)
    if invocation.flag("json"):
        print_json(found)
    elif not invocation.flag("quiet"):
        sys.stdout.write("".join(f"{printable(line)}\n" for line in told(found)))
    return 1 if check and found.missing and found.present is not None else 0


def controllers() -> tuple[str, ...]:
    """Return the controllers that can be delegated, for completion."""
    return CONTROLLERS


def told(found: Delegation) -> list[str]:
    """What there is to say of it."""
    if found.controllers:
        lines = [f"{found.path} delegates {' '.join(found.controllers)} to {found.user}"]
    else:
        lines = [f"{found.user} has what systemd delegates by default"]
    if found.present is None:
        return [*lines, f"{found.unit} is not running: it counts from {found.user}'s next login on"]
    lines.append(f"{found.unit} runs with {' '.join(found.present) or 'no controller'}")
    if found.missing or (found.changed and not found.restarted):
        lines.append(
            f"the change counts once {found.unit} starts anew: after {found.user} has logged out everywhere, "
            f"or by 'nsunit delegate --now', which restarts all that runs in it"
        )
    return lines
