"""update and rollback: a container on a newer image, and back."""

from __future__ import annotations

from nsunit.cli import say
from nsunit.core.jobs import Outcome, as_failed
from nsunit.core.running import is_running
from nsunit.deeds.enable import enable
from nsunit.deeds.restart import restart
from nsunit.deeds.wait import came_up
from nsunit.definition.load import load
from nsunit.definition.search import list_names
from nsunit.errors import NsunitError, UsageError
from nsunit.features.images.fetch.pull import pull
from nsunit.features.images.keys import of as image_of
from nsunit.features.updates.keys import of as auto_update_of
from nsunit.features.updates.switch import roll_back, update
from nsunit.names import check_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.context import Context


def update_container(invocation: Invocation) -> Sequence[Outcome]:
    """`nsunit update`."""
    context = invocation.context()
    if invocation.flag("auto"):
        if invocation.operands:
            raise UsageError("--auto is about all containers with AutoUpdate=", hint="leave out the names")
        return _told(invocation, [_automatically(context, name) for name in _automatic(context)])
    if not invocation.operands:
        raise UsageError("there is no container to update", hint="name one, or use --auto")
    name, *reference = invocation.operands
    return _told(invocation, [update(context, check_name(name), renewer(context), *reference)])


def roll_container_back(invocation: Invocation) -> Sequence[Outcome]:
    """`nsunit rollback`."""
    context = invocation.context()
    name = check_name(invocation.operands[0])
    return _told(invocation, [roll_back(context, name, renewer(context))])


def renewer(context: Context) -> Callable[[str, bool], None]:
    """What restarts a container, and waits until it is ready and, where that is checked, healthy.

    One that is not to run is only enabled again, if it was: systemd starts it with what it is to have now.
    """

    def renew(name: str, runs: bool) -> None:
        outcomes = restart(context, (name,)) if runs else ()
        if not runs and context.paths.is_enabled(name):
            outcomes = enable(context, (name,))
        for outcome in outcomes:
            if outcome.error:
                raise outcome.error
        if runs:
            came_up(context, name)

    return renew


def _automatic(context: Context) -> list[str]:
    """The running containers whose definitions ask for it."""
    found = []
    for name in list_names(context.search):
        if is_running(context, name) and _loads(context, name):
            found.append(name)
    return found


def _loads(context: Context, name: str) -> bool:
    try:
        return bool(auto_update_of(load(name, context.search, context.host).container))
    except NsunitError as error:
        context.warn(f"warning: {error}")
        return False


def _automatically(context: Context, name: str) -> Outcome:
    try:
        container = load(name, context.search, context.host).container
        chosen = image_of(container)
        if chosen and auto_update_of(container) == "registry":
            pull(context, chosen.reference)
        return update(context, name, renewer(context), auto=True)
    except (NsunitError, OSError) as error:
        return as_failed(name, error)


_WORDS = {
    "newest": "runs the newest image there is",
    "updated": "updated",
    "updated-for-next-start": "updated for its next start",
    "rolled-back": "rolled back",
    "rolled-back-for-next-start": "rolled back for its next start",
}


def _told(invocation: Invocation, outcomes: list[Outcome]) -> list[Outcome]:
    if not (invocation.flag("json") or invocation.flag("quiet")):
        for outcome in outcomes:
            if outcome.state in _WORDS:
                say(f"{outcome.name}: {', '.join((_WORDS[outcome.state], *outcome.differences))}")
    return outcomes
