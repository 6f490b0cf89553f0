"""The timer and the service of checks."""

import pytest
from definitions import definition
from facts import FACTS

from nsunit.definition.words import split
from nsunit.features.health.files import listener_files
from nsunit.features.health.plan import HealthFacts
from nsunit.features.health.setup import Health
from nsunit.plan.operations import operations
from nsunit.plan.units import units
from nsunit.setup.main import rare
from nsunit.setup.operation import dump, parse

LINES = ("Health=/bin/true", "HealthInterval=3s", "HealthTimeout=2s")
KNOWN = FACTS.with_extra("health", HealthFacts("/program.py", "user"))


def planned(*lines):
    return units(definition(*lines), KNOWN)


def values(unit):
    return {item.name: item.value for item in unit.properties}


def test_the_units():
    found = planned(*LINES, "[Service]", "LimitNOFILE=10:20", "Nice=3", "LogLevelMax=debug")
    timer, service = found.listeners
    assert (timer.name, service.name) == ("nsunit-web-health.timer", "nsunit-web-health.service")
    assert not found.waits
    assert found.entry.name == "nsunit-web.service"
    assert ("nsunit-web-health.timer",) in [item.value for item in found.service.properties if item.name == "Wants"]
    times = [item.value[0] for item in timer.properties if item.name == "TimersMonotonic"]
    assert times == [("OnActiveSec", 0), ("OnUnitActiveSec", 3_000_000)]
    assert values(timer)["BindsTo"] == values(timer)["After"] == ("nsunit-web.service",)
    assert values(timer)["StartLimitIntervalUSec"] == 0  # else it is given up where the container restarts often
    said = values(service)
    group = "/nsunit.slice/nsunit-web.slice/nsunit-web.service"
    program = ("-SI", "/program.py", "features.health.program")
    words = (*program, "/run/nsunit/containers/web", group, "nsunit-web.service", "user")
    assert said["ExecStart"][0][1][1:] == words
    assert said["TimeoutStartUSec"] == 35_000_000
    assert (said["LimitNOFILE"], said["LimitNOFILESoft"], said["Nice"], said["LogLevelMax"]) == (20, 10, 3, 5)
    assert not said.keys() & {"Slice", "BindsTo", "Requires", "After", "PartOf"}  # nothing may start the container


def test_what_is_ready_when_it_is_healthy_is_checked_before():
    timer, _ = planned(*LINES, "Notify=healthy").listeners
    assert "After" not in values(timer)
    (health,) = [item for item in operations(definition(*LINES, "Notify=healthy"), KNOWN) if isinstance(item, Health)]
    assert health.tells_ready
    (health,) = [item for item in operations(definition(*LINES), KNOWN) if isinstance(item, Health)]
    assert not health.tells_ready
    assert health.describe() == "have its health checked by '/bin/true'"


def test_nothing_without():
    assert planned("Health=no").listeners == ()
    assert listener_files(definition("Health=no"), KNOWN) == {}
    assert not [item for item in operations(definition("Health=no"), KNOWN) if isinstance(item, Health)]


def test_beside_sockets():
    keys = ("Network=bridge", "PublishPort=80:80", "Activation=fds", *LINES)
    found = planned(*keys)
    assert [unit.name for unit in found.listeners][1:] == ["nsunit-web-health.timer", "nsunit-web-health.service"]
    assert (found.waits, found.entry.name) == (True, "nsunit-web.socket")


def test_the_plan_comes_back():
    written = operations(definition(*LINES), KNOWN)
    health = next(item for item in written if isinstance(item, Health))
    assert parse(dump([health]), (), rare) == [health]


@pytest.mark.parametrize("line", ["OnUnitActiveSec=3000000us", "AccuracySec=50000us", "BindsTo=nsunit-web.service"])
def test_the_timer_as_a_file(line):
    assert line in listener_files(definition(*LINES), KNOWN)["nsunit-web-health.timer"].splitlines()


def test_the_service_as_a_file():
    text = listener_files(definition(*LINES, "[Service]", "LimitNOFILE=10:20"), KNOWN)["nsunit-web-health.service"]
    assert {"LimitNOFILE=10:20", "LogLevelMax=notice", "CollectMode=inactive-or-failed"} <= set(text.splitlines())


def test_the_path_of_its_group_is_the_same_in_the_file():
    """A slice has `\\x2d` for a dash, which systemd reads as an escape in a command: nothing was checked."""
    own = definition(*LINES, name="my-web")
    lines = listener_files(own, KNOWN)["nsunit-my\\x2dweb-health.service"].splitlines()
    (command,) = [line.partition("=")[2] for line in lines if line.startswith("ExecStart=")]
    said = values(units(own, KNOWN).listeners[1])["ExecStart"][0][1]
    assert tuple(split(command, c_escapes=True)) == said
    assert "/nsunit.slice/nsunit-my\\x2dweb.slice/nsunit-my-web.service" in said
