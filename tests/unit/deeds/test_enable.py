"""enable and disable, on directories of the test's own."""

from __future__ import annotations

import errno
import os

import pytest

from nsunit.core import install, prepare
from nsunit.core.context import Context
from nsunit.core.jobs import Outcome
from nsunit.deeds import enable as enable_module
from nsunit.deeds import remove as remove_module
from nsunit.deeds.enable import disable, enable
from nsunit.deeds.remove import remove
from nsunit.definition.load import Host
from nsunit.definition.search import SearchPath
from nsunit.errors import NsunitError
from nsunit.storage.paths import Paths

SLICE, SERVICE = "nsunit-web.slice", "nsunit-web.service"


class FakeSystemd:
    def __init__(self):
        self.units = {SERVICE: {"ActiveState": "inactive", "FragmentPath": ""}}
        self.reloads = 0
        self.failing = False
        self.on_reload = lambda: None

    def get(self, unit, *names):
        return {name: value for name, value in self.units.get(unit, {}).items() if name in names}

    def list_units(self, patterns):
        return []

    def reset_failed(self, unit):
        pass

    def reload(self):
        self.reloads += 1
        self.on_reload()
        if self.failing:
            self.failing = False
            raise OSError(5, "no")


@pytest.fixture
def context(tmp_path, monkeypatch):
    (tmp_path / "filter").write_bytes(b"filter")
    monkeypatch.setattr(prepare, "filter_file_for", lambda capabilities, directory: str(tmp_path / "filter"))
    for directory in ("etc", "units", "root dir", "run", "var"):
        os.mkdir(tmp_path / directory, 0o700)
    context = Context(SearchPath((str(tmp_path / "etc"),), str(tmp_path / "units")))
    context.paths = Paths(str(tmp_path / "run"), str(tmp_path / "var"))
    context._bus = FakeSystemd()
    context._host = Host(257, "host", "abc", "def", "6.12", "x86-64")
    define(context, "")
    return context


def define(context, more):
    root = f"{os.path.dirname(context.search.units)}/root dir"
    with open(context.search.directories[0] + "/web.nsunit", "w") as file:
        file.write(f"[Container]\nRootfs={root}\nVolatile=yes\nExec=/bin/sh\n{more}")


def tree(context):
    return sorted(
        os.path.relpath(os.path.join(directory, name), context.search.units)
        for directory, _, names in os.walk(context.search.units)
        for name in names
    )


def text(context, unit):
    with open(f"{context.search.units}/{unit}") as file:
        return file.read()


def plan(context):
    with open(context.paths.boot_of("web") + "/plan", "rb") as file:
        return file.read()


def state(outcomes):
    (outcome,) = outcomes
    return outcome.state if outcome.error is None else str(outcome.error)


def test_enable_and_disable(context):
    assert state(enable(context, ["web"])) == "enabled"
    assert tree(context) == [f"multi-user.target.wants/{SERVICE}", SERVICE, SLICE]
    boot = context.paths.boot_of("web")
    service = text(context, SERVICE)
    assert f"ExecStartPre=/bin/cp -rT {boot} {context.paths.runtime_of('web')}\n" in service
    assert f"RequiresMountsFor={boot}\n" in service
    assert f'RequiresMountsFor="{os.path.dirname(context.search.units)}/root dir"\n' in service
    assert "[Install]\nWantedBy=multi-user.target\n" in service
    assert oct(os.stat(boot).st_mode & 0o777) == "0o700"
    assert sorted(os.listdir(boot)) == ["definition", "plan", "seccomp"]
    assert f"{boot}/seccomp".encode() in plan(context)
    assert context.bus.reloads == 1
    assert state(enable(context, ["web"])) == "unchanged"
    assert state(remove(context, ["web"])) == "web: it is enabled"
    assert state(disable(context, ["web"])) == "disabled"
    assert tree(context) == []
    assert not os.path.exists(boot)
    assert state(disable(context, ["web"])) == "unchanged"


