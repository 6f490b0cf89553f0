"""The containers of a user without privileges: where they are, and what the user is told."""

import os

import pytest

from nsunit.core.context import Context, open_user_context
from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.definition.search import user_search_path
from nsunit.errors import DefinitionError, NsunitError
from nsunit.features.rootless import deeds as rootless
from nsunit.storage.paths import Paths, user_paths

ENVIRON = {"HOME": "/home/alice", "XDG_RUNTIME_DIR": "/run/user/1000"}
BASE = "[Container]\nRootfs=/home/alice/root\nExec=/bin/app\n"


class FakeSystemd:
    def control_group(self):
        return "/user.slice/user-1000.slice/user@1000.service/init.scope"


@pytest.fixture
def files(monkeypatch):
    found = {
        "/etc/subuid": "alice:100000:65536\n",
        "/etc/subgid": "alice:200000:65536\n",
        "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers": "memory pids\n",
    }
    monkeypatch.setattr(rootless, "text_of", lambda path: found.get(path, ""))
    monkeypatch.setattr(rootless, "find_tools", lambda: "/usr/bin")
    monkeypatch.setattr("os.getegid", lambda: 1000)
    return found


@pytest.fixture
def context():
    told = []
    context = Context(user_search_path(ENVIRON), user_paths(ENVIRON, 1000), user=True, warn=told.append)
    context._bus = FakeSystemd()
    context._host = Host(257, user="alice", uid=1000)
    context.told = told
    return context


def definition(text=""):
    return load_text("web", BASE + text, "/x", Host(257))


def test_places(context):
    assert context.paths == Paths(
        "/run/user/1000/nsunit", "/home/alice/.local/state/nsunit", "/home/alice/.local/share/nsunit"
    )
    assert user_paths({"XDG_STATE_HOME": "/s", "XDG_DATA_HOME": "/d"}, 7) == Paths(
        "/run/user/7/nsunit", "/s/nsunit", "/d/nsunit"
    )
    relative = dict.fromkeys(("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_DATA_HOME"), "own/place")
    assert user_paths({"HOME": "/h"} | relative, 7) == user_paths({"HOME": "/h"}, 7)
    assert context.search.units == "/home/alice/.config/systemd/user"
    assert context.transient == "/run/user/1000/systemd/transient/"
    assert context.runtime_control == "/run/user/1000/systemd/user.control"
    assert context.cgroup == "/user.slice/user-1000.slice/user@1000.service"
    system = Context()
    assert (system.transient, system.runtime_control) == ("/run/systemd/transient/", "/run/systemd/system.control")
    assert system.cgroup == ""


def test_a_users_context(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    context = open_user_context(print)
    assert context.user
    assert context.search.directories[0].endswith("/nsunit")


def test_ids(context, files):
    found = rootless.own_ids(context)
    assert found.arguments == ("/usr/bin", "0:1000:1,1:100000:65536", "0:1000:1,1:200000:65536")
    assert found.range == (0, 65537)
    rootless.check(context, definition())
    assert context.told == []


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("/etc/subuid", "/etc/subuid has no ids for alice"),
        ("/etc/subgid", "/etc/subgid has no ids for alice"),
        ("tools", "newuidmap is missing (package 'uidmap')"),
    ],
)
def test_a_single_id_is_told(context, files, monkeypatch, missing, reason):
    files.pop(missing, None)
    if missing == "tools":
        monkeypatch.setattr(rootless, "find_tools", lambda: "")
    found = rootless.own_ids(context)
    assert found.arguments == ("", "0:1000:1", "0:1000:1")
    rootless.check(context, definition())
    assert context.told == [f"web: only user 0 and group 0 exist in it, since {reason}"]


def test_limits_are_checked(context, files):
    rootless.check(context, definition("[Slice]\nMemoryMax=64M\n"))
    with pytest.raises(DefinitionError, match="web: .Slice. IOWeight= needs the controller 'io'"):
        rootless.check(context, definition("[Slice]\nIOWeight=50\n"))


def test_tools_are_found(tmp_path, monkeypatch):
    for name in ("newuidmap", "newgidmap"):
        (tmp_path / name).write_text("")
        os.chmod(tmp_path / name, 0o755)
    monkeypatch.setenv("PATH", f"relative:{tmp_path}")
    assert rootless.find_tools() == str(tmp_path)


def test_what_cannot_be_removed_is_told(context, files, monkeypatch):
    def refuse(*_arguments):
        raise PermissionError(13, "no")

    monkeypatch.setattr(rootless.files, "remove_tree", refuse)
    monkeypatch.setattr(rootless.OwnUsers, "enter", refuse)
    with pytest.raises(NsunitError, match="cannot remove all of '/x'") as caught:
        rootless.remove_tree(context, "/x")
    assert caught.value.hint == "its files belong to ids that are not yours any more"
