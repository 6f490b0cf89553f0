"""What is told of the sockets and proxies of containers."""

import types

from listener_units import SOCKETS, Bus

from nsunit.core import listeners as listening
from nsunit.names import container_of_listener, socket_name


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
    others = (
        "nsunit-web.service",
        "nsunit-sd-notify@web.socket",
        "nsunit-Web.socket",
        "web.socket",
        "nsunit-web-port-.service",
    )
    for other in (*others, "nsunit-web-port-x.socket", "nsunit-web-port-80.scope", "nsunit-web-port-080.socket"):
        assert container_of_listener(other) is None, other
