"""Other firewalls, by the shape of their chains."""

import pytest

from nsunit.features.network.model.attachment import Network
from nsunit.features.network.model.foreign import concerns, describe, obstacles

NETWORK = Network("bridge", "nsunit0", ("10.91.0.0/24",), ("10.91.0.1",))


def chain(family, table, name, hook="forward", policy="drop"):
    base = {"type": "filter", "hook": hook, "prio": 0, "policy": policy} if hook else {}
    return {"chain": {"family": family, "table": table, "name": name, **base}}


@pytest.mark.parametrize(
    ("chains", "command"),
    [
        (
            [chain("ip", "filter", "FORWARD"), chain("ip", "filter", "DOCKER-USER", "")],
            "iptables -I DOCKER-USER -i nsunit0 -j ACCEPT && iptables -I DOCKER-USER -o nsunit0 -j ACCEPT",
        ),
        (
            [chain("ip", "filter", "FORWARD"), chain("ip", "filter", "ufw-user-forward", "")],
            "ufw route allow in on nsunit0 && ufw route allow out on nsunit0",
        ),
        (
            [chain("inet", "firewalld", "filter_FORWARD", policy="accept")],
            "firewall-cmd --zone=trusted --add-interface=nsunit0 && firewall-cmd --runtime-to-permanent",
        ),
        (
            [chain("inet", "mine", "fwd")],
            "nft insert rule inet mine fwd iifname nsunit0 accept"
            " && nft insert rule inet mine fwd oifname nsunit0 accept",
        ),
        (
            [chain("ip", "filter", "INPUT", "input"), chain("ip", "filter", "ufw-user-forward", "")],
            "ufw allow in on nsunit0 to any port 53",
        ),
        (
            [chain("ip", "filter", "INPUT", "input"), chain("ip", "filter", "DOCKER-USER", "")],
            "nft insert rule ip filter INPUT iifname nsunit0 accept",
        ),
    ],
)
def test_each_gets_its_remedy(chains, command):
    (found,) = obstacles([{"metainfo": {}}, *chains])
    assert describe(found, NETWORK).endswith(f"let them through with '{command}'")


def test_what_is_in_nobodys_way():
    others = [
        chain("inet", "nsunit", "forward"),
        chain("ip", "filter", "FORWARD", policy="accept"),
        chain("ip", "filter", "OUTPUT", hook="output"),
        chain("bridge", "filter", "FORWARD"),
    ]
    assert obstacles(others) == ()


def test_one_that_knows_the_bridge_is_not_in_the_way():
    (four,) = obstacles([chain("ip", "filter", "FORWARD")])
    (six,) = obstacles([chain("ip6", "filter", "FORWARD")])
    assert concerns(four, NETWORK, [])
    assert not concerns(six, NETWORK, [])
    assert not concerns(four, NETWORK.replace(internal=True), [])
    match = {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "nsunit0"}}
    assert not concerns(four, NETWORK, [{"rule": {"expr": [match, {"accept": None}]}}])
    prefix = {"prefix": {"addr": "10.91.0.0", "len": 24}}
    assert not concerns(four, NETWORK, [{"rule": {"expr": [{"match": {"right": prefix}}, {"accept": None}]}}])
    assert concerns(four, NETWORK, [{"rule": {"expr": [{"match": {"right": "nsunit01"}}]}}])


def test_what_comes_to_the_host_matters_where_names_are_asked_for():
    tables = [chain("ip", "filter", "INPUT", "input"), chain("ip", "filter", "ufw-user-forward", "")]
    (found,) = obstacles(tables)
    served = NETWORK.replace(dns=True)
    assert not concerns(found, NETWORK, [])
    assert concerns(found, served, [])
    assert concerns(found, served.replace(internal=True), [])
    match = {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "nsunit0"}}
    assert concerns(found, served, [{"rule": {"chain": "ufw-user-forward", "expr": [match]}}])
    assert not concerns(found, served, [{"rule": {"chain": "ufw-user-input", "expr": [match]}}])
    assert "drops what containers on 'nsunit0' ask the server of names; let" in describe(found, served)
