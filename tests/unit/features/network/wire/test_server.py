"""What systemd-resolved is told of a network's server, where it runs."""

import pytest

from nsunit.features.network.model.attachment import Network
from nsunit.features.network.wire import server

NETWORK = Network("shop", "nb-shop", ("10.92.0.0/24",), ("10.92.0.1",), dns=True, domain="shop.internal")


@pytest.fixture
def resolvectl(monkeypatch, tmp_path):
    """Its calls, one a line; with the file `fails` it fails."""
    program = tmp_path / "resolvectl"
    program.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/calls\n[ ! -e {tmp_path}/fails ]\n')
    program.chmod(0o755)
    (tmp_path / "calls").touch()
    monkeypatch.setattr(server, "_RESOLVECTL", str(program))
    monkeypatch.setattr(server, "_RESOLVED", str(tmp_path))
    return tmp_path


def test_names_in_the_networks_domain_are_asked_for_there(resolvectl):
    server.have_asked(NETWORK)
    assert (resolvectl / "calls").read_text().splitlines() == [
        "dnssec nb-shop no",
        "dnsovertls nb-shop no",
        "dns nb-shop 10.92.0.1",
        "domain nb-shop ~shop.internal",
    ]


def test_a_refusal_ends_it(resolvectl):
    (resolvectl / "fails").touch()
    server.have_asked(NETWORK)
    assert (resolvectl / "calls").read_text().splitlines() == ["dnssec nb-shop no"]


def test_no_answer_is_not_waited_for(resolvectl, monkeypatch, capfd):
    monkeypatch.setattr(server, "_PATIENCE_MSEC", 1)
    (resolvectl / "resolvectl").write_text("#!/bin/sh\nexec sleep 300\n")
    server.have_asked(NETWORK)
    said = "systemd-resolved gives no answer: the host does not find containers by name\n"
    assert capfd.readouterr().err == said


def test_without_a_domain_or_without_resolved_nothing_is_told(resolvectl, monkeypatch):
    server.have_asked(NETWORK.replace(domain=""))
    monkeypatch.setattr(server, "_RESOLVED", str(resolvectl / "none"))
    server.have_asked(NETWORK)
    assert (resolvectl / "calls").read_text() == ""


def test_it_is_taken_back_as_long_as_the_bridge_is_there(resolvectl):
    server.ask_no_more(NETWORK)
    server.ask_no_more(NETWORK.replace(bridge="lo"))
    assert (resolvectl / "calls").read_text() == "revert lo\n"
