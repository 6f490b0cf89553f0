"""Specifiers, and the facts of the host behind them."""

from __future__ import annotations

import os
import pwd

import pytest

from nsunit.core.context import open_user_context
from nsunit.definition.host import Host, host_facts
from nsunit.definition.specifiers import HELP, expand, table
from nsunit.definition.words import ValueProblem
from nsunit.errors import NsunitError

HOST = Host(257, "alpha", "0123456789abcdef0123456789abcdef", user="joe", uid=1000, home="/home/joe")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("web", "%n %N %p", "nsunit-web.service nsunit-web web"),
        ("web@blue", "%n %N %p %i", "nsunit-web@blue.service nsunit-web@blue web blue"),
        ("my.web", "/srv/%p", "/srv/my.web"),
        ("web", "[%i]", "[]"),
        ("web", "%H %m", "alpha 0123456789abcdef0123456789abcdef"),
        ("web", "%h %u %U", "/home/joe joe 1000"),
        ("web", "%t %S %C", "/run /var/lib /var/cache"),
        ("web", "%%n 100%% %%%p", "%n 100% %web"),
        ("web", "50% off, 20%/5min, 30%", "50% off, 20%/5min, 30%"),
        ("web", "nothing", "nothing"),
    ],
)
def test_specifiers_stand_for(name: str, text: str, expected: str) -> None:
    assert expand(text, table(name, HOST)) == expected


@pytest.mark.parametrize("letter", ["b", "v", "l", "x", "Z", "1"])
def test_an_unknown_specifier_is_refused(letter: str) -> None:
    with pytest.raises(ValueProblem) as caught:
        expand(f"a %{letter} b", table("web", HOST))
    assert caught.value.message == f"'%{letter}' is not a specifier"
    assert caught.value.hint == "known are %n %N %p %i %H %m %h %u %U %t %S %C %%; a percent sign is %%"


@pytest.mark.parametrize("home", ["/home/joe doe", "/home/'joe", "/home/joe\\", "/home/jo\ne"])
def test_an_expansion_that_splitting_would_take_apart_is_refused(home: str) -> None:
    with pytest.raises(ValueProblem) as caught:
        expand("%h", table("web", HOST.replace(home=home)))
    assert "which has blanks, quotes or backslashes" in caught.value.message
    assert "\n" not in caught.value.message


def test_a_fact_that_this_host_lacks_is_refused() -> None:
    with pytest.raises(ValueProblem) as caught:
        expand("%m", table("web", HOST.replace(machine_id="")))
    assert caught.value.message == "'%m' is empty here"


def test_every_specifier_is_documented() -> None:
    assert set(HELP) == set(table("web", HOST))


def test_the_facts_of_this_host() -> None:
    facts = host_facts(252)
    assert facts.systemd_version == 252
    assert facts.hostname == os.uname().nodename
    assert facts.uid == os.geteuid()


def test_the_facts_of_an_ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/joe")
    facts = host_facts(257)
    assert (facts.uid, facts.home) == (65534, "/home/joe")
    assert (facts.runtime_dir, facts.state_dir) == ("/run/user/65534", "/home/joe/.local/state")
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "own/place")  # relative paths are ignored, as the specification says
    assert host_facts(257) == facts


@pytest.mark.parametrize("home", [None, "", "joe"])
def test_a_home_that_the_environment_does_not_have(monkeypatch: pytest.MonkeyPatch, home: str | None) -> None:
    """It is that of /etc/passwd, as for the user's systemd."""
    entry = pwd.getpwuid(65534)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    assert host_facts(257).home == entry.pw_dir
    context = open_user_context()
    assert context.search.directories[0] == f"{entry.pw_dir}/.config/nsunit"
    assert context.paths.states.startswith(f"{entry.pw_dir}/.local/state/nsunit")


def test_a_user_whom_the_host_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_001)
    monkeypatch.setenv("HOME", "")
    for call in (open_user_context, lambda: host_facts(257)):
        with pytest.raises(NsunitError, match="^there is no user 4000000001 on this host$"):
            call()
