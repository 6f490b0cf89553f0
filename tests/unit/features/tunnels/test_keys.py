"""Tunnel=."""

import pytest
from definitions import definition

from nsunit.definition.words import ValueProblem
from nsunit.errors import DefinitionError
from nsunit.features.tunnels.keys import Tunnel, tunnels


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("db", "'db' does not say which port it leads to"),
        ("db:0", "'0' is not a port"),
        (f"db:{'9' * 5000}", f"'{'9' * 5000}' is not a port"),
        ("db:5432:x", "'x' is not a port"),
        ("db:5432:/proc/x", "'/proc/x' is in /proc, which nsunit sets up itself"),
        ("db:5432:/" + "x" * 107, f"'/{'x' * 107}' is too long for a socket"),
    ],
)
def test_wrong_values(text, message):
    with pytest.raises(ValueProblem) as caught:
        tunnels(text)
    assert caught.value.message == message
    assert caught.value.hint


def test_values():
    assert tunnels("db:5432 db:5432:15432 db:5432:/run/db.sock") == (
        Tunnel("db", 5432, "5432"),
        Tunnel("db", 5432, "15432"),
        Tunnel("db", 5432, "/run/db.sock"),
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["Tunnel=web:80"], "Tunnel: a container cannot have a tunnel to itself"),
        (["Tunnel=a:80 b:80"], "Tunnel: two tunnels begin at the same place"),
        (["Network=host", "Tunnel=a:80"], "Tunnel: the port would be the host's with Network=host"),
        (
            ["MountNamespace=host", "UserNamespace=host", "Tunnel=a:80:/run/a"],
            "Tunnel: nothing is made with MountNamespace=, its file systems are there already",
        ),
    ],
)
def test_contradictions(lines, message):
    with pytest.raises(DefinitionError) as caught:
        definition(*lines)
    assert f"[Container] {message}" in [problem.message for problem in caught.value.problems]
