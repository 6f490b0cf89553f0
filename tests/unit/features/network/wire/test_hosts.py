"""The files that follow who is connected.  The link `lo` stands for one that is there."""

import json
import os

import pytest

from nsunit.errors import NsunitError
from nsunit.features.names.files import naming_file
from nsunit.features.names.hosts import Naming
from nsunit.features.network.model.attachment import Attachment, Device, Interface, Network, to_json
from nsunit.features.network.wire import hosts, roster

NETWORK = Network("bridge", "nsunit0", ("10.91.0.0/24",), ("10.91.0.1",))


@pytest.fixture
def connected(tmp_path, monkeypatch):
    monkeypatch.setattr(hosts, "resolver_of_host", lambda: "nameserver 192.0.2.53\n")
    locks = f"{tmp_path}/locks"

    def connect(name, number, *, link="lo", isolated=False, network="bridge", **more):
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        place = NETWORK.replace(name=network, isolated=isolated, dns=network != "bridge")
        item = Attachment(name, (Interface(place, "eth0", link, "", (f"10.91.0.{number}/24",)),))
        (directory / "attachment").write_text(json.dumps(to_json(item)))
        (directory / "names").write_bytes(naming_file(Naming(name, (name,), **more)))
        hosts.join(str(directory), locks)
        hosts.follow(locks)
        return directory / "hosts"

    connect.locks = locks
    return connect


def test_files_follow_and_stay_the_same_files(connected):
    web = connected("web", 2)
    inode = web.stat().st_ino
    db = connected("db", 3, added=(("printer", "192.0.2.9"),))
    assert web.read_text().splitlines()[2:] == ["10.91.0.3 db", "10.91.0.2 web"]
    assert db.read_text().splitlines()[2:] == ["10.91.0.3 db", "192.0.2.9 printer", "10.91.0.2 web"]
    assert (db.parent / "resolv.conf").read_text() == "nameserver 192.0.2.53\n"
    hosts.leave("db", connected.locks)
    hosts.leave("db", connected.locks)
    hosts.follow(connected.locks)
    assert web.read_text().splitlines()[2:] == ["10.91.0.2 web"]
    assert web.stat().st_ino == inode


def test_one_follows_for_all(connected, monkeypatch):
    web = connected("web", 2)
    connected("db", 3)
    hosts.leave("db", connected.locks)
    hosts.leave("web", connected.locks)
    hosts.join(str(web.parent), connected.locks)
    written = []
    monkeypatch.setattr(roster.Roster, "write", lambda _roster, network, _text: written.append(network))
    for _ in range(3):
        hosts.follow(connected.locks)
    assert written == ["bridge"]


@pytest.mark.parametrize("when", ["follow", "write"])
def test_one_that_is_killed_leaves_it_to_the_next(connected, monkeypatch, when):
    web = connected("web", 2)
    connected("db", 3)
    hosts.leave("db", connected.locks)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt):
        context.setattr(roster.Roster, when, die)
        hosts.follow(connected.locks)
    hosts.follow(connected.locks)
    assert web.read_text().splitlines()[2:] == ["10.91.0.2 web"]


def test_what_is_said_of_others_is_read_once(connected, tmp_path, monkeypatch):
    """Each start and stop read two files of each of the others."""
    names = [f"c{number}" for number in range(10, 30)]
    paths = [connected(name, number) for number, name in enumerate(names[:-1], 2)]
    inodes = [path.stat().st_ino for path in paths]
    read = []
    for function in ("_noted", "read_naming"):
        before = getattr(hosts, function)
        monkeypatch.setattr(hosts, function, lambda directory, of=before: read.append(directory) or of(directory))
    paths.append(connected(names[-1], 40))
    assert {*read} == {str(tmp_path / names[-1])}
    lines = [f"10.91.0.{number} {name}" for number, name in enumerate(names[:-1], 2)]
    for path in paths:
        assert path.read_text().splitlines()[2:] == [*lines, f"10.91.0.40 {names[-1]}"]
    assert hosts.outdated(hosts.wanted(connected.locks)) == []
    read.clear()
    hosts.leave(names[0], connected.locks)
    hosts.follow(connected.locks)
    assert not read
    for path in paths[1:]:
        assert path.read_text().splitlines()[2:] == [*lines[1:], f"10.91.0.40 {names[-1]}"]
    assert [path.stat().st_ino for path in paths[:-1]] == inodes


def test_networks_and_files_of_ones_own_stay_apart(connected):
    web, other = connected("web", 2), connected("other", 3, network="shop")
    alone = connected("alone", 4, isolated=True, links=(("web", "w"),))
    friend = connected("friend", 5, links=(("web", "w"),))
    late = connected("late", 6)
    assert web.read_text() == late.read_text()
    assert web.read_text().splitlines()[2:] == ["10.91.0.5 friend", "10.91.0.6 late", "10.91.0.2 web"]
    assert friend.read_text().splitlines()[2:] == ["10.91.0.5 friend", "10.91.0.6 late", "10.91.0.2 web w"]
    assert other.read_text().splitlines()[2:] == ["10.91.0.3 other"]
    assert alone.read_text().splitlines()[2:] == ["10.91.0.4 alone"]
    hosts.leave("friend", connected.locks)
    hosts.leave("web", connected.locks)
    hosts.follow(connected.locks)
    assert late.read_text().splitlines()[2:] == ["10.91.0.6 late"]
    assert hosts.outdated(hosts.wanted(connected.locks)) == []


