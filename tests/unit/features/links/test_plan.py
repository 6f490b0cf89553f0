"""What containers need of each other, and what they are told."""

from definitions import definition

from nsunit.features.links.plan import ports_of, variables
from nsunit.plan.facts import Facts

FACTS = Facts(257, "/usr/bin/python3", "/h/run.py", "/run/nsunit/containers/web", extras=(("tunnels", "/proxyd"),))


def test_variables_as_docker_has_them():
    ports = ((80, "tcp"), (53, "udp"))
    assert variables("web", "my-db", "fd00::2", ports) == (
        ("MY_DB_NAME", "/web/my-db"),
        ("MY_DB_PORT", "tcp://[fd00::2]:80"),
        ("MY_DB_PORT_80_TCP", "tcp://[fd00::2]:80"),
        ("MY_DB_PORT_80_TCP_ADDR", "fd00::2"),
        ("MY_DB_PORT_80_TCP_PORT", "80"),
        ("MY_DB_PORT_80_TCP_PROTO", "tcp"),
        ("MY_DB_PORT_53_UDP", "udp://[fd00::2]:53"),
        ("MY_DB_PORT_53_UDP_ADDR", "fd00::2"),
        ("MY_DB_PORT_53_UDP_PORT", "53"),
        ("MY_DB_PORT_53_UDP_PROTO", "udp"),
    )
    assert variables("web", "db", "10.0.0.2", ()) == (("DB_NAME", "/web/db"),)


def test_ports_are_those_that_it_says_it_serves():
    container = definition("Network=bridge", "ExposedPort=5432 53/udp 80", "PublishPort=8080:80 9:9/udp").container
    assert ports_of(container) == ((80, "tcp"), (5432, "tcp"), (9, "udp"), (53, "udp"))
    assert ports_of(definition().container) == ()
