"""What `doctor` says of networks: a trial of the rules."""

from types import SimpleNamespace

import pytest

from nsunit.core.findings import OK, WARNING, Finding, Leftover
from nsunit.errors import NsunitError
from nsunit.features.network import doctor

LOST = "no container can be in a network, nor publish ports"


@pytest.fixture
def nft(monkeypatch):
    """Have the trial end with an error, or none."""

    def put(error, *wrong):
        def check(rules):
            assert rules
            if error:
                raise error

        monkeypatch.setattr(doctor, "is_privileged", lambda: True)
        monkeypatch.setattr(doctor.nft, "check", check)
        monkeypatch.setattr(doctor.check, "repairable", lambda _context: list(wrong))

    return put


def test_all_is_there(nft):
    nft(None)
    text = "nft and the kernel have what connected containers need"
    assert doctor.findings(None) == [Finding("network", OK, text)]


def test_something_of_it_is_gone(nft):
    nft(None, "the tables are gone", "web: some of its rules are missing")
    hint = "see 'nsunit network check'; 'nsunit network repair' puts it right"
    (_, finding) = doctor.findings(None)
    assert finding == Finding("network", WARNING, "the tables are gone, and 1 more", hint)


def test_nft_is_missing(nft):
    nft(NsunitError("nft is not installed", hint="install it"))
    assert doctor.findings(None) == [Finding("network", WARNING, f"nft is not installed: {LOST}", "install it")]


def test_the_kernel_lacks_something(nft):
    nft(NsunitError("nft: Operation not supported"))
    (finding,) = doctor.findings(None)
    assert finding.text == f"nft: Operation not supported: {LOST}"
    assert finding.hint == "the kernel lacks a module of nf_tables: see 'modinfo nft_socket nft_fib nft_masq'"


def test_without_privileges_nothing_is_tried(monkeypatch):
    monkeypatch.setattr(doctor, "is_privileged", lambda: False)
    assert doctor.findings(None) == []


def test_a_spoiled_attachment_does_not_end_it(monkeypatch):
    """It is one of the things that are told."""

    def fail(_context):
        raise NsunitError("'x' is not an attachment to a network", hint="restart 'web'")

    monkeypatch.setattr(doctor, "is_privileged", lambda: True)
    monkeypatch.setattr(doctor, "directory_with", lambda _programs: "/usr/sbin")
    monkeypatch.setattr(doctor.nft, "check", lambda _commands: None)
    monkeypatch.setattr(doctor.networks, "spoiled_records", lambda _context: ["/one"])
    for name in ("repairable", "left"):
        monkeypatch.setattr(doctor.check, name, fail)
    message, hint = "'x' is not an attachment to a network", "restart 'web'"
    assert doctor.findings(None)[1] == Finding("network", WARNING, message, hint)
    found = list(doctor.left(SimpleNamespace(context=None)))
    assert found == [Leftover("network record", "/one", "nobody can read it"), Leftover("network", message, hint)]
