"""Before a start: nothing is left of what checked an earlier run."""

from types import SimpleNamespace

import pytest
from definitions import definition

from nsunit.bus.protocol import NO_SUCH_UNIT, bus_error
from nsunit.errors import BusError
from nsunit.features.health.deeds import check_now


class Bus:
    """A check is under way when the units are listed, and over when it is to be stopped: systemd has unloaded it."""

    def __init__(self, error):
        self.error = error
        self.asked = []

    def list_units(self, names):
        return [SimpleNamespace(name=name, active_state="activating") for name in names]

    def stop(self, unit):
        self.asked.append(unit)
        raise bus_error(self.error, f"Unit {unit} not loaded.")

    def wait(self, job, timeout):
        raise AssertionError("there is no job")

    def reset_failed(self, unit):
        raise bus_error(NO_SUCH_UNIT, f"Unit {unit} not loaded.")


def test_a_check_may_be_over_before_it_is_ended():
    bus = Bus(NO_SUCH_UNIT)
    check_now(SimpleNamespace(bus=bus), definition("Health=/bin/true"))
    assert bus.asked == ["nsunit-web-health.timer", "nsunit-web-health.service"]
    with pytest.raises(BusError, match="not loaded"):
        check_now(SimpleNamespace(bus=Bus("org.freedesktop.DBus.Error.AccessDenied")), definition("Health=/bin/true"))
