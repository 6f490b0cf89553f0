"""Waiting for the end of containers, or for their health."""

from __future__ import annotations

import asyncio
from typing import Any

from nsunit.bus.follow import follow
from nsunit.bus.protocol import TIMEOUT, bus_error
from nsunit.bus.watch import wait_inactive
from nsunit.core.running import find_running
from nsunit.core.stored import check_known
from nsunit.errors import NsunitError
from nsunit.names import container_of_check, container_of_unit, former_unit, service_name
from nsunit.setup.main import read_plan
from nsunit.storage.health import HEALTHY, UNHEALTHY, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.bus.watch import Ended
    from nsunit.core.context import Context


def wait(context: Context, names: Sequence[str], *, timeout: float | None = None) -> list[Ended]:
    """Wait until the containers *names* have ended, or *timeout* seconds; tells how each did.

    Raises:
        NotFoundError: nobody knows one of them.
        BusError: the time is over.
    """
    for name in names:
        check_known(context, name)
    return wait_inactive(*(_as_loaded(context, name) for name in names), timeout=timeout, user=context.user)


def _as_loaded(context: Context, name: str) -> str:
    """The service of *name* as systemd calls it, which may be by its former name."""
    unit = service_name(name)
    return str(context.bus.get(unit, "Id").get("Id", unit)) if former_unit(unit) else unit


def wait_for_health(
    context: Context, names: Sequence[str], wanted: str, *, timeout: float | None = None, gives_up: bool = False
) -> list[str | None]:
    """Wait until each of the containers *names* is *wanted*, healthy or unhealthy, or has ended: then it is None.

    With *gives_up*, anything but starting will do.

    Raises:
        NotFoundError: one does not run, nor is about to.
        NsunitError: nothing checks one of them.
        BusError: the time is over.
    """
    for name in names:
        if not _starts(context, name):
            find_running(context, name)
        if not any(item.keyword == "health" for item in read_plan(context.paths.runtime_of(name))):
            raise NsunitError(f"{name}: nothing checks its health", hint="say how with Health= in its definition")
    over = (wanted, None) if not gives_up else (HEALTHY, UNHEALTHY, None)
    waiting = _Waiting(context, names, over, timeout)
    try:
        follow(waiting.changed, waiting.until_all_are, context.user)
    except _DoneError:
        pass
    finally:
        if context.waits:
            context.waits("")
    return [waiting.now[name] for name in names]


def _starts(context: Context, name: str) -> bool:
    """Whether *name* is being started, or is about to be by systemd."""
    return context.bus.get(_as_loaded(context, name), "ActiveState").get("ActiveState") == "activating"


_TELL_SECONDS = 1.0


class _DoneError(Exception):
    pass


class _Waiting:
    def __init__(
        self, context: Context, names: Sequence[str], over: tuple[str | None, ...], timeout: float | None
    ) -> None:
        self._context = context
        self._over = over
        self._timeout = timeout
        self._is_news = asyncio.Event()
        self.now: dict[str, str | None] = dict.fromkeys(names, "")
        self._ended: set[str] = set()

    def changed(self, unit: str, values: dict[str, Any]) -> None:
        name = container_of_unit(unit) or container_of_check(unit)
        if name not in self.now:
            return
        state = values.get("ActiveState") if container_of_unit(unit) else None
        if state in ("inactive", "failed"):
            self._ended.add(name)
        elif state:
            self._ended.discard(name)  # systemd starts it again
        self._is_news.set()

    async def until_all_are(self) -> None:
        """Return never: what ends the following is an error."""
        try:
            await asyncio.wait_for(self._look(), self._timeout)
        except TimeoutError:
            late = ", ".join(f"'{name}'" for name, now in self.now.items() if now not in self._over)
            raise bus_error(TIMEOUT, f"not {self._over[0]} after {self._timeout:g} s: {late}") from None
        raise _DoneError

    async def _look(self) -> None:
        while True:
            self._is_news.clear()
            for name, now in self.now.items():
                if now in self._over:
                    continue
                found = read(self._context.paths.runtime_of(name))
                self.now[name] = None if name in self._ended else found.status if found else ""
            if all(now in self._over for now in self.now.values()):
                return
            await self._news()

    async def _news(self) -> None:
        """Return when something may have changed; who looks at a terminal is told meanwhile what is waited for."""
        waits = self._context.waits
        while not self._is_news.is_set():
            if waits is None:
                await self._is_news.wait()
                continue
            waits(self._what())
            try:
                await asyncio.wait_for(self._is_news.wait(), _TELL_SECONDS)
            except TimeoutError:
                continue

    def _what(self) -> str:
        """`web is not healthy yet: status 1: no answer`, by its last check."""
        name = next(name for name, now in self.now.items() if now not in self._over)
        found = read(self._context.paths.runtime_of(name))
        last = found.results[-1] if found and found.results else None
        why = f": {last.summary()}" if last and last.status else ""
        return f"{name} is not {self._over[0]} yet{why}"


def came_up(context: Context, name: str) -> None:
    """Wait until container *name*, which was just started, is healthy, if anything checks that.

    Raises:
        NsunitError: it is not.
    """
    check = next((item for item in read_plan(context.paths.runtime_of(name)) if item.keyword == "health"), None)
    if check is None:
        return
    found = wait_for_health(context, (name,), HEALTHY, gives_up=True)[0]
    if found != HEALTHY:
        said = read(context.paths.runtime_of(name))
        why = f": {said.results[-1].summary()}" if said and said.results else ""
        text = "it has ended before it was healthy" if found is None else f"it is unhealthy{why}"
        raise NsunitError(f"{name}: {text}", hint=f"see 'nsunit logs {name}'")
