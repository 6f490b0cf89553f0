"""`top --full`: what containers use, beside their limits, and keys that act on them."""

from __future__ import annotations

import time

from nsunit.cli import fail
from nsunit.cli.look.live.board import Board, drawn, moved
from nsunit.cli.look.live.screen import until, with_screen
from nsunit.cli.look.stats import sampler_of, seconds
from nsunit.core.running import SIGKILL
from nsunit.deeds.control import kill, pause, resume
from nsunit.deeds.look.stats import is_paused
from nsunit.errors import NsunitError, UsageError
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.look.live.screen import Screen
    from nsunit.cli.verbs import Invocation
    from nsunit.core.context import Context
    from nsunit.plan.usage import Usage

_INTERVAL = 2.0
_DELAY = "--delay="


def full(invocation: Invocation) -> int:
    """The verb `top` with `--full`; its operands are all arguments."""
    interval, names = _arguments(invocation.operands)
    sampler = sampler_of(invocation)
    context = invocation.context()
    sampler.prime()
    absent: list[NsunitError] = []
    if not sampler.sample(names, absent).usages and absent:
        return fail(absent)  # before the screen is taken; where others run, when that is given back

    def view(screen: Screen) -> None:
        board, moment = Board(), time.monotonic() + min(0.25, interval)
        usages: tuple[Usage, ...] = ()
        while True:
            if until(moment) == 0:
                usages = _wanted(sampler.sample().usages, names)
                moment = time.monotonic() + interval
            paused = {item.name for item in usages if is_paused(item)}
            title = time.strftime("nsunit  %H:%M:%S")
            screen.show(drawn(board, usages, paused, screen.size, title))
            key = screen.key(until(moment))
            if board.asking:
                board = _answered(context, board, key) if key else board
            elif key in ("q", "Q"):
                return
            elif key == "k" and board.marked:
                board = board.replace(asking=board.marked, said="")
            elif key == "z" and board.marked:
                board = board.replace(said=_paused_or_resumed(context, board.marked, board.marked in paused))
            elif key in ("k", "z"):
                board = board.replace(said="mark a container first, by the arrow keys")
            elif key:
                board = moved(board, usages, key)

    return with_screen(view, "'nsunit top --full'") or fail(absent)


def _arguments(words: Sequence[str]) -> tuple[float, list[str]]:
    """How often to look, and which names are wanted; none means all."""
    interval, names = _INTERVAL, []
    for word in words:
        if word.startswith(_DELAY):
            interval = seconds(word.removeprefix(_DELAY))
        elif word.startswith("-") and word != "--full":
            raise UsageError(
                f"'{printable(word)}' does not go with --full", hint="without --full it is an option of systemd-cgtop"
            )
        elif word != "--full":
            names.append(word)
    return interval, names


def _wanted(usages: Sequence[Usage], names: Sequence[str]) -> tuple[Usage, ...]:
    if not names:
        return tuple(usages)
    return tuple(item for item in usages if any(name in (item.name, item.container, *item.groups) for name in names))


def _answered(context: Context, board: Board, key: str) -> Board:
    """*board* after the answer to whether its container is to be killed."""
    name = board.asking
    if key not in ("y", "Y"):
        return board.replace(asking="", said="")
    try:
        kill(context, name, signal=SIGKILL)
    except NsunitError as error:
        return board.replace(asking="", said=str(error))
    return board.replace(asking="", said=f"{name}: killed")


def _paused_or_resumed(context: Context, name: str, paused: bool) -> str:
    try:
        (resume if paused else pause)(context, name)
    except NsunitError as error:
        return str(error)
    return f"{name}: resumed" if paused else f"{name}: paused"
