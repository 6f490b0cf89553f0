"""pasta(1) on the host, and whom it is for."""

import os

import pytest

from nsunit.core import prepare, programs
from nsunit.core.context import Context
from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.errors import DefinitionError, NsunitError
from nsunit.features.pasta.deeds import find_pasta
from nsunit.features.rootless.plan import refusals

BASE = "[Container]\nRootfs=/home/alice/root\nExec=/bin/app\n"


def definition(text=""):
    return load_text("web", BASE + text, "/x", Host(257))


def test_pasta_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "_DIRECTORIES", ("/nonexistent",))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NsunitError, match="Network=pasta needs the program 'pasta'") as caught:
        find_pasta()
    assert caught.value.hint == "install the package 'passt'"
    (tmp_path / "pasta").write_text("")
    os.chmod(tmp_path / "pasta", 0o755)
    assert find_pasta() == str(tmp_path / "pasta")


def test_pasta_is_for_users(monkeypatch):
    monkeypatch.setattr(prepare, "check_sources", lambda definition: None)
    with pytest.raises(DefinitionError) as caught:
        prepare.check(Context(), definition("Network=pasta\n"))
    (problem,) = caught.value.problems
    assert str(problem) == "web: [Container] Network=pasta is for containers without root"
    assert problem.hint == "run it with --user, or use Network=bridge"
    (refused,) = refusals(definition("Network=macvlan:eth0\n"), (), "alice")
    assert str(refused) == "web: [Container] Network=macvlan:eth0 is for containers of the system"
