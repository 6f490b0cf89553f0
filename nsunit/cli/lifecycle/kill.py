"""The verb `kill`."""

from __future__ import annotations

from nsunit.cli.lifecycle.each import each
from nsunit.cli.lifecycle.values import value_of
from nsunit.deeds.control import kill as kill_processes
from nsunit.definition.signals import NUMBERS, signal_number
from nsunit.errors import UsageError
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation


def kill(invocation: Invocation) -> int:
    """The verb `kill`."""
    _check_names(invocation.operands)
    signal = int(value_of(signal_number, _said(invocation, "signal", "SIGTERM")))
    whom = _whom(_said(invocation, "kill-whom", "all"))
    context = invocation.context()
    return each(invocation, lambda name: kill_processes(context, name, signal=signal, whom=whom))


def _said(invocation: Invocation, option: str, default: str) -> str:
    """What *option* says, an empty word too: that of a script may have been meant to be another than the default."""
    value = invocation.value(option)
    return default if value is None else value


def _check_names(names: Sequence[str]) -> None:
    """Refuse signals among the *names*, which other tools take there.

    Names have no capitals, so none of them is a signal's.
    """
    for text in names:
        if text.removeprefix("SIG") in NUMBERS:
            others = " ".join(printable(name) for name in names if name != text) or "NAME"
            raise UsageError(
                f"'{text}' is a signal, not a container's name", hint=f"'nsunit kill --signal={text} {others}'"
            )


def _whom(text: str) -> str:
    if text not in ("main", "all"):
        raise UsageError(f"'{printable(text)}' is not one of main, all", hint="--kill-whom=main")
    return text
