"""A task in a unit of its own: whoever is interrupted, or refused, leaves no unit."""

import pytest

from nsunit.bus.protocol import NO_SUCH_UNIT
from nsunit.core.context import Context
from nsunit.errors import BusError
from nsunit.features.images.fetch import tasks
from nsunit.storage.paths import Paths
from nsunit.units import Unit


class Systemd:
    def __init__(self, error, stopping=None):
        self.error, self.stopping, self.stopped = error, stopping, []

    def start_transient(self, _unit):
        raise self.error

    def stop(self, unit):
        self.stopped.append(unit)
        if self.stopping:
            raise self.stopping

    def wait(self, _job, _timeout):
        return "done"


@pytest.mark.parametrize(
    ("error", "stopping"),
    [
        (KeyboardInterrupt(), None),
        (KeyboardInterrupt(), BusError(NO_SUCH_UNIT, "no such unit")),
        (BusError("org.freedesktop.DBus.Error.AccessDenied", "refused"), BusError("x.y", "refused as well")),
    ],
)
def test_a_unit_that_is_asked_for_is_stopped(tmp_path, error, stopping):
    """It went on writing to a directory that was being removed."""
    context = Context(paths=Paths(str(tmp_path / "run"), str(tmp_path / "var")))
    context._bus = systemd = Systemd(error, stopping)
    with pytest.raises(type(error)) as caught:
        tasks.carry_out(context, str(tmp_path), {}, Unit("nsunit-unpack-x.service", ()))
    assert caught.value is error
    assert systemd.stopped == ["nsunit-unpack-x.service"]