@pytest.mark.parametrize("content", ["", "[[1, 2]]", "[1]", '{"a": 1}', '[["web", "bridge", 1, "/x", "lo", 1', "5"])
def test_a_roster_that_is_none_is_made_anew(connected, tmp_path, content):
    web = connected("web", 2)
    (tmp_path / "changes/connected.known").write_text(content)
    db = connected("db", 3)
    assert web.read_text() == db.read_text()
    assert web.read_text().splitlines()[2:] == ["10.91.0.3 db", "10.91.0.2 web"]


def test_who_goes_meanwhile_is_no_error(connected, monkeypatch):
    web, db = connected("web", 2), connected("db", 3)
    wanted = hosts.wanted(connected.locks)
    for path in db.parent.iterdir():
        path.unlink()
    db.parent.rmdir()
    monkeypatch.setattr(hosts, "wanted", lambda _: {str(db): "", str(web): wanted[str(web)]})
    hosts.refresh(connected.locks)
    assert not db.exists()


def test_what_is_left_of_one_that_was_killed_does_not_count(connected, tmp_path):
    web = connected("web", 2)
    connected("gone", 3, link="no-such-link")
    lost = connected("lost", 4)
    for path in lost.parent.iterdir():
        path.unlink()
    lost.parent.rmdir()
    hosts.refresh(connected.locks)
    assert web.read_text().splitlines()[2:] == ["10.91.0.2 web"]


def test_what_has_lost_its_link_goes_with_the_next_change(connected, tmp_path, monkeypatch):
    links = tmp_path / "links"
    for link in ("web0", "lost0"):
        (links / link).mkdir(parents=True)
    monkeypatch.setattr(roster, "LINKS", str(links))
    web, lost = connected("web", 2, link="web0"), connected("lost", 4, link="lost0")
    assert web.read_text().splitlines()[2:] == ["10.91.0.4 lost", "10.91.0.2 web"]
    (links / "lost0").rmdir()
    for path in lost.parent.iterdir():
        path.unlink()
    lost.parent.rmdir()
    hosts.join(str(web.parent), connected.locks)
    assert hosts.follow(connected.locks)
    assert web.read_text().splitlines()[2:] == ["10.91.0.2 web"]
    hosts.sweep(connected.locks)
    assert os.listdir(f"{tmp_path}/connected") == ["web"]
    hosts.join(str(web.parent), connected.locks)
    assert not hosts.follow(connected.locks)


def test_in_an_isolated_network_everybody_is_alone(connected):
    web = connected("web", 2, isolated=True)
    connected("db", 3, isolated=True)
    assert web.read_text().splitlines()[2:] == ["10.91.0.2 web"]


def test_links_of_the_hosts_have_addresses_and_no_neighbours(connected, tmp_path):
    connected("web", 2)
    path = connected("db", 3)
    item = Attachment("db", (), devices=(Device("macvlan", "up0", "eth0", ("192.0.2.7/24",)),))
    (tmp_path / "db/attachment").write_text(json.dumps(to_json(item)))
    hosts.refresh(connected.locks)
    assert path.read_text().splitlines()[2:] == ["192.0.2.7 db"]


def test_a_file_that_was_changed_is_noticed(connected):
    web = connected("web", 2)
    assert hosts.outdated(hosts.wanted(connected.locks)) == []
    web.write_text("127.0.0.1 localhost\n")
    assert hosts.outdated(hosts.wanted(connected.locks)) == [str(web)]
    hosts.refresh(connected.locks)
    assert hosts.outdated(hosts.wanted(connected.locks)) == []


def test_a_file_that_is_something_else_is_named(connected, tmp_path):
    connected("web", 2)
    (tmp_path / "web/names").write_text("[]")
    with pytest.raises(NsunitError, match="does not hold the names of a container"):
        hosts.refresh(connected.locks)


def test_a_server_is_told_of_its_network_and_asked(connected, tmp_path, monkeypatch):
    told = tmp_path.parent / f"{tmp_path.name}-names/shop/hosts/containers"
    monkeypatch.setattr(hosts, "served", lambda _runtime: str(told.parents[2]))
    monkeypatch.setattr(
        hosts, "names_file", lambda _runtime, network: str(told.parents[2] / network / "hosts/containers")
    )
    pid = tmp_path / "pid"
    monkeypatch.setattr(hosts, "pid_file", lambda _network: str(pid))
    told.parent.mkdir(parents=True)
    web = connected("web", 2, network="shop")
    assert (web.parent / "resolv.conf").read_text() == "nameserver 192.0.2.53\n"  # it does not run
    pid.touch()
    db = connected("db", 3, network="shop", servers=("192.0.2.9",))
    assert (db.parent / "resolv.conf").read_text() == "nameserver 192.0.2.9\n"
    connected("other", 4, network="bridge")
    assert told.read_text() == "10.91.0.3 db\n10.91.0.2 web\n"
    web = connected("web", 2, network="shop")
    assert (web.parent / "resolv.conf").read_text() == "nameserver 10.91.0.1\n"
    hosts.leave("db", connected.locks)
    hosts.follow(connected.locks)
    assert told.read_text() == "10.91.0.2 web\n"


def test_a_server_that_ends_meanwhile_is_no_error(connected, tmp_path, monkeypatch):
    monkeypatch.setattr(hosts, "names_file", lambda _runtime, _network: str(tmp_path / "gone/containers"))
    monkeypatch.setattr(hosts, "_told_by_servers", lambda *_: {})
    found = os.path.isdir
    monkeypatch.setattr(os.path, "isdir", lambda path: path == str(tmp_path / "gone") or found(path))
    web = connected("web", 2, network="shop")
    assert "10.91.0.2" in web.read_text()