def test_what_was_not_enabled_and_is_stopped_was_not_so_already(context, monkeypatch):
    monkeypatch.setattr(enable_module, "stop", lambda _context, names: [Outcome(name, "stopped") for name in names])
    context.bus.units[SERVICE]["ActiveState"] = "active"
    assert state(disable(context, ["web"], now=True)) == "stopped"
    context.bus.units[SERVICE]["ActiveState"] = "inactive"
    assert state(disable(context, ["web"], now=True)) == "unchanged"


def test_what_is_enabled_is_not_stopped_to_be_removed(context, monkeypatch):
    asked = []
    monkeypatch.setattr(remove_module, "stop_running", lambda _context, names: asked.extend(names) or [])
    define(context, "")
    enable(context, ["web"])
    context.bus.units[SERVICE]["ActiveState"] = "active"
    web, _other = remove(context, ["web", "other"], force=True)
    assert (str(web.error), web.error.hint) == ("web: it is enabled", "'nsunit disable --now web' first")
    assert asked == ["other"]


def test_what_systemctl_has_disabled_is_not_called_enabled(context):
    enable(context, ["web"])
    os.unlink(f"{context.search.units}/multi-user.target.wants/{SERVICE}")
    (outcome,) = remove(context, ["web"])
    said = "web: it has the unit files that 'nsunit enable' has made, though nothing starts it at boot"
    assert (str(outcome.error), outcome.error.hint) == (said, "'nsunit disable web' takes them away")
    assert state(disable(context, ["web"])) == "disabled"
    assert state(remove(context, ["web"])) == "removed"


def test_one_that_cannot_be_removed_leaves_the_others_alone(context):
    define(context, "")

    def refuse(path):
        if path.endswith("/web"):
            raise OSError(errno.EROFS, "Read-only file system", path)
        return True

    context.remove_tree = refuse
    web, other = remove(context, ["web", "other"])
    assert web.error.message == f"web: {context.paths.state_of('web')}: Read-only file system"
    assert (other.state, other.error) == ("removed", None)


def test_links_follow_install(context):
    define(context, "[Install]\nWantedBy=a.target b.target\nRequiredBy=c.service\nAlias=shop.service\n")
    enable(context, ["web"])
    links = ["a.target.wants/" + SERVICE, "b.target.wants/" + SERVICE, "c.service.requires/" + SERVICE, "shop.service"]
    assert tree(context) == sorted([*links, SERVICE, SLICE])
    assert "multi-user.target" not in text(context, SERVICE)
    define(context, "[Install]\nWantedBy=a.target\n")
    assert state(enable(context, ["web"])) == "enabled"
    assert tree(context) == ["a.target.wants/" + SERVICE, SERVICE, SLICE]
    assert os.listdir(context.search.units + "/a.target.wants") == [SERVICE]
    assert not os.path.exists(context.search.units + "/b.target.wants")


def test_what_enable_refuses(context):
    define(context, "[Install]\nAlias=shop.service\n")
    path = context.search.units + "/shop.service"
    with open(path, "w"):
        pass
    assert state(enable(context, ["web"])) == f"web: '{path}' is there already"
    assert tree(context) == ["shop.service"]
    assert not context.paths.is_enabled("web")
    os.rename(path, context.search.units + "/" + SLICE)
    assert state(enable(context, ["web"])).startswith(f"web: '{SLICE}' is there already and was not made by nsunit")
    assert tree(context) == [SLICE]
    assert state(enable(context, ["other"])) == "container 'other' is not defined"
    assert state(disable(context, ["other"])) == "container 'other' is not defined"


def test_an_enable_that_fails_leaves_nothing(context):
    context.bus.failing = True
    assert state(enable(context, ["web"])) == "web: no"
    assert tree(context) == []
    assert not os.path.exists(context.paths.state_of("web"))


def test_a_failed_change_of_what_is_enabled_brings_the_old_back(context):
    enable(context, ["web"])
    before = text(context, SLICE), plan(context)
    define(context, "User=7\n[Slice]\nMemoryMax=1G\n[Install]\nWantedBy=a.target\n")
    context.bus.failing = True
    assert state(enable(context, ["web"])) == "web: no"
    assert (text(context, SLICE), plan(context)) == before
    assert tree(context) == [f"multi-user.target.wants/{SERVICE}", SERVICE, SLICE]


