"""The verb `apply`."""

from __future__ import annotations

import sys

from nsunit.cli import fail, say, tell_deaf
from nsunit.cli.change.names import names_or_running
from nsunit.cli.output import print_json
from nsunit.deeds.change import apply as apply_definitions
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.core.jobs import Outcome


def apply(invocation: Invocation) -> int:
    """The verb `apply`; without a name, for all containers and groups that run."""
    names = names_or_running(invocation)
    outcomes = apply_definitions(invocation.context(), names, restart=invocation.flag("restart"))
    if invocation.flag("json"):
        print_json(outcomes)
    elif not invocation.flag("quiet"):
        for outcome in outcomes:
            _tell(outcome)
    return fail([outcome.error for outcome in outcomes if outcome.error is not None])


def _tell(outcome: Outcome) -> None:
    tell_deaf(outcome)
    if outcome.state == "changed":
        for difference in outcome.differences:
            say(f"{outcome.name}: {difference}")
    elif outcome.state == "differs":
        sys.stdout.flush()
        sys.stderr.write(f"nsunit: {outcome.name}: these take a restart\n")
        for difference in outcome.differences:
            sys.stderr.write(f"  {printable(difference)}\n")
        sys.stderr.write(f"  hint: 'nsunit apply --restart {outcome.name}'\n")
    elif outcome.error is None:
        texts = {"inactive": "is not running", "restarted": "restarted"}
        say(f"{outcome.name}: {texts.get(outcome.state, 'runs as its definition says')}")
