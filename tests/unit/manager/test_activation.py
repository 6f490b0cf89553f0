"""What is refused of containers that are listened for."""

import types

import pytest

from nsunit.definition.model import Container, Definition
from nsunit.definition.values_network import Port
from nsunit.errors import NsunitError
from nsunit.manager import activation, network

WEB = Definition(
    "web", Container(("/app",), published_ports=(Port("", 80, 80, "tcp"),), activation="socket"), (), (), ()
)
CONTEXT = types.SimpleNamespace(cgroup="")


def test_without_the_proxy(monkeypatch):
    monkeypatch.setattr(activation, "PROXY", "/missing/proxyd")
    with pytest.raises(NsunitError, match="web: PublishPort= needs '/missing/proxyd' here, which is not installed"):
        activation.listening_facts(CONTEXT, WEB)
    fds = WEB.replace(container=WEB.container.replace(activation="fds"))
    assert activation.listening_facts(CONTEXT, fds) == {}


def test_where_the_host_has_no_way_in(monkeypatch):
    monkeypatch.setattr(activation, "PROXY", "/bin/sh")
    monkeypatch.setattr(network, "attachment_of", lambda context, name: types.SimpleNamespace(interfaces=()))
    with pytest.raises(NsunitError, match="web: PublishPort=: the host reaches none of its networks"):
        activation.listening_facts(CONTEXT, WEB)
    monkeypatch.setattr(network, "attachment_of", lambda context, name: None)
    assert activation.listening_facts(CONTEXT, WEB)["listen_address"] == "ADDRESS"  # for `render`


def test_a_start_now_that_fails():
    units = [types.SimpleNamespace(name="nsunit-web-port-80.socket")]
    bus = types.SimpleNamespace(
        list_units=lambda patterns: units, start=lambda unit: unit, wait=lambda job, timeout: "dependency"
    )
    context = types.SimpleNamespace(bus=bus)
    outcomes = [activation.Outcome("web", "listening"), activation.Outcome("other", "started")]
    (found,) = activation.start_now(context, outcomes)
    assert str(found.error) == "web: the start of 'nsunit-web-port-80.service' ended as 'dependency'"