def test_disable_of_what_runs_from_the_files(context):
    enable(context, ["web"])
    context.bus.units[SERVICE] = {"ActiveState": "active", "FragmentPath": f"{context.search.units}/{SERVICE}"}
    (outcome,) = disable(context, ["web"])
    assert str(outcome.error) == "web: it runs from the unit files that would be removed"
    assert outcome.error.hint == (
        "stop it first, or do both with 'nsunit disable --now web'; 'systemctl disable nsunit-web.service' lets it run,"
        " and keeps it from starting at the next boot"
    )
    os.unlink(f"{context.search.units}/multi-user.target.wants/{SERVICE}")
    (outcome,) = disable(context, ["web"])
    assert outcome.error.hint == "stop it first, or do both with 'nsunit disable --now web'"
    context.bus.units[SERVICE]["FragmentPath"] = f"{context.transient}{SERVICE}"
    assert state(disable(context, ["web"])) == "disabled"


def test_systemd_forgets_a_former_start_while_nothing_refers_to_it(context, monkeypatch):
    def reload():
        if tree(context) == [SERVICE, SLICE]:
            context.bus.units[SERVICE]["FragmentPath"] = f"{context.search.units}/{SERVICE}"

    enable(context, ["web"])
    assert not install.let_read(context, ["web"], [SERVICE])
    context.bus.units[SERVICE]["FragmentPath"] = f"{context.transient}{SERVICE}"
    context.bus.on_reload = reload
    assert install.let_read(context, ["web"], [SERVICE])
    assert (tree(context), context.bus.reloads) == ([f"multi-user.target.wants/{SERVICE}", SERVICE, SLICE], 3)
    context.bus.units[SERVICE]["FragmentPath"] = f"{context.transient}{SERVICE}"
    context.bus.on_reload = lambda: None
    monkeypatch.setattr(install, "_PAUSE", 0)
    message = f"^web: systemd still has '{SERVICE}' as it was before it was enabled, as another unit refers to it$"
    with pytest.raises(NsunitError, match=message) as caught:
        install.let_read(context, ["web"], [SERVICE])
    assert f"--property=WantedBy,RequiredBy,BoundBy '{SERVICE}'" in caught.value.hint
    assert install.let_read(context, ["web"], [SERVICE], required=False)
    assert f"multi-user.target.wants/{SERVICE}" in tree(context)


def test_who_is_killed_while_the_links_are_away_is_told_of(context):
    """Nothing would start the container at boot, and all else says that it is enabled."""
    unfinished = f"{context.paths.boot_of('web')}/{install.UNFINISHED}"
    found = []
    context.bus.on_reload = lambda: found.append((len(tree(context)), os.path.lexists(unfinished)))
    enable(context, ["web"])
    context.bus.units[SERVICE] = {"FragmentPath": f"{context.transient}{SERVICE}"}
    install.let_read(context, ["web"], [SERVICE], required=False)
    assert found == [(3, False), (2, True), (3, False)]
    install.begin(context, "web")  # as an `enable` that was killed has left it
    install.let_read(context, ["web"], [SERVICE], required=False)
    assert os.path.lexists(unfinished)


def test_an_interrupt_while_the_links_are_taken_away_leaves_all_of_them(context, monkeypatch):
    """The link that was not away yet was in the way, and so the others stayed away: nothing started it at boot."""
    define(context, "[Install]\nWantedBy=multi-user.target\nWantedBy=other.target\n")
    enable(context, ["web"])
    before = tree(context)
    assert len([path for path in before if "wants/" in path]) == 2
    context.bus.units[SERVICE] = {"FragmentPath": f"{context.transient}{SERVICE}"}
    unlink, away = install.unlink, []

    def interrupted(path):
        if away:
            raise KeyboardInterrupt
        away.append(path)
        unlink(path)

    monkeypatch.setattr(install, "unlink", interrupted)
    with pytest.raises(KeyboardInterrupt):
        install.let_read(context, ["web"], [SERVICE])
    assert tree(context) == before
    assert not os.path.lexists(f"{context.paths.boot_of('web')}/{install.UNFINISHED}")


