"""`network check` while others start and end: what it reads one after the other is not of one moment."""

import contextlib
from types import SimpleNamespace

import pytest

from nsunit.features.network import check
from nsunit.features.network.model.attachment import Attachment, Interface, Network
from nsunit.features.network.model.host_links import HostLinks, Link

SHOP = Network("shop", "nb-shop", ("10.20.0.0/24",), ("10.20.0.1",))
WEB = Attachment("web", (Interface(SHOP, "eth0", "nv-0", "0a:58:0a:14:00:02", ("10.20.0.2/24",)),))
WITHOUT = {SHOP.bridge: Link(6)}
WITH = {**WITHOUT, "nv-0": Link(7, master=6)}


@pytest.fixture
def look(monkeypatch):
    """Looks at a host with the *links*, where the unit of WEB has one state before that and one *after*."""
    deleted = []
    monkeypatch.setattr(check.removal, "delete", deleted.append)
    monkeypatch.setattr(check.nft, "listed", lambda _table: [])
    monkeypatch.setattr(check.nft, "apply", lambda _ruleset: None)
    monkeypatch.setattr(check.firewall, "stale", lambda _rules, _known: "")
    monkeypatch.setattr(check, "wrong_network", lambda _network, _host: [])
    monkeypatch.setattr(check, "in_the_way", lambda _networks: [])
    monkeypatch.setattr(check, "silent_servers", lambda _networks: [])
    monkeypatch.setattr(check.state, "wrong_within", lambda _places: {})
    monkeypatch.setattr(check.program, "with_rates", lambda item, _locks: item)
    monkeypatch.setattr(check.program, "locked", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(check.hosts, "follow", lambda _locks: False)
    monkeypatch.setattr(check.hosts, "wanted", lambda _locks: {"/net/web/hosts": ""})
    monkeypatch.setattr(check.hosts, "outdated", lambda _wanted: [])
    monkeypatch.setattr(check, "_directory_of", lambda _context, name: f"/net/{name}")

    def found(links, before, after):
        states = [before, after]
        connected = [[WEB] if item else [] for item in (before, after)]
        unit = lambda text: [SimpleNamespace(name="nsunit-web.service", active_state=text)] if text else []  # noqa: E731
        bus = SimpleNamespace(list_units=lambda _patterns: unit(states.pop(0)))
        context = SimpleNamespace(bus=bus, paths=SimpleNamespace(locks="/locks"))
        monkeypatch.setattr(check, "attachments", lambda _context: connected.pop(0))
        monkeypatch.setattr(check.state, "host", lambda _networks: HostLinks(links, frozenset(), frozenset(), {}))
        seen = check._Seen(context)
        check._take_away(seen)
        return check._wrong(seen), deleted

    return found


@pytest.mark.parametrize(
    ("links", "before", "after"),
    [
        (WITH, "", "activating"),  # its link came after it was asked who there is
        (WITHOUT, "activating", "active"),
        (WITHOUT, "activating", "activating"),  # ExecStartPre=, or the wait of Restart=
        (WITHOUT, "active", "deactivating"),
        (WITHOUT, "active", ""),
        (WITH, "deactivating", ""),
    ],
)
def test_who_starts_or_ends_has_nothing_wrong_and_keeps_its_link(look, links, before, after):
    wrong, deleted = look(links, before, after)
    assert [text for text in wrong if "tables" not in text] == []
    assert deleted == []


def test_who_runs_and_what_nobody_has(look):
    wrong, deleted = look(WITHOUT, "active", "active")
    assert "web: the link 'nv-0' is gone" in wrong
    wrong, deleted = look(WITH, "", "")
    assert ("the link 'nv-0' belongs to no container" in wrong, deleted) == (True, ["nv-0"])
