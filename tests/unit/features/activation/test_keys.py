"""Activation= and IdleStop=."""

import pytest
from definitions import definition

from nsunit.errors import DefinitionError
from nsunit.features.network.values import Listened, listened


def test_what_is_said():
    container = definition("Network=bridge", "PublishPort=8080:80", "Activation=socket", "IdleStop=5min").container
    assert listened(container) == Listened("socket", 300_000_000)
    assert definition("Activation=fds", "PublishPort=5353:53/udp").container.network == "none"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("IdleStop=5", "IdleStop= is for Activation=socket"),
        ("Network=bridge Activation=socket", "there is nothing to listen on for Activation=socket"),
        ("Network=none Activation=socket PublishPort=1:1", "connections do not get in with Network=none"),
        (
            "Network=bridge Activation=socket PublishPort=1:1/udp",
            "1/udp cannot be published with Activation=socket",
        ),
        ("Activation=fds PublishPort=1:1/sctp", "1/sctp cannot be published with Activation=fds"),
        (
            "Activation=fds PublishPort=1:1 IdleStop=9",
            "nobody but the program knows the connections of Activation=fds",
        ),
        (
            "Activation=fds PublishPort=1:1 Init=yes",
            "the sockets would be handed to process 1, which Init=yes makes another",
        ),
        (
            "Activation=fds PublishPort=1:1 PublishPort=127.0.0.1:1:2",
            "127.0.0.1:1/tcp is published for all addresses as well",
        ),
        ("Network=bridge PublishPort=[::1]:1:1/udp", "[::1]:1/udp cannot be published"),
        ("Activation=now", "'now' is not one of its values"),
    ],
)
def test_what_does_not_fit(lines, message):
    with pytest.raises(DefinitionError) as caught:
        definition(*lines.split())
    assert message in str(caught.value)
