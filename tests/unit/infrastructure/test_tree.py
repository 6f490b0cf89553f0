"""How a release's tree is made, with stand-ins for apt and mmdebstrap."""

import subprocess
from pathlib import Path

import pytest
from machine import owned, tree


@pytest.fixture
def apt(monkeypatch):
    """Have apt print something, and something else where it has no lists."""
    monkeypatch.delenv("NSUNIT_MIRROR", raising=False)

    def put(known: str, unknown: str = "") -> None:
        def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
            said = unknown if "--no-release-info" in command else known
            return subprocess.CompletedProcess(command, 0, said)

        monkeypatch.setattr(tree.subprocess, "run", run)

    return put


def test_the_mirror_is_that_of_this_systems_apt(apt, monkeypatch):
    apt("Vendor|Vendor|http://a/\nDebian|Debian-Security|http://b/\nDebian|Debian|http://c\nDebian|Debian|http://d/\n")
    assert tree.mirror() == "http://c/"
    assert tree.command_for("sid", ["x"], (), Path("t"))[-3:] == ["sid", "t", "http://c/"]
    monkeypatch.setenv("NSUNIT_MIRROR", "e")
    assert tree.mirror() == "e"
    monkeypatch.setenv("NSUNIT_MIRROR", "")
    assert tree.command_for("sid", ["x"], (), Path("t"))[-2:] == ["sid", "t"]


def test_without_lists_it_is_what_looks_like_one(apt):
    apt("", "stable|https://v/debian/\nmain|http://b/debian-security/\nmain|http://c/debian\n")
    assert tree.mirror() == "http://c/debian/"
    apt("", "")
    assert tree.mirror() == ""


@pytest.mark.parametrize("source", ["mirror+file:///etc/apt/mirrors", "file:/srv/debian", "cdrom:[Debian]/"])
def test_sources_that_mmdebstrap_does_not_take_are_no_mirror(apt, source):
    apt(f"Debian|Debian|{source}\n", f"main|{source}/debian\n")
    assert tree.mirror() == ""
    apt(f"Debian|Debian|{source}\nDebian|Debian|https://c/\n")
    assert tree.mirror() == "https://c/"


@pytest.mark.parametrize(
    ("said", "reason"), [("I: one\nE: No package x\nE: it failed\n", "E: No package x"), ("", "status 3")]
)
def test_a_tree_that_fails_says_why_in_its_first_line(monkeypatch, tmp_path, said, reason):
    monkeypatch.setattr(owned, "SCRATCH", tmp_path / "scratch")
    script = 'printf %s "$1" >&2; exit 3'
    monkeypatch.setattr(tree, "command_for", lambda *arguments: ["sh", "-c", script, "sh", said])
    with pytest.raises(tree.Unavailable) as caught:
        tree.build("sid", [], (), tmp_path)
    assert str(caught.value).splitlines()[0] == f"mmdebstrap for sid failed: {reason}"
