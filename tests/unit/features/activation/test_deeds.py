"""What is refused of containers that are listened for."""

import types

import pytest
from listener_units import SOCKETS, Bus

from nsunit.core import programs
from nsunit.definition.model import Container, Definition
from nsunit.errors import NsunitError
from nsunit.features.activation import deeds as activation
from nsunit.features.activation.plan import ListenFacts
from nsunit.features.network.values import Connected, Listened, Port

PORTS = Connected(published_ports=(Port("", 80, 80, "tcp"),))
WEB = Definition(
    "web", Container(("/app",), extras=(("network", PORTS), ("activation", Listened("socket")))), (), (), ()
)
CONTEXT = types.SimpleNamespace(cgroup="")


def test_without_the_proxy(monkeypatch):
    monkeypatch.setattr(programs, "SOCKET_PROXY", "/missing/proxyd")
    with pytest.raises(NsunitError, match="web: PublishPort= needs '/missing/proxyd' here, which is not installed"):
        activation.listening_facts(CONTEXT, WEB)
    fds = WEB.replace(container=WEB.container.with_extra("activation", Listened("fds")))
    assert activation.listening_facts(CONTEXT, fds) == ListenFacts()


def test_where_the_host_has_no_way_in(monkeypatch):
    monkeypatch.setattr(programs, "SOCKET_PROXY", "/bin/sh")
    monkeypatch.setattr(activation, "attachment_of", lambda context, name: types.SimpleNamespace(interfaces=()))
    with pytest.raises(NsunitError, match="web: PublishPort=: the host reaches none of its networks"):
        activation.listening_facts(CONTEXT, WEB)
    monkeypatch.setattr(activation, "attachment_of", lambda context, name: None)
    assert activation.listening_facts(CONTEXT, WEB).address == "ADDRESS"  # for `render`


def test_what_systemd_has_given_up_is_mended():
    bus = Bus(SOCKETS)
    assert activation.repair(types.SimpleNamespace(bus=bus), "web")
    first, second = "nsunit-web-port-80.service", "nsunit-web-port-81.socket"
    assert bus.deeds == [("reset", first), ("reset", second), ("start", second)]
    assert not activation.repair(types.SimpleNamespace(bus=Bus(SOCKETS)), "db")
    with pytest.raises(
        NsunitError, match=f"web: systemd cannot listen again: the start of '{second}' ended as 'failed'"
    ):
        activation.repair(types.SimpleNamespace(bus=Bus(SOCKETS, "failed")), "web")


def test_a_start_now_that_fails():
    units = [types.SimpleNamespace(name="nsunit-web-port-80.socket")]
    bus = types.SimpleNamespace(
        list_units=lambda patterns: units, start=lambda unit: unit, wait=lambda job, timeout: "dependency"
    )
    context = types.SimpleNamespace(bus=bus)
    outcomes = [activation.Outcome("web", "listening"), activation.Outcome("other", "started")]
    (found,) = activation.start_now(context, outcomes)
    assert str(found.error) == "web: the start of 'nsunit-web-port-80.service' ended as 'dependency'"
