"""nftables' JSON: what is made for a container is what is found and removed again."""

import json

from nsunit.features.network.model import firewall
from nsunit.features.network.model.attachment import Attachment, Interface, Network
from nsunit.features.network.model.port import Port

NETWORK = Network("bridge", "nsunit0", ("10.91.0.0/24", "fd00:1:2::/64"), ("10.91.0.1", "fd00:1:2::1"))
LINK = "nv-0123456789ab"
MAC = "0a:58:0a:5b:00:02"
ADDRESSES = ("10.91.0.2/24", "fd00:1:2::2/64")


def interface(link=LINK, network=NETWORK, addresses=ADDRESSES):
    return Interface(network, "eth0", link, MAC, addresses)


def web(*ports, host_ports=(), interfaces=()):
    return Attachment("web", interfaces or (interface(),), ports, host_ports)


def rules(items, chain):
    return [item["add"]["rule"]["expr"] for item in items if item.get("add", {}).get("rule", {}).get("chain") == chain]


def test_all_of_it_is_in_tables_of_nsunit():
    for item in (*firewall.base(), *firewall.attach(web(Port("", 80, 80, "tcp")))):
        ((verb, content),) = item.items()
        ((kind, fields),) = content.items()
        assert verb in ("add", "flush", "delete")
        assert (fields["name"] if kind == "table" else fields["table"]) == "nsunit"
    json.dumps(firewall.base())


def test_a_published_port_is_translated_for_both_families():
    found = rules(firewall.attach(web(Port("", 8080, 80, "tcp"))), LINK)
    v4, v6 = (expr for expr in found if "dnat" in expr[-1])
    assert v4[-1] == {"dnat": {"family": "ip", "addr": "10.91.0.2", "port": 80}}
    assert v6[-1] == {"dnat": {"family": "ip6", "addr": "fd00:1:2::2", "port": 80}}
    # ::1 among them: what comes from there is masqueraded.
    assert [expr[0]["match"]["right"] for expr in (v4, v6)] == ["ipv4", "ipv6"]


def test_a_port_of_one_address_is_translated_for_that_one():
    for address, family in (("192.0.2.1", "ip"), ("2001:db8::1", "ip6")):
        inet = [expr for expr in rules(firewall.attach(web(Port(address, 53, 54, "udp"))), LINK) if "dnat" in expr[-1]]
        assert len(inet) == 1
        left = {"payload": {"protocol": family, "field": "daddr"}}
        assert inet[0][0]["match"] == {"op": "==", "left": left, "right": address}


def test_what_a_neighbour_sends_to_the_loopback_is_not_translated():
    """It comes before what is published, and what the host sends there itself does not come this way."""
    first, second, _of_bridges = rules(firewall.base(), "prerouting")
    left, loopback = {"payload": {"protocol": "ip", "field": "daddr"}}, {"prefix": {"addr": "127.0.0.0", "len": 8}}
    assert first == [{"match": {"op": "==", "left": left, "right": loopback}}, {"return": None}]
    assert second[-1] == {"jump": {"target": "published"}}
    assert len(rules(firewall.base(), "output")) == 1


def test_only_its_own_addresses_pass():
    wrong = [expr[0]["match"] for expr in rules(firewall.attach(web()), LINK)]
    assert {"op": "!=", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "10.91.0.2"} in wrong
    six = next(match for match in wrong if match["left"]["payload"] == {"protocol": "ip6", "field": "saddr"})
    assert six["right"] == {"set": ["fe80::858:aff:fe5b:2", "::", "fd00:1:2::2"]}


def test_without_ipv6_there_is_no_rule_for_it():
    item = web(Port("", 8080, 80, "tcp"), interfaces=(interface(addresses=ADDRESSES[:1]),))
    found = rules(firewall.attach(item), LINK)
    assert [expr[-1]["dnat"]["family"] for expr in found if "dnat" in expr[-1]] == ["ip"]


