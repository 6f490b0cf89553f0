from types import SimpleNamespace

import pytest

from nsunit.bus.protocol import ACCESS_DENIED, TRANSACTION_IS_DESTRUCTIVE, Job
from nsunit.deeds.session.foreground import start_scope
from nsunit.errors import BusError, NotFoundError, NsunitError
from nsunit.units import Unit

SCOPE = Unit("nsunit-web-exec-1.scope", ())


def context(result):
    def start_transient(unit, auxiliary):
        if isinstance(result, Exception):
            raise result
        return Job("/job/1", unit.name, "start")

    bus = SimpleNamespace(start_transient=start_transient, wait=lambda job, timeout: result)
    return SimpleNamespace(bus=bus)


def test_a_scope_that_is_there():
    start_scope(context("done"), "web", SCOPE)


@pytest.mark.parametrize(
    ("result", "kind", "text"),
    [
        ("failed", NsunitError, "web: the scope's job ended as 'failed'"),
        (BusError(TRANSACTION_IS_DESTRUCTIVE, "is destructive"), NotFoundError, "web: it is being stopped"),
        (BusError(ACCESS_DENIED, "no"), BusError, "no"),
    ],
)
def test_a_scope_that_cannot_be_made(result, kind, text):
    with pytest.raises(kind) as caught:
        start_scope(context(result), "web", SCOPE)
    assert caught.value.message == text