def test_two_commands_on_links_in_one_directory(context, monkeypatch):
    """A user's default.target.wants may have no other, and each removes it once it is empty."""
    directory = f"{context.search.units}/default.target.wants"
    path, other = f"{directory}/{SERVICE}", f"{directory}/other"
    install.symlink("/x", path)
    unlink = os.unlink

    def both(what):
        unlink(what)
        os.rmdir(directory)

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", both)
        install.unlink(path)
    make, calls = install.unit_directory.make_directory, []

    def made_and_gone(what):
        make(what)
        if what == directory and what not in calls:
            os.rmdir(what)
        calls.append(what)

    monkeypatch.setattr(install.unit_directory, "make_directory", made_and_gone)
    install.symlink("/x", path)
    assert os.readlink(path) == "/x"
    install.symlink("/x", other)
    install.unlink(path)
    assert os.listdir(directory) == ["other"]


def member(context, name, group):
    root = f"{os.path.dirname(context.search.units)}/root dir"
    with open(f"{context.search.directories[0]}/{name}.nsunit", "w") as file:
        file.write(f"[Container]\nRootfs={root}\nVolatile=yes\nExec=/bin/sh\nSlice={group}\n")


def define_group(context, group, text):
    with open(f"{context.search.directories[0]}/{group}.slice.nsunit", "w") as file:
        file.write(text)


def slices(context):
    return [name for name in tree(context) if name.endswith(".slice")]


def test_the_files_of_a_group_are_there_as_long_as_a_member_is_enabled(context):
    define_group(context, "shop", "[Slice]\nMemoryMax=1G\n")
    member(context, "web", "shop-eu")
    member(context, "db", "shop")
    assert [item.state for item in enable(context, ["web", "db"])] == ["enabled", "enabled"]
    own = ["nsunit-shop-db.slice", "nsunit-shop-eu-web.slice"]
    assert slices(context) == sorted([*own, "nsunit-shop-eu.slice", "nsunit-shop.slice"])
    assert "MemoryMax=1G\n" in text(context, "nsunit-shop.slice")
    assert "Slice=nsunit-shop-eu-web.slice\n" in text(context, SERVICE)
    define_group(context, "shop", "[Slice]\nMemoryMax=2G\n")
    assert state(enable(context, ["db"])) == "enabled"
    assert "MemoryMax=2G\n" in text(context, "nsunit-shop.slice")
    assert state(enable(context, ["web"])) == "unchanged"
    disable(context, ["web"])
    assert slices(context) == ["nsunit-shop-db.slice", "nsunit-shop.slice"]
    disable(context, ["db"])
    assert tree(context) == []
    assert os.listdir(context.paths.state + "/groups") == []


def test_a_container_that_moves_to_another_group_takes_its_files_along(context):
    member(context, "web", "shop")
    enable(context, ["web"])
    member(context, "web", "store")
    assert state(enable(context, ["web"])) == "enabled"
    assert slices(context) == ["nsunit-store-web.slice", "nsunit-store.slice"]
    define(context, "")
    assert state(enable(context, ["web"])) == "enabled"
    assert slices(context) == [SLICE]


def test_groups_that_others_have_made(context):
    member(context, "web", "shop")
    path = context.search.units + "/nsunit-shop.slice"
    with open(path, "w") as file:
        file.write("[Slice]\nMemoryMax=1G\n")
    assert state(enable(context, ["web"])) == "enabled"
    assert text(context, "nsunit-shop.slice") == "[Slice]\nMemoryMax=1G\n"
    disable(context, ["web"])
    assert slices(context) == ["nsunit-shop.slice"]
    define_group(context, "shop", "")
    assert "was not made by nsunit" in state(enable(context, ["web"]))
    assert slices(context) == ["nsunit-shop.slice"]


def test_an_enable_in_a_group_that_fails_leaves_nothing(context):
    member(context, "web", "shop")
    context.bus.failing = True
    assert state(enable(context, ["web"])) == "web: no"
    assert tree(context) == []
    assert os.listdir(context.paths.state + "/groups") == []
