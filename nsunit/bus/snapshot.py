"""systemd's manager for verbs that only read, and of many units: nothing is asked for twice."""

from __future__ import annotations

from bisect import bisect_left
from fnmatch import fnmatchcase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.bus.protocol import SystemdClient, UnitStatus

# Not slices: systemd describes one by its unescaped name, and can list none where that of anybody's is no UTF-8.
_BEGINNING, _ENDINGS = "nsunit-", (".service", ".scope", ".socket")
_NONE: dict[str, object] = {}


class Snapshot:
    """What *client* said of units; it says the rest itself.

    Each ListUnitsByPatterns has systemd go through all of its units, so one for each container grows with the square
    of their number: those of services, scopes and sockets are listed once, as they are when the first is asked for.
    Properties are asked for when somebody wants them, and kept until `forget`.
    """

    def __init__(self, client: SystemdClient) -> None:
        self._client = client
        self._units: list[UnitStatus] | None = None
        self._names: list[str] = []
        self._all: dict[str, dict[str, object]] = {}
        self._some: dict[tuple[str, str], dict[str, object]] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)

    def forget(self) -> None:
        """Forget properties: of a thousand containers they take much memory."""
        self._all.clear()
        self._some.clear()

    def list_units(self, patterns: Sequence[str]) -> list[UnitStatus]:
        """See SystemdClient; of the units as they were listed first."""
        if not all(pattern.startswith(_BEGINNING) and pattern.endswith(_ENDINGS) for pattern in patterns):
            return self._client.list_units(patterns)
        if self._units is None:
            listed = self._client.list_units([f"{_BEGINNING}*{ending}" for ending in _ENDINGS])
            self._units = sorted(listed, key=lambda unit: unit.name)
            self._names = [unit.name for unit in self._units]
        found = {}
        for pattern in patterns:
            beginning = min((pattern.partition(mark)[0] for mark in "*?["), key=len)
            for index in range(bisect_left(self._names, beginning), len(self._names)):
                name = self._names[index]
                if not name.startswith(beginning):
                    break
                if fnmatchcase(name, pattern):
                    found[name] = self._units[index]
        return list(found.values())

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
