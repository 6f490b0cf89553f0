"""The verb `start` with --wait: it returns when the programs have ended, with the status of the first that failed."""

from __future__ import annotations

from nsunit.bus.watch import Ended
from nsunit.cli import fail, say
from nsunit.cli.lifecycle.wait import describe_end
from nsunit.cli.output import print_json
from nsunit.core.jobs import as_shell
from nsunit.deeds.start import start as start_containers
from nsunit.deeds.wait import wait as wait_for
from nsunit.definition.search import list_names
from nsunit.errors import JobFailedError, UsageError
from nsunit.names import is_pod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.errors import NsunitError


def start_wait(invocation: Invocation) -> int:
    """The verb `start` with --wait."""
    if invocation.flag("now"):
        raise UsageError("--now and --wait exclude each other", hint="'nsunit wait' waits for the end of what runs")
    context = invocation.context()
    names = list(list_names(context.search)) if invocation.flag("all") else invocation.names("defined", pods=True)
    outcomes = start_containers(context, names)
    ended = {item.name: end for item in outcomes if (end := _quick_end(item.error))}
    waited = [item.name for item in outcomes if not (item.error or is_pod(item.name) or item.state == "listening")]
    ended |= dict(zip(waited, wait_for(context, waited) if waited else (), strict=True))
    if invocation.flag("json"):
        print_json([{"name": name, "ended": item} for name, item in ended.items()])
    elif not invocation.flag("quiet"):
        for name, item in ended.items():
            # systemd has forgotten one by now only if it ended well.
            say(f"{name}: {'ended well' if item.active_state == 'gone' else describe_end(item)}")
    failed = fail([item.error for item in outcomes if item.error and item.name not in ended])
    statuses = [_status(item) for item in ended.values()]
    return failed or next((status for status in statuses if status), 0)


def _quick_end(error: NsunitError | None) -> Ended | None:
    """How a program ended that was over before systemd heard that it runs, which fails a start."""
    if not isinstance(error, JobFailedError) or not error.ended:
        return None
    return Ended(error.unit, "failed", *error.ended)


def _status(ended: Ended) -> int:
    """The program's, 1 where it ended well and something else of the unit did not."""
    if ended.result in ("success", "") and ended.active_state != "failed" and ended.exec_main_code != 1:
        return 0
    return as_shell(ended.exec_main_code, ended.exec_main_status) or int(ended.active_state == "failed")
