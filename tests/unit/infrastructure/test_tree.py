"""How a release's tree is made, with stand-ins for apt and mmdebstrap."""

import subprocess
from collections.abc import Callable
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
    assert tree.command_for("sid", "root", (), None, Path("t"))[-3:] == ["sid", "t", "http://c/"]
    monkeypatch.setenv("NSUNIT_MIRROR", "e")
    assert tree.mirror() == "e"
    monkeypatch.setenv("NSUNIT_MIRROR", "")
    assert tree.command_for("sid", "root", (), None, Path("t"))[-2:] == ["sid", "t"]


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
    (tmp_path / "root-sid").mkdir()
    with pytest.raises(tree.Unavailable) as caught:
        tree.build(tmp_path / "root-sid", lambda target: ["sh", "-c", script, "sh", said])
    assert str(caught.value).splitlines()[0] == f"mmdebstrap for root-sid failed: {reason}"


def test_trees_of_a_release_are_made_of_its_root(monkeypatch, tmp_path):
    """So what all of them have is unpacked and set up once; and another root makes other trees."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made: dict[str, list[str]] = {}

    def build(path: Path, command_for: Callable[[Path], list[str]]) -> None:
        made[path.name.strip(".").partition("-")[0]] = command_for(path)

    monkeypatch.setattr(tree, "build", build)
    first = tree.tree("trixie", "machine")
    assert [*made] == ["root", "machine"]
    assert f"--setup-hook=tar -xpf {tree.tree('trixie', 'root')} " in " ".join(made["machine"])
    assert [word for word in made["root"] if word.startswith("--setup-hook")] == []
    tree.tree("sid", "user-mode")
    assert [*made] == ["root", "machine", "user"]
    monkeypatch.setitem(tree.PACKAGES, "root", [])
    assert tree.tree("trixie", "machine") != first


def test_what_is_left_out_is_so_while_a_tree_is_made(tmp_path):
    """dpkg reads of it in the tree, where nothing is left of what was unpacked before."""
    (tmp_path / "etc/dpkg/dpkg.cfg.d").mkdir(parents=True)
    (tmp_path / "usr/share/doc/dpkg").mkdir(parents=True)
    (tmp_path / "usr/share/info").mkdir()
    subprocess.run(["sh", "-c", tree.leave_out(("/usr/share/doc/*", "/usr/lib/x")), "sh", tmp_path], check=True)
    said = (tmp_path / "etc/dpkg/dpkg.cfg.d/left-out").read_text()
    assert said == "path-exclude=/usr/share/doc/*\npath-exclude=/usr/lib/x\n"
    assert [*(tmp_path / "usr/share/doc").iterdir()] == []
    command = tree.command_for("sid", "machine", (), tmp_path / "tree.tar", tmp_path)
    assert "--customize-hook=rm -f $1/etc/dpkg/dpkg.cfg.d/left-out" in command
