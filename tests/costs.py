"""A pytest plugin (`-p costs`) that says what tests cost: processor time of the whole system, and time on the clock.

Of the system that the tests are in: what systemd, the containers and other daemons did meanwhile counts, as nobody can
tell it apart.  Where something else runs beside the tests in the same system, the figures are of both.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

STAT = Path("/sys/fs/cgroup/cpu.stat")  # of the namespace's root: the whole system
SHOWN = int(os.environ.get("NSUNIT_TEST_COSTS", "15"))


def used() -> float:
    """Return the seconds of processor time that the system has used, see cgroup-v2.rst."""
    return int(STAT.read_text().split(maxsplit=2)[1]) / 1e6


class Costs:
    """Adds up what each part of each test took: of a module's or the session's fixtures, who asked first has them."""

    def __init__(self) -> None:
        self.tests: dict[str, tuple[float, float]] = {}

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)  # as Debian 12's pytest has it
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        begun, before = time.monotonic(), used()
        yield
        self.tests[item.nodeid] = (used() - before, time.monotonic() - begun)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        modules: dict[str, tuple[float, float]] = {}
        for name, (processor, clock) in self.tests.items():
            module = name.partition("::")[0]
            known = modules.get(module, (0.0, 0.0))
            modules[module] = known[0] + processor, known[1] + clock
        whole = sum(processor for processor, _ in self.tests.values())
        terminalreporter.section(f"costs: {whole:.1f} s of processor time, the first {SHOWN}: processor, clock")
        for costs in (modules, self.tests):
            for name, (processor, clock) in sorted(costs.items(), key=lambda cost: -cost[1][0])[:SHOWN]:
                terminalreporter.line(f"{processor:8.2f}s {clock:8.2f}s {name}")


def pytest_configure(config: pytest.Config) -> None:
    if STAT.exists():
        config.pluginmanager.register(Costs(), "nsunit-costs")
