"""start, stop, restart, kill, pause, resume, wait, rm."""

from __future__ import annotations

import sys

from nsunit.cli.options import warn
from nsunit.errors import NsunitError
from nsunit.names import check_any_name, check_name, group_of_pod, is_group, is_pod, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.bus.watch import Ended
    from nsunit.cli.options import Invocation
    from nsunit.manager.context import Context
    from nsunit.manager.outcome import Outcome

_NOTHING_DONE = {
    "running": "runs already",
    "listening": "listens for its first connection",
    "mended": "listens again",
    "inactive": "does not run",
    "absent": "nothing was kept",
    "unchanged": "was so already",
}


def start(invocation: Invocation) -> int:
    """The verb `start`."""
    context = _connected(invocation)
    from nsunit.manager.start import start

    outcomes = start(context, names_of(invocation, lambda: _defined(context), members="defined", pods=True))
    if invocation.flag("now"):
        from nsunit.manager.activation import start_now

        started = {item.name: item for item in start_now(context, outcomes)}
        outcomes = [started.get(item.name, item) for item in outcomes]
    return _report(invocation, outcomes)


def stop(invocation: Invocation) -> int:
    """The verb `stop`."""
    context = _connected(invocation)
    from nsunit.manager.stop import stop

    names = names_of(invocation, lambda: _running(context), members="running", pods=True)
    return _report(invocation, stop(context, names, kill_now=invocation.flag("now")))


def restart(invocation: Invocation) -> int:
    """The verb `restart`."""
    from nsunit.manager.stop import restart

    context = invocation.context()
    names = names_of(invocation, lambda: _running(context), members="running", pods=True)
    return _report(invocation, restart(context, names))


def remove(invocation: Invocation) -> int:
    """The verb `rm`."""
    from nsunit.manager.stop import remove

    return _report(invocation, remove(invocation.context(), names_of(invocation), force=invocation.flag("force")))


def enable(invocation: Invocation) -> int:
    """The verb `enable`."""
    from nsunit.manager.enable import enable

    context = invocation.context()
    outcomes = enable(context, names_of(invocation, members="defined", pods=True), now=invocation.flag("now"))
    if context.user and any(item.error is None for item in outcomes):
        from nsunit.manager.rootless import lingers

        if not lingers(context):
            warn(f"they start at {context.host.user}'s first login, with 'loginctl enable-linger' when the host boots")
    return _report(invocation, outcomes)


def disable(invocation: Invocation) -> int:
    """The verb `disable`."""
    from nsunit.manager.enable import disable

    names = names_of(invocation, members="enabled", pods=True)
    return _report(invocation, disable(invocation.context(), names, now=invocation.flag("now")))


def kill(invocation: Invocation) -> int:
    """The verb `kill`."""
    from nsunit.manager.control import kill

    signal = _signal(invocation.value("signal") or "SIGTERM")
    whom = _whom(invocation.value("kill-whom") or "all")
    context = invocation.context()
    return _each(invocation, lambda name: kill(context, name, signal=signal, whom=whom))


def pause(invocation: Invocation) -> int:
    """The verb `pause`."""
    from nsunit.manager.control import pause

    context = invocation.context()
    return _each(invocation, lambda name: pause(context, name))


def resume(invocation: Invocation) -> int:
    """The verb `resume`."""
    from nsunit.manager.control import resume

    context = invocation.context()
    return _each(invocation, lambda name: resume(context, name))


def wait(invocation: Invocation) -> int:
    """The verb `wait`."""
    from nsunit.manager.control import wait

    names = names_of(invocation, members="running")
    timeout = _seconds(invocation.value("timeout"))
    ended = wait(invocation.context(), names, timeout=timeout)
    if invocation.flag("json"):
        from nsunit.cli.output import print_json

        print_json([{"name": name, "ended": item} for name, item in zip(names, ended, strict=True)])
    elif not invocation.flag("quiet"):
        for name, item in zip(names, ended, strict=True):
            say(f"{name}: {describe_end(item)}")
    return 0 if all(item.result in ("success", "") and item.active_state != "failed" for item in ended) else 1


def describe_end(ended: Ended) -> str:
    """Say in words how a unit ended."""
    if ended.active_state == "gone":
        return "does not run"
    if ended.exec_main_code == 1:
        return f"exited with status {ended.exec_main_status}" + _because(ended.result, "exit-code")
    if ended.exec_main_code in (2, 3):
        import signal

        known = {number.value: number.name for number in signal.Signals}
        name = known.get(ended.exec_main_status, f"signal {ended.exec_main_status}")
        dumped = " and dumped core" if ended.exec_main_code == 3 else ""
        return f"was killed by {name}{dumped}" + _because(ended.result, "signal", "core-dump")
    return "ended" + _because(ended.result)


def _because(result: str, *expected: str) -> str:
    return "" if result in ("success", "", *expected) else f" ({printable(result)})"


