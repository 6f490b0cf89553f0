"""Stand-ins for the manager: each test says what its functions return."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import types

import pytest

import nsunit.cli
from nsunit.cli import main as cli_main
from nsunit.definition.host import Host
from nsunit.definition.search import SearchPath
from nsunit.record import Record
from nsunit.storage.paths import Paths

# All are imported now, so that a function is replaced wherever it was imported from its module, and is put back.
for found in pkgutil.walk_packages(nsunit.cli.__path__, "nsunit.cli."):
    importlib.import_module(found.name)


class FakeContext:
    def __init__(self, search=None, paths=None, *, user=False):
        self.search = search or SearchPath(("/nonexistent",))
        self.paths = paths or Paths("/nonexistent", "/nonexistent")
        self.user = user
        self.cgroup = ""
        self.features = ()
        self.host = Host(257)
        self.transient = "/run/systemd/transient/"
        self.moving = types.SimpleNamespace(begin=lambda: None, end=lambda: None)
        self.bus = types.SimpleNamespace(
            version=lambda: 257,
            unit_paths=lambda: (),
            list_units=lambda _patterns: [],
            get=lambda _unit, *_names: {"LoadState": "loaded"},
        )

    def with_bus(self, _client):
        return self

    def connect(self):
        """There is nothing to connect to."""


class Outcome(Record):
    name: str
    state: str
    differences: tuple = ()
    error: Exception | None = None
    deaf_to: int = 0


class ContainerState(Record):
    name: str
    active_state: str = "active"
    sub_state: str = "running"
    pid: int = 0
    since_usec: int | None = None
    memory: int | None = None
    tasks: int | None = None
    cpu_usec: int | None = None
    unit: str = "nsunit-web.service"
    slice: str = "nsunit-web.slice"
    definition: str | None = None
    enabled: bool = False
    note: str = ""
    frozen: bool = False
    health: str | None = None
    next_elapse_usec: int | None = None


class Status(Record):
    state: ContainerState
    description: str = ""
    sources: tuple = ()
    result: str = "success"
    exit_status: int | None = None
    signal: str = ""
    frozen: bool = False
    main_command: str = ""
    memory_peak: int | None = None
    memory_limit: int | None = None
    tasks_limit: int | None = None
    cpu_quota: int | None = None
    io_read: int | None = None
    io_write: int | None = None
    oom_kills: int = 0
    managed_oom_kills: int = 0
    invocation: str = ""
    log_namespace: str = ""
    control_group: str = ""
    root: object = None
    ids: object = None
    namespaces: dict = {}
    processes: tuple = ()
    notes: tuple = ()
    networks: tuple = ()
    addresses: tuple = ()
    ports: tuple = ()
    health: Record | None = None
    timer: str = ""
    next_elapse_usec: int | None = None
    last_trigger_usec: int | None = None
    image: str = ""
    image_id: str = ""


@pytest.fixture
def manager(monkeypatch):
    """Put functions in place of those of the rooms below: `manager("deeds.start", start=…)`."""

    def put(module, **functions):
        owner = importlib.import_module(f"nsunit.{module}")
        for name, function in functions.items():
            replaced = getattr(owner, name)
            users = [found for key, found in sys.modules.items() if key.startswith("nsunit.cli")]
            for user in (owner, *users):
                for key in [key for key, value in vars(user).items() if value is replaced]:
                    monkeypatch.setattr(user, key, function)

    context = FakeContext()

    def open_context(warn=None):
        context.warn = warn or (lambda line: None)
        return context

    put("core.context", open_context=open_context, Context=FakeContext)
    put.context = context
    put.Outcome, put.ContainerState, put.Status = Outcome, ContainerState, Status
    return put


@pytest.fixture
def nsunit(monkeypatch, capsys):
    """Run a command line; returns its exit status, standard output and standard error."""
    monkeypatch.setattr(cli_main, "_unwind_on_signals", lambda: None)

    def run(*arguments):
        status = cli_main.main(arguments)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
