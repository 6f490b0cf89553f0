"""Units that listen for containers, and what waits for a payload to listen."""

from nsunit.definition.model import Assignment, Container, Definition
from nsunit.features.activation.plan import ListenFacts, entry_socket, listener_directives
from nsunit.features.network.model import firewall
from nsunit.features.network.model.attachment import SOCKET_MARK
from nsunit.features.network.values import Connected, Listened, Port
from nsunit.plan.facts import Facts
from nsunit.plan.units import install_links, units

FACTS = Facts(
    257,
    "/usr/bin/python3",
    "/run.py",
    "/run/nsunit/containers/my-web",
    directories=("/run/nsunit/network/my-web",),
    directories_stay=True,
    extras=(("activation", ListenFacts("10.91.0.2", "/listening.py")),),
)


def definition(*ports, activation="socket", idle_stop=0):
    extras = (("network", Connected(published_ports=ports)), ("activation", Listened(activation, idle_stop)))
    container = Container(("/app",), network="bridge", extras=extras)
    return Definition("my-web", container, (), (), ())


def texts(directives):
    return [f"{item.key}={item.text}" for item in directives]


def test_one_socket_and_one_proxy_for_each_port_inside():
    planned = listener_directives(
        definition(
            Port("", 8080, 80, "tcp"), Port("::1", 81, 80, "tcp"), Port("192.0.2.1", 443, 443, "tcp"), idle_stop=9
        ),
        FACTS,
    )
    first, second = "nsunit-my\\x2dweb-port-80", "nsunit-my\\x2dweb-port-443"
    assert list(planned) == [f"{first}.socket", f"{first}.service", f"{second}.socket", f"{second}.service"]
    socket = texts(planned[f"{first}.socket"])
    assert [line for line in socket if line.startswith("Listen")] == [
        "ListenStream=[::]:8080",
        "ListenStream=[::1]:81",
    ]
    assert f"Requires={second}.socket" in socket
    assert "RuntimeDirectory=nsunit/containers/my-web nsunit/network/my-web" in socket
    assert not any("RuntimeDirectory" in line for line in texts(planned[f"{second}.socket"]))
    proxy = texts(planned[f"{second}.service"])
    assert "ExecStart=/usr/lib/systemd/systemd-socket-proxyd --exit-idle-time=9us 10.91.0.2:443" in proxy
    assert "BindsTo=nsunit-my-web.service" in proxy
    cgroup = "/sys/fs/cgroup/nsunit.slice/nsunit-my\\\\x2dweb.slice/nsunit-my-web.service"  # escaped for systemd
    assert (
        f"ExecStartPre=+/usr/bin/python3 -SI /listening.py features.activation.program {cgroup} 10.91.0.2 443 60"
        in proxy
    )


def test_what_fails_at_each_start_is_given_up():
    ports = Port("", 8080, 80, "tcp")
    for idle_stop, seconds in ((30_000_000, 120), (3_600_000_000, 600), (0, 0), (9, 0), ((1 << 64) - 1, 0)):
        one = definition(ports, idle_stop=idle_stop)
        said = {item.name: item.value for item in units(one, FACTS).service.properties}
        assert said.get("StartLimitIntervalUSec", 0) == seconds * 1_000_000
    restarted = definition(ports, idle_stop=30_000_000).replace(assignments=(Assignment("Service", "Restart", "no"),))
    assert "StartLimitIntervalUSec" not in {item.name for item in units(restarted, FACTS).service.properties}
    planned = listener_directives(one, FACTS)
    assert "TriggerLimitIntervalSec=5s" in texts(planned["nsunit-my\\x2dweb-port-80.socket"])
    assert "Restart=on-abort" in texts(planned["nsunit-my\\x2dweb-port-80.service"])


def test_a_mark_opens_the_published_ports_to_other_containers():
    for how in ("socket", "fds"):
        found = listener_directives(definition(Port("", 8080, 80, "tcp"), activation=how), FACTS)
        assert f"Mark={SOCKET_MARK}" in texts(next(iter(found.values())))
    loopback = listener_directives(definition(Port("::1", 8080, 80, "tcp"), activation=""), FACTS)
    assert not any("Mark=" in line for directives in loopback.values() for line in texts(directives))
    (rule,) = (expr for family, chain, expr in firewall._base_rules() if "socket" in str(expr))
    assert [part.get("match", {}).get("right") for part in rule] == ["@bridges", "@internal", SOCKET_MARK, None]
    assert rule[1]["match"]["op"] == "!="


def test_the_container_is_bound_to_its_socket_and_its_directories_last():
    planned = units(definition(Port("", 8080, 80, "tcp"), idle_stop=9), FACTS)
    assert planned.entry.name == "nsunit-my\\x2dweb-port-80.socket"
    said = {item.name: item.value for item in planned.service.properties}
    assert said["BindsTo"] == said["After"] == (planned.entry.name,)
    assert said["StopWhenUnneeded"] is True
    assert said["RuntimeDirectory"] == ()
    for idle_stop in (0, (1 << 64) - 1):
        planned = units(definition(Port("", 8080, 80, "tcp"), idle_stop=idle_stop), FACTS)
        assert "StopWhenUnneeded" not in {item.name for item in planned.service.properties}
        proxy = {item.name: item.value for item in planned.listeners[1].properties}
        assert proxy["ExecStart"][0][1][1:] == ("10.91.0.2:80",)


def test_descriptors_come_from_a_socket_of_the_services_name():
    one = definition(Port("", 53, 53, "udp"), Port("192.0.2.1", 80, 80, "tcp"), activation="fds")
    planned = listener_directives(one, FACTS)
    assert list(planned) == ["nsunit-my-web.socket"] == [entry_socket(one)]
    said = texts(planned["nsunit-my-web.socket"])
    assert said[1:3] == ["ListenDatagram=[::]:53", "ListenStream=192.0.2.1:80"]
    assert install_links(one, "multi-user.target") == ("sockets.target.wants/nsunit-my-web.socket",)


def test_a_port_of_six_loopback_is_carried_while_the_container_runs():
    one = definition(Port("", 8080, 80, "tcp"), Port("::1", 8080, 80, "tcp"), activation="")
    planned = units(one, FACTS.replace(directories_stay=False))
    assert planned.entry is planned.service
    socket, proxy = planned.others
    assert socket.name == "nsunit-my\\x2dweb-port-80.socket"
    said = [(item.name, item.value) for item in socket.properties]
    assert ("Listen", (("Stream", "[::1]:8080"),)) in said
    assert ("BindsTo", ("nsunit-my-web.service",)) in said
    assert ("Wants", (socket.name,)) in [(item.name, item.value) for item in planned.service.properties]
    assert install_links(one, "multi-user.target") == ("multi-user.target.wants/nsunit-my-web.service",)
