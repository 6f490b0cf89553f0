"""What the files hosts and resolv.conf say."""

import json

import pytest
from definitions import definition

from nsunit.features.names.hosts import (
    Member,
    Naming,
    Place,
    behind,
    from_json,
    hosts,
    resolver,
    to_json,
)
from nsunit.features.names.plan import naming, own_files

HOST = "# made by hand\ndomain example.net\nnameserver 127.0.0.1\nnameserver 192.0.2.53 # near\noptions edns0\n"


def member(name, *places, names=()):
    return Member(Naming(name, (*names, name)), places)


def test_what_a_container_is_called():
    assert naming(definition(name="web_1")).names == ("web-1", "web_1")
    item = naming(definition("Network=bridge", "Hostname=www", "NetworkAlias=site www", "AddHost=a:192.0.2.1"))
    assert item.names == ("www", "web", "site")
    assert item.added == (("a", "192.0.2.1"),)
    assert from_json(json.loads(json.dumps(to_json(item)))) == item


@pytest.mark.parametrize("data", [{}, [], None, {"container": "web"}])
def test_other_json_is_refused(data):
    with pytest.raises((KeyError, TypeError)):
        from_json(data)


def test_those_of_a_network_are_named_and_nobody_else():
    shop = Place("shop", ("10.1.0.2", "fd00::2"), "shop.internal")
    web = member("web", shop, names=("www.example.org",))
    db = member("db", Place("shop", ("10.1.0.3",), "shop.internal"), Place("back", ("10.2.0.3",)))
    other = member("other", Place("back", ("10.2.0.4",)))
    own = "www.example.org web web.shop.internal"
    assert hosts(web, (other, db, web)).splitlines() == [
        "127.0.0.1 localhost",
        "::1 localhost ip6-localhost",
        f"10.1.0.2 {own}",
        f"fd00::2 {own}",
        "10.1.0.3 db db.shop.internal",
    ]
    assert [line.split()[:2] for line in hosts(db, (other, db, web)).splitlines()[4:]] == [
        ["10.2.0.4", "other"],
        ["10.1.0.2", "www.example.org"],
        ["fd00::2", "www.example.org"],
    ]


def test_a_link_has_a_name_of_its_own():
    place = Place("bridge", ("10.1.0.2",))
    web = Member(Naming("web", ("web",), links=(("db", "DB"),)), (place,))
    db = member("db", Place("bridge", ("10.1.0.3",)))
    assert hosts(web, (db,)).splitlines()[3:] == ["10.1.0.3 db DB"]
    assert hosts(db, (web,)).splitlines()[3:] == ["10.1.0.2 web"]


def test_without_a_network_it_knows_itself_and_what_was_added():
    item = Naming("web", ("web",), (("db", "192.0.2.7"),))
    assert hosts(Member(item, ()), ()).splitlines()[2:] == ["127.0.1.1 web", "192.0.2.7 db"]


def test_the_resolver_has_the_hosts_servers_unless_told_otherwise():
    plain = Naming("web", ("web",))
    shared = "nameserver 127.0.0.1\nnameserver 192.0.2.53 # near\ndomain example.net\noptions edns0\n"
    assert resolver(plain, HOST, own_loopback=False) == shared
    assert resolver(plain, HOST, own_loopback=True) == shared.replace("nameserver 127.0.0.1\n", "")
    item = plain.replace(servers=("9.9.9.9", "::1"), search=("a.example", "b.example"), options=("ndots:2", "rotate"))
    assert resolver(item, HOST, own_loopback=True) == (
        "nameserver 9.9.9.9\nnameserver ::1\nsearch a.example b.example\noptions ndots:2 rotate\n"
    )
    assert resolver(plain.replace(search=(".",)), HOST, own_loopback=True) == (
        "nameserver 192.0.2.53 # near\noptions edns0\n"
    )


def test_what_is_true_for_the_host_alone_is_left_out():
    plain = Naming("web", ("web",))
    text = "nameserver FE80::1%eth0\nnameserver ::1\nnameserver 0.0.0.0\nnameserver 192.0.2.7\n"
    trusted = "options edns0 trust-ad\noptions trust-ad\n"
    assert resolver(plain, text + trusted, own_loopback=True) == "nameserver 192.0.2.7\noptions edns0\n"
    assert resolver(plain, text + trusted, own_loopback=False) == text + trusted
    near = "nameserver 192.0.2.7\noptions trust-ad\n"
    assert resolver(plain, near, own_loopback=True) == near  # the same server as the host's
    assert resolver(plain.replace(servers=("9.9.9.9",)), near, own_loopback=True) == "nameserver 9.9.9.9\n"
    assert behind("search a\nnameserver ::1\noptions trust-ad\n", near) == f"{near}search a\n"
    assert behind("search a\nnameserver ::1\n", f"domain b\n{near}") == f"{near}domain b\n"


@pytest.mark.parametrize(("name", "six"), [("all", False), ("lo", False), ("default", True), ("eth0", True)])
def test_a_loopback_without_ipv6_has_no_name_for_it(name, six):
    item = naming(definition("Network=bridge", f"Sysctl=net.ipv6.conf.{name}.disable_ipv6=1"))
    assert ("::1 localhost ip6-localhost\n" in hosts(Member(item, ()), ())) is six
    assert from_json(json.loads(json.dumps(to_json(item)))) == item
    old = {key: value for key, value in to_json(item).items() if key != "six"}  # of before it was noted
    assert from_json(old) == item.replace(six=True)


@pytest.mark.parametrize(
    ("lines", "files"),
    [
        ([], ()),
        (["Network=host"], ()),
        (["Network=pasta"], ("resolv.conf",)),
        (["AddHost=a:192.0.2.1"], ("hosts",)),
        (["Network=host", "DNSSearch=."], ("resolv.conf",)),
        (["Network=pasta", "AddHost=a:192.0.2.1", "DNS=9.9.9.9"], ("hosts", "resolv.conf")),
    ],
)
def test_files_of_a_container_in_no_network(lines, files):
    assert own_files(definition(*lines).container) == files
