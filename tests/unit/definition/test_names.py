"""NetworkAlias=, AddHost= and the keys of the resolver."""

import pytest

from nsunit.definition.load import Host, load_text
from nsunit.definition.values_names import (
    Names,
    Tunnel,
    added_hosts,
    aliases,
    domains,
    exposed_ports,
    links,
    options,
    servers,
    tunnels,
)
from nsunit.definition.words import ValueProblem
from nsunit.errors import DefinitionError


def load(*lines):
    text = "\n".join(("[Container]", "Rootfs=/", "ReadOnly=yes", "Exec=/bin/true", *lines, ""))
    return load_text("web", text, "web.nsunit", Host(257)).container


def test_they_make_one_record():
    lines = ("Network=bridge", "NetworkAlias=db data_base", "NetworkAlias=db", "AddHost=a:192.0.2.1 b:[2001:DB8::1]")
    names = load(*lines, "DNS=9.9.9.9", "DNS=2620:fe::fe", "DNSSearch=example.org.", "DNSOption=ndots:2").names
    assert names == Names(
        ("db", "data_base"),
        (("a", "192.0.2.1"), ("b", "2001:db8::1")),
        ("9.9.9.9", "2620:fe::fe"),
        ("example.org",),
        ("ndots:2",),
    )
    assert load("Network=bridge").names is None
    assert load("Network=bridge", "DNS=9.9.9.9", "DNS=").names is None


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (aliases, "-db", "'-db' is not a host name"),
        (aliases, "10.91.0.7", "'10.91.0.7' is not a host name"),
        (aliases, "a..b", "'a..b' is not a host name"),
        (aliases, "x" * 64, f"'{'x' * 64}' is not a host name"),
        (aliases, "localhost", "'localhost' is every host's name for itself"),
        (added_hosts, "printer", "'printer' has no address"),
        (added_hosts, "printer:192.0.2", "'192.0.2' is not an address"),
        (added_hosts, "a#b:192.0.2.1", "'a#b' is not a host name"),
        (servers, "dns.example.org", "'dns.example.org' is not an address"),
        (domains, "a b;c", "'b;c' is not a host name"),
        (options, "ndots=2", "'ndots=2' is not an option of the resolver"),
        (exposed_ports, "x", "'x' has no valid port"),
        (links, "DB", "'DB' is not the name of a container"),
        (links, "db:-x", "'-x' is not a host name"),
        (tunnels, "db", "'db' does not say which port it leads to"),
        (tunnels, "db:0", "'0' is not a port"),
        (tunnels, f"db:{'9' * 5000}", f"'{'9' * 5000}' is not a port"),
        (tunnels, "db:5432:x", "'x' is not a port"),
        (tunnels, "db:5432:/proc/x", "'/proc/x' is in /proc, which nsunit sets up itself"),
        (tunnels, "db:5432:/" + "x" * 107, f"'/{'x' * 107}' is too long for a socket"),
    ],
)
def test_wrong_values(parse, text, message):
    with pytest.raises(ValueProblem) as caught:
        parse(text)
    assert caught.value.message == message
    assert caught.value.hint


def test_a_dot_means_no_domain():
    assert domains(".") == (".",)


def test_links_and_tunnels():
    assert links("db:DB cache") == (("db", "DB"), ("cache", "cache"))
    assert tunnels("db:5432 db:5432:15432 db:5432:/run/db.sock") == (
        Tunnel("db", 5432, "5432"),
        Tunnel("db", 5432, "15432"),
        Tunnel("db", 5432, "/run/db.sock"),
    )
    assert exposed_ports("5432 53/udp") == ((5432, "tcp"), (53, "udp"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["Link=db"], "Link: it shares no network with anybody with Network=none"),
        (["Network=bridge", "Link=web"], "Link: a container cannot be linked with itself"),
        (["Network=bridge", "Link=a:DB b:db"], "Link: two containers are linked by the same alias"),
        (["Tunnel=web:80"], "Tunnel: a container cannot have a tunnel to itself"),
        (["Tunnel=a:80 b:80"], "Tunnel: two tunnels begin at the same place"),
        (["Network=host", "Tunnel=a:80"], "Tunnel: the port would be the host's with Network=host"),
        (
            ["MountNamespace=host", "UserNamespace=host", "Tunnel=a:80:/run/a"],
            "Tunnel: nothing is made with MountNamespace=, its file systems are there already",
        ),
        (["NetworkAlias=db"], "NetworkAlias: nobody would find it with Network=none"),
        (["DNS=9.9.9.9"], "DNS: there is no server to ask with Network=none"),
        (["DNSOption=rotate"], "DNSOption: there is no server to ask with Network=none"),
        (
            ["Network=host", "DNS=192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4"],
            "DNS: the C library asks 3 servers at most, and here are 4",
        ),
        (
            ["MountNamespace=host", "UserNamespace=host", "AddHost=a:192.0.2.1"],
            "AddHost: nothing is mounted with MountNamespace=, its file systems are there already",
        ),
    ],
)
def test_contradictions(lines, message):
    with pytest.raises(DefinitionError) as caught:
        load(*lines)
    assert f"[Container] {message}" in [problem.message for problem in caught.value.problems]
