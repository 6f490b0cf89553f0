"""What containers need of each other, and what they are told."""

from nsunit.definition.load import Host, load_text
from nsunit.plan.facts import Facts
from nsunit.plan.linked import ports_of, variables
from nsunit.plan.needs import needed_containers
from nsunit.plan.setup import operations
from nsunit.plan.units import units

FACTS = Facts(257, "/usr/bin/python3", "/h/run.py", "/run/nsunit/containers/web", socket_proxy="/proxyd")


def load(*lines):
    text = "\n".join(("[Container]", "Rootfs=/", "ReadOnly=yes", "Exec=/bin/true", *lines, ""))
    return load_text("web", text, "web.nsunit", Host(257))


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
    container = load("Network=bridge", "ExposedPort=5432 53/udp 80", "PublishPort=8080:80 9:9/udp").container
    assert ports_of(container) == ((80, "tcp"), (5432, "tcp"), (9, "udp"), (53, "udp"))
    assert ports_of(load().container) == ()


def test_the_unit_is_bound_to_what_it_needs():
    definition = load("Network=bridge", "Link=db cache", "Tunnel=mail:25", "IPCNamespace=container:db")
    assert needed_containers(definition.container) == {
        "cache": "it is linked with",
        "db": "it shares namespaces with",
        "mail": "a tunnel leads to",
    }
    services = ("nsunit-cache.service", "nsunit-db.service", "nsunit-mail.service")
    properties = {item.name: item.value for item in units(definition, FACTS).service.properties}
    assert properties["BindsTo"] == properties["After"] == services
    assert needed_containers(load().container) == {}


def test_a_tunnel_is_a_step_of_the_set_up():
    steps = [item for item in operations(load("Tunnel=my-db:5432:/run/db"), FACTS) if item.keyword == "tunnel"]
    assert [item.arguments() for item in steps] == [
        ("/proxyd", "tunnel", r"nsunit-my\x2ddb.service", "5432", "/run/db"),
    ]
    alone = load("Tunnel=db:5432", "[Service]", "Delegate=no")
    assert [item.arguments()[1] for item in operations(alone, FACTS) if item.keyword == "tunnel"] == [""]
