"""systemd's manager for verbs that only read, and of many units: nothing is asked for twice."""

from __future__ import annotations

from bisect import bisect_left
from fnmatch import fnmatchcase

from nsunit.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.bus.protocol import SystemdClient, UnitStatus

# Slices are listed by themselves: systemd describes one by its unescaped name, and can list none where that of
# anybody's is no UTF-8.  Then each pattern is asked for.
_BEGINNING, _ENDINGS, _SLICE = "nsunit-", (".service", ".scope", ".socket"), (".slice",)
_NONE: dict[str, object] = {}


class Snapshot:
    """What *client* said of units; it says the rest itself.

    Each ListUnitsByPatterns has systemd go through all of its units, so one for each container grows with the square
    of their number: services, scopes and sockets are listed once, as they are when the first is asked for, and slices.
    Who asks about a *few* lists those alone: a thousand others take longer than some questions more.  Properties are
    asked for when somebody wants them, and kept until `forget`.
    """

    def __init__(self, client: SystemdClient, *, few: bool = False) -> None:
        self._client = client
        self._few = few
        self._listed: dict[tuple[str, ...], list[UnitStatus] | None] = {}
        self._all: dict[str, dict[str, object]] = {}
        self._some: dict[tuple[str, str], dict[str, object]] = {}
        self._paths: tuple[str, ...] | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)

    def forget(self) -> None:
        """Forget properties: of a thousand containers they take much memory."""
        self._all.clear()
        self._some.clear()

    def unit_paths(self) -> tuple[str, ...]:
        """See SystemdClient."""
        if self._paths is None:
            self._paths = self._client.unit_paths()
        return self._paths

    def list_units(self, patterns: Sequence[str]) -> list[UnitStatus]:
        """See SystemdClient; of the units as they were listed first."""
        endings = _SLICE if patterns and all(pattern.endswith(_SLICE) for pattern in patterns) else _ENDINGS
        if self._few or not all(pattern.startswith(_BEGINNING) and pattern.endswith(endings) for pattern in patterns):
            return self._client.list_units(patterns)
        if (units := self._units(endings)) is None:
            return self._client.list_units(patterns)
        found = {}
        for pattern in patterns:
            beginning = min((pattern.partition(mark)[0] for mark in "*?["), key=len)
            for index in range(bisect_left(units, beginning, key=_name), len(units)):
                name = units[index].name
                if not name.startswith(beginning):
                    break
                if fnmatchcase(name, pattern):
                    found[name] = units[index]
        return list(found.values())

    def _units(self, endings: tuple[str, ...]) -> list[UnitStatus] | None:
        """All units with one of these *endings*, sorted; None where they cannot be listed together."""
        if endings not in self._listed:
            try:
                listed = self._client.list_units([f"{_BEGINNING}*{ending}" for ending in endings])
                self._listed[endings] = sorted(listed, key=_name)
            except BusError:
                if endings != _SLICE:
                    raise
                self._listed[endings] = None
        return self._listed[endings]

    def properties(self, unit: str) -> dict[str, object]:
        """See SystemdClient."""
        if unit not in self._all:
            self._all[unit] = self._client.properties(unit)
        return self._all[unit]

    def get(self, unit: str, *names: str) -> dict[str, object]:
        """See SystemdClient."""
        if unit in self._all:
            known = self._all[unit]
            if "LoadState" in names and known.get("LoadState") == "not-found":
                return {"LoadState": "not-found"}
            return {name: known[name] for name in names if name in known}
        missing = [name for name in names if (unit, name) not in self._some]
        values = self._client.get(unit, *missing) if missing else {}
        if values.get("LoadState") == "not-found":
            return values
        for name in missing:
            self._some[unit, name] = {name: values[name]} if name in values else _NONE
        return {key: value for name in names for key, value in self._some[unit, name].items()}


def _name(unit: UnitStatus) -> str:
    return unit.name