# What the verbs share


def _connected(invocation: Invocation) -> Context:
    """The context with its connection begun: systemd takes its time to greet, and imports fill it."""
    context = invocation.context()
    context.connect()
    return context


def names_of(
    invocation: Invocation,
    everything: Callable[[], Sequence[str]] | None = None,
    *,
    members: str = "",
    pods: bool = False,
) -> list[str]:
    """Return the operands, checked and each once; or what *everything* gives for --all.

    With *members*, "running", "enabled" or "defined", a group or pod stands for such containers in it, with *pods* a
    pod for itself as well.
    """
    if everything is not None and invocation.flag("all"):
        return list(everything())
    names: list[str] = []
    for name in invocation.operands:
        if not (is_group(name) or is_pod(name)):
            names.append(check_name(name))
            continue
        check_any_name(name)
        if not members or (pods and is_pod(name)):
            names.append(name)
        if members:
            names += members_of(invocation.context(), name, members)
    return list(dict.fromkeys(names))


def members_of(context: Context, name: str, which: str) -> list[str]:
    """The containers in group or pod *name* that are "running", "enabled" or "defined"."""
    if which == "enabled":
        from nsunit.manager.group_files import enabled_members

        if (found := enabled_members(context, name)) or is_pod(name):
            return found
    from nsunit.manager.group import members

    return members(context, group_of_pod(name) if is_pod(name) else name, running=which == "running")


def _defined(context: Context) -> Sequence[str]:
    from nsunit.definition.search import list_names

    return list_names(context.search)


def _running(context: Context) -> Sequence[str]:
    from nsunit.manager.query import list_containers

    return [state.name for state in list_containers(context) if state.active_state not in ("inactive", "failed")]


def _report(invocation: Invocation, outcomes: Sequence[Outcome]) -> int:
    """Print what became of each container, errors last; the exit status is that of the errors, 1 if they differ."""
    if invocation.flag("json"):
        from nsunit.cli.output import print_json

        print_json(outcomes)
    elif not invocation.flag("quiet"):
        for outcome in outcomes:
            _report_one(outcome)
    failures = [outcome.error for outcome in outcomes if outcome.error is not None]
    return fail(failures)


def _report_one(outcome: Outcome) -> None:
    if outcome.error is not None:
        return
    if outcome.state in _NOTHING_DONE:
        say(f"{outcome.name}: {_NOTHING_DONE[outcome.state]}")
    elif outcome.deaf_to:
        from nsunit.definition.signals import signal_name

        sys.stdout.flush()
        text = f"{outcome.name}: killed, since its program has no handler for {signal_name(outcome.deaf_to)}"
        sys.stderr.write(f"nsunit: {text}\n  hint: give it one, another StopSignal=, or Init=yes\n")
    elif outcome.state == "differs":
        sys.stdout.flush()
        sys.stderr.write(f"nsunit: {outcome.name}: runs with another definition than it has now\n")
        for difference in outcome.differences:
            sys.stderr.write(f"  {printable(difference)}\n")
        how = f"'nsunit apply {outcome.name}' changes what can change while it runs"
        if is_pod(outcome.name):
            how = f"'nsunit restart {outcome.name}' makes it so, with its containers"
        sys.stderr.write(f"  hint: {how}\n")


def _each(invocation: Invocation, deed: Callable[[str], None]) -> int:
    """Do *deed* to each operand; one that fails does not keep the others from it."""
    failures = []
    for name in names_of(invocation, members="running"):
        try:
            deed(name)
        except NsunitError as error:
            failures.append(error)
    return fail(failures)


def fail(failures: Sequence[NsunitError]) -> int:
    """Report *failures*; the exit status is that of all of them, 1 if they differ, 0 where there are none."""
    if not failures:
        return 0
    from nsunit.cli.main import report

    statuses = {report(error) for error in failures}
    return statuses.pop() if len(statuses) == 1 else 1


def say(text: str) -> None:
    """Print a line, with control characters made visible."""
    sys.stdout.write(printable(text) + "\n")


def _signal(text: str) -> int:
    from nsunit.definition.signals import signal_number

    return int(_value(signal_number, text))


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    from nsunit.definition.values import INFINITY, usec

    value = _value(usec, text)
    return None if value == INFINITY else value / 1_000_000


def _value(parse: Callable[[str], int], text: str) -> int:
    """Parse an option's value as a definition's would be."""
    from nsunit.definition.words import ValueProblem
    from nsunit.errors import UsageError

    try:
        return parse(text)
    except ValueProblem as problem:
        raise UsageError(str(problem), hint=problem.hint) from None


def _whom(text: str) -> str:
    from nsunit.errors import UsageError

    if text not in ("main", "all"):
        raise UsageError(f"'{printable(text)}' is not one of main, all", hint="--kill-whom=main")
    return text