def owned(items, verb):
    """What is added or deleted of maps and sets."""
    elements = (item[verb]["element"] for item in items if "element" in item.get(verb, {}))
    return [(content["name"], json.dumps(content["elem"])) for content in elements]


def test_services_of_the_host_are_opened_for_its_addresses():
    made = owned(firewall.attach(web(host_ports=((53, "udp"),))), "add")
    assert ("host4", '[{"concat": ["10.91.0.2", "udp", 53]}]') in made
    assert ("host6", '[{"concat": ["fd00:1:2::2", "udp", 53]}]') in made


def test_ports_are_found_by_address_first():
    made = owned(firewall.attach(web(Port("", 80, 8, "tcp"), Port("192.0.2.1", 81, 8, "udp"))), "add")
    jump = json.dumps({"jump": {"target": LINK}})
    assert ("published", f'[[{{"concat": ["tcp", 80]}}, {jump}]]') in made
    assert ("published4", f'[[{{"concat": ["192.0.2.1", "udp", 81]}}, {jump}]]') in made


def test_all_that_was_made_is_removed():
    item = web(Port("", 80, 80, "tcp"), Port("::1", 81, 80, "tcp"), host_ports=((53, "udp"),))
    made, removed = firewall.attach(item), firewall.detach(item)
    shared = {"bridges", "same-bridge", "internal"}
    assert {pair for pair in owned(made, "add") if pair[0] not in shared} == set(owned(removed, "delete"))
    # nft refuses to delete what is not there.
    assert owned(removed, "add") == owned(removed, "delete")
    chains = [item["delete"]["chain"] for item in removed if "chain" in item.get("delete", {})]
    assert [(chain["family"], chain["name"]) for chain in chains] == [("inet", LINK), ("bridge", LINK)]


def list_of(items):
    """The items as nft would list them: elements within their maps and sets."""
    contents = [entry for item in items for entry in [item.get("add", {})]]
    listed = [json.loads(json.dumps(entry)) for entry in contents if entry and "element" not in entry]
    for entry in contents:
        if "element" in entry:
            for other in listed:
                found = other.get("map") or other.get("set") or {}
                if (found.get("family"), found.get("name")) == (entry["element"]["family"], entry["element"]["name"]):
                    found.setdefault("elem", []).extend(entry["element"]["elem"])
    return listed


def test_what_is_there_is_told_from_what_is_missing():
    item = web(Port("", 80, 80, "tcp"), host_ports=((53, "udp"),))
    other = Attachment("db", (interface("nv-fedcba987654", addresses=("10.91.0.3/24",)),))
    known = list_of([*firewall.base(), *firewall.attach(item), *firewall.attach(other)])
    assert firewall.Listed(known).has_base()
    assert firewall.Listed(known).is_whole(item)
    assert firewall.Listed(known).is_whole(other)
    assert not firewall.Listed([entry for entry in known if entry.get("rule", {}).get("chain") != "input"]).has_base()
    assert not firewall.Listed([entry for entry in known if entry.get("rule", {}).get("chain") != LINK]).is_whole(item)
    for name in ("published", "links", "host6", "routers6"):
        lost = [entry for entry in known if (entry.get("map") or entry.get("set") or {}).get("name") != name]
        assert not firewall.Listed(lost).is_whole(item), name


def test_what_belongs_to_nobody_is_removed():
    item = web(Port("", 80, 80, "tcp"))
    other = Attachment("db", (interface("nv-fedcba987654"),), (Port("", 81, 80, "tcp"),))
    known = list_of([*firewall.base(), *firewall.attach(item), *firewall.attach(other)])
    assert firewall.stale(known, {*item.links, *other.links}) == []
    removed = firewall.stale(known, set(other.links))
    assert {name for name, _ in owned(removed, "delete")} == {"links", "published", "routers6"}
    assert all(LINK in text for _, text in owned(removed, "delete"))
    names = [item["delete"]["chain"]["name"] for item in removed if "chain" in item.get("delete", {})]
    assert names == [LINK, LINK]


