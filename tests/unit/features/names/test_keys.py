"""NetworkAlias=, AddHost= and the keys of the resolver."""

import pytest
from definitions import definition

from nsunit.definition.words import ValueProblem
from nsunit.errors import DefinitionError
from nsunit.features.names.values import Names, added_hosts, aliases, domains, of, options, servers


def test_they_make_one_record():
    lines = ("Network=bridge", "NetworkAlias=db data_base", "NetworkAlias=db", "AddHost=a:192.0.2.1 b:[2001:DB8::1]")
    lines += ("DNS=9.9.9.9", "DNS=2620:fe::fe", "DNSSearch=example.org.", "DNSOption=ndots:2")
    assert of(definition(*lines).container) == Names(
        ("db", "data_base"),
        (("a", "192.0.2.1"), ("b", "2001:db8::1")),
        ("9.9.9.9", "2620:fe::fe"),
        ("example.org",),
        ("ndots:2",),
    )
    assert not definition("Network=bridge").container.uses("names")
    assert not definition("Network=bridge", "DNS=9.9.9.9", "DNS=").container.uses("names")


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
    ],
)
def test_wrong_values(parse, text, message):
    with pytest.raises(ValueProblem) as caught:
        parse(text)
    assert caught.value.message == message
    assert caught.value.hint


def test_a_dot_means_no_domain():
    assert domains(".") == (".",)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
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
        definition(*lines)
    assert f"[Container] {message}" in [problem.message for problem in caught.value.problems]
