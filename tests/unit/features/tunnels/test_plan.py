"""Tunnels in the set-up plan."""

from definitions import definition

from nsunit.plan.facts import Facts
from nsunit.plan.operations import operations

FACTS = Facts(257, "/usr/bin/python3", "/h/run.py", "/run/nsunit/containers/web", extras=(("tunnels", "/proxyd"),))


def test_a_tunnel_is_a_step_of_the_set_up():
    steps = [item for item in operations(definition("Tunnel=my-db:5432:/run/db"), FACTS) if item.keyword == "tunnel"]
    assert [item.arguments() for item in steps] == [
        ("/proxyd", "tunnel", r"nsunit-my-db.service", "5432", "/run/db"),
    ]
    alone = definition("Tunnel=db:5432", "[Service]", "Delegate=no")
    assert [item.arguments()[1] for item in operations(alone, FACTS) if item.keyword == "tunnel"] == [""]