def test_everything_is_removed():
    known = list_of(firewall.base())
    assert [item["delete"]["table"]["family"] for item in firewall.remove(known)] == ["inet", "bridge"]
    assert firewall.remove([]) == []


INSIDE = Network("inside", "nb-inside", ("10.7.0.0/24",), ("10.7.0.1",), internal=True)
APART = Network("apart", "nb-apart", ("fd00:7::/64",), ("fd00:7::1",), isolated=True)
SEVERAL = (
    interface("nv-inside", INSIDE, ("10.7.0.2/24",)),
    interface("nv-four", addresses=ADDRESSES[:1]),
    interface("nv-six", APART, ("fd00:7::2/64",)),
)


def test_each_of_several_interfaces_has_rules_of_its_own():
    made = firewall.attach(web(interfaces=SEVERAL))
    for link in ("nv-inside", "nv-four", "nv-six"):
        assert ("links", json.dumps([[link, {"jump": {"target": link}}]])) in owned(made, "add")
        assert rules(made, link)
    assert ("internal", '["nb-inside"]') not in owned(made, "delete")
    assert ("internal", '["nsunit0"]') in owned(made, "delete")
    assert ("same-bridge", '[{"concat": ["nb-apart", "nb-apart"]}]') in owned(made, "delete")
    assert ("same-bridge", '[{"concat": ["nsunit0", "nsunit0"]}]') not in owned(made, "delete")


def test_a_new_one_deletes_nothing():
    """Who deletes waits until the kernel has no use for it any more; what would have to be is asked for before."""
    item = web(interfaces=SEVERAL)
    whole, made = firewall.attach(item), firewall.attach(item, new=True)
    assert not any("delete" in item for item in made)
    kept = [one for one in owned(whole, "add") if one not in owned(whole, "delete")]
    assert owned(made, "add") == kept
    assert firewall.misplaced(item) == [
        ("inet", "internal", [("ifname", "nsunit0")]),
        ("inet", "same-bridge", [("ifname", "nb-apart"), ("ifname", "nb-apart")]),
        ("inet", "internal", [("ifname", "nb-apart")]),
    ]


def test_ports_lead_to_the_first_network_with_a_way_out():
    found = rules(firewall.attach(web(Port("", 80, 8080, "tcp"), interfaces=SEVERAL)), "nv-inside")
    assert [expr[-1]["dnat"]["addr"] for expr in found if "dnat" in expr[-1]] == ["10.91.0.2", "fd00:7::2"]


def test_without_ipv4_none_passes():
    found = rules(firewall.attach(web(interfaces=SEVERAL)), "nv-six")
    kind = {"payload": {"protocol": "ether", "field": "type"}}
    assert [{"match": {"op": "==", "left": kind, "right": {"set": ["arp", "ip"]}}}, {"drop": None}] in found


def test_the_firewall_does_not_lead_what_is_listened_on():
    port = Port("", 8080, 80, "tcp")
    from nsunit.features.network.model.attachment import Attachment

    item = Attachment.__new__(Attachment)
    for ports, led in (((port,), 1), ((port.replace(listened=True),), 0)):
        item.__dict__["ports"] = ports
        assert len(firewall.led(item)) == led


def test_names_are_asked_for_on_their_own_bridge():
    served = NETWORK.replace(dns=True)

    def elements(items, verb):
        found = [item[verb]["element"] for item in items if "element" in item.get(verb, {})]
        return [(item["name"], item["elem"]) for item in found if item["name"].startswith("servers")]

    there = [
        ("servers4", [{"concat": ["nsunit0", "10.91.0.1"]}]),
        ("servers6", [{"concat": ["nsunit0", "fd00:1:2::1"]}]),
    ]
    items = firewall.attach(web(interfaces=(interface(network=served),)))
    assert (elements(items, "add"), elements(items, "delete")) == (there, [])
    assert elements(firewall.forget(served), "delete") == there
