"""What is refused of containers that are listened for."""

import fnmatch
import types

import pytest

from nsunit.bus.protocol import UnitStatus
from nsunit.definition.model import Container, Definition
from nsunit.definition.values_network import Port
from nsunit.errors import NsunitError
from nsunit.manager import activation, listening, network
from nsunit.names import container_of_listener, socket_name

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


class Bus:
    """systemd with some units, of which one may fail again."""

    def __init__(self, units, result="done"):
        self.units, self.result, self.deeds = units, result, []

    def list_units(self, patterns):
        return [unit for unit in self.units if any(fnmatch.fnmatchcase(unit.name, pattern) for pattern in patterns)]

    def get(self, unit, *properties):
        return {"Result": "timeout" if unit.endswith(".service") else "resources"}

    def start(self, unit):
        self.deeds.append(("start", unit))

    def reset_failed(self, unit):
        self.deeds.append(("reset", unit))

    def wait(self, job, timeout):
        return self.result


def unit(name, state):
    return UnitStatus(name, "", "loaded", state, "", "")


SOCKETS = [
    unit("nsunit-web-port-80.socket", "active"),
    unit("nsunit-web-port-80.service", "failed"),
    unit("nsunit-web-port-81.socket", "failed"),
    unit("nsunit-web.service", "failed"),
    unit("nsunit-other-port-80.socket", "failed"),
]


def test_what_systemd_has_given_up_is_mended():
    bus = Bus(SOCKETS)
    assert activation.mend(types.SimpleNamespace(bus=bus), "web")
    first, second = "nsunit-web-port-80.service", "nsunit-web-port-81.socket"
    assert bus.deeds == [("reset", first), ("reset", second), ("start", second)]
    assert not activation.mend(types.SimpleNamespace(bus=Bus(SOCKETS)), "db")
    with pytest.raises(
        NsunitError, match=f"web: systemd cannot listen again: the start of '{second}' ended as 'failed'"
    ):
        activation.mend(types.SimpleNamespace(bus=Bus(SOCKETS, "failed")), "web")


def test_what_has_failed_is_told():
    found = listening.by_container(SOCKETS)
    assert (found["web"].listening, found["web"].given_up, found["other"].listening) == (True, True, False)
    context = types.SimpleNamespace(bus=Bus(SOCKETS))
    assert listening.note(context, "web", found["web"]) == (
        "systemd does not listen on 'nsunit-web-port-81.socket', which has failed ('resources'); 'nsunit start web' "
        "tries again"
    )
    assert listening.note(context, "db", listening.NONE) == ""
    for result in ("service-start-limit-hit", "trigger-limit-hit"):
        assert listening.describe("web", "nsunit-web.socket", result) == (
            f"systemd listens for it no more, as it was started too often in vain ('{result}' of 'nsunit-web.socket'); "
            "'nsunit logs web' says why, 'nsunit start web' has it listen again"
        )
    assert listening.describe("web", "nsunit-web-port-80.service", "exit-code") == (
        "the proxy 'nsunit-web-port-80.service' has failed ('exit-code'); the next connection tries again"
    )


def test_whose_sockets_and_proxies_they_are():
    for name in ("web", "my-web", "web@blue", "a.b_c"):
        own = socket_name(name, 80)
        for item in (socket_name(name), own, own.replace(".socket", ".service")):
            assert container_of_listener(item) == name, item
    others = ("nsunit-web.service", "nsunit-a-b.socket", "nsunit-Web.socket", "web.socket", "nsunit-web-port-.service")
    for other in (*others, "nsunit-web-port-x.socket", "nsunit-web-port-80.scope", "nsunit-web-port-080.socket"):
        assert container_of_listener(other) is None, other


def test_a_start_now_that_fails():
    units = [types.SimpleNamespace(name="nsunit-web-port-80.socket")]
    bus = types.SimpleNamespace(
        list_units=lambda patterns: units, start=lambda unit: unit, wait=lambda job, timeout: "dependency"
    )
    context = types.SimpleNamespace(bus=bus)
    outcomes = [activation.Outcome("web", "listening"), activation.Outcome("other", "started")]
    (found,) = activation.start_now(context, outcomes)
    assert str(found.error) == "web: the start of 'nsunit-web-port-80.service' ended as 'dependency'"
