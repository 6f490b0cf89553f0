"""The verb `start` with --wait: it returns when the programs have ended, with the status of the first that failed."""

from __future__ import annotations

from nsunit.cli import fail, say
from nsunit.cli.lifecycle.wait import describe_end
from nsunit.cli.output import print_json
from nsunit.core.jobs import as_shell
from nsunit.deeds.start import start as start_containers
from nsunit.deeds.wait import wait as wait_for
from nsunit.definition.search import list_names
from nsunit.errors import UsageError
from nsunit.names import is_pod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.bus.watch import Ended
    from nsunit.cli.verbs import Invocation


def start_wait(invocation: Invocation) -> int:
    """The verb `start` with --wait."""
    if invocation.flag("now"):
        raise UsageError("--now and --wait exclude each other", hint="'nsunit wait' waits for the end of what runs")
    context = invocation.context()
    names = list(list_names(context.search)) if invocation.flag("all") else invocation.names("defined", pods=True)
    outcomes = start_containers(context, names)
    listening = [item.name for item in outcomes if item.state == "listening"]
    waited = [item.name for item in outcomes if not item.error and not is_pod(item.name) and item.name not in listening]
    ended = wait_for(context, waited) if waited else []
    if invocation.flag("json"):
        print_json([{"name": name, "ended": item} for name, item in zip(waited, ended, strict=True)])
    elif not invocation.flag("quiet"):
        for name, item in zip(waited, ended, strict=True):
            # systemd has forgotten one by now only if it ended well.
            say(f"{name}: {'ended well' if item.active_state == 'gone' else describe_end(item)}")
    errors = [item.error for item in outcomes if item.error]
    failed = fail(errors)
    statuses = [getattr(error, "ended_with", 0) for error in errors] + [_status(item) for item in ended]
    return next((status for status in statuses if status), failed)


def _status(ended: Ended) -> int:
    """The program's, 1 where it ended well and something else of the unit did not."""
    if ended.result in ("success", "") and ended.active_state != "failed" and ended.exec_main_code != 1:
        return 0
    return as_shell(ended.exec_main_code, ended.exec_main_status) or int(ended.active_state == "failed")
