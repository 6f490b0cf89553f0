"""Link= and ExposedPort=."""

import pytest
from definitions import definition

from nsunit.definition.words import ValueProblem
from nsunit.errors import DefinitionError
from nsunit.features.links.keys import links
from nsunit.features.network.values import host_ports


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (host_ports, "x", "'x' has no valid port"),
        (links, "DB", "'DB' is not the name of a container"),
        (links, "db:-x", "'-x' is not a host name"),
    ],
)
def test_wrong_values(parse, text, message):
    with pytest.raises(ValueProblem) as caught:
        parse(text)
    assert caught.value.message == message
    assert caught.value.hint


def test_values():
    assert links("db:DB cache") == (("db", "DB"), ("cache", "cache"))
    assert host_ports("5432 53/udp") == ((5432, "tcp"), (53, "udp"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["Link=db"], "Link: it shares no network with anybody with Network=none"),
        (["Network=bridge", "Link=web"], "Link: a container cannot be linked with itself"),
        (["Network=bridge", "Link=a:DB b:db"], "Link: two containers are linked by the same alias"),
    ],
)
def test_contradictions(lines, message):
    with pytest.raises(DefinitionError) as caught:
        definition(*lines)
    assert f"[Container] {message}" in [problem.message for problem in caught.value.problems]
