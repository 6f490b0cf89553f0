"""What every deed of the manager needs: the bus, the facts of the host, where definitions and state are."""

from __future__ import annotations

from nsunit.definition.search import SYSTEM_SEARCH_PATH, SearchPath
from nsunit.storage.paths import Paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.bus.protocol import SystemdClient
    from nsunit.definition.host import Host


class Context:
    """The bus and the host's facts are looked at when they are first needed, and once."""

    def __init__(self, search: SearchPath = SYSTEM_SEARCH_PATH, paths: Paths | None = None) -> None:
        self.search = search
        self.paths = paths or Paths()
        self._bus: SystemdClient | None = None
        self._host: Host | None = None

    @property
    def bus(self) -> SystemdClient:
        """The connection to systemd's manager.

        Raises:
            BusError: there is none to be had.
        """
        if self._bus is None:
            from nsunit.bus.systemd import Systemd

            self._bus = Systemd()
        return self._bus

    def connect(self) -> None:
        """Begin to connect to systemd, so that it can greet us while the rest of a verb is imported."""
        self.bus.connect()

    @property
    def host(self) -> Host:
        """Facts about the host that definitions are checked against."""
        if self._host is None:
            from nsunit.definition.host import host_facts

            self._host = host_facts(self.bus.version())
        return self._host


def open_context() -> Context:
    """The context of the system's own containers."""
    return Context()
