"""The search path, drop-in directories, templates and names."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nsunit.definition import read_regular
from nsunit.definition.load import Host, load
from nsunit.definition.search import (
    SYSTEM_SEARCH_PATH,
    SearchPath,
    find,
    list_names,
    list_templates,
    user_search_path,
)
from nsunit.errors import DefinitionError, NotFoundError, UsageError, did_you_mean, distance, nearest


def touch(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return str(path)


@pytest.fixture
def search(tmp_path: Path) -> SearchPath:
    return SearchPath((str(tmp_path / "etc"), str(tmp_path / "lib"), str(tmp_path / "missing")))


def test_the_search_paths() -> None:
    assert SYSTEM_SEARCH_PATH.directories == (
        "/etc/nsunit",
        "/run/nsunit/definitions",
        "/usr/local/lib/nsunit",
        "/usr/lib/nsunit",
    )
    user = user_search_path({"HOME": "/home/joe", "XDG_RUNTIME_DIR": "/run/user/1000"}).directories
    assert user[:3] == (
        "/home/joe/.config/nsunit",
        "/run/user/1000/nsunit/definitions",
        "/home/joe/.local/share/nsunit",
    )
    assert user_search_path({"HOME": "/h", "XDG_CONFIG_HOME": "/c"}).directories[0] == "/c/nsunit"


def test_the_first_directory_wins(tmp_path: Path, search: SearchPath) -> None:
    touch(tmp_path / "lib/web.nsunit")
    assert find("web", search).main == str(tmp_path / "lib/web.nsunit")
    first = touch(tmp_path / "etc/web.nsunit")
    assert find("web", search).main == first


def test_an_instance_of_its_own_wins_over_its_template(tmp_path: Path, search: SearchPath) -> None:
    template = touch(tmp_path / "etc/web@.nsunit")
    assert find("web@1", search).main == template
    own = touch(tmp_path / "lib/web@1.nsunit")
    assert find("web@1", search).main == own


def test_drop_ins_are_sorted_by_name_and_hide_each_other(tmp_path: Path, search: SearchPath) -> None:
    touch(tmp_path / "etc/web@.nsunit")
    b = touch(tmp_path / "lib/web@.nsunit.d/b.conf")
    touch(tmp_path / "lib/web@.nsunit.d/a.conf")
    a = touch(tmp_path / "lib/web@1.nsunit.d/a.conf")
    touch(tmp_path / "lib/web@.nsunit.d/gone.conf")
    os.symlink("/dev/null", tmp_path / "etc/web@.nsunit.d_")
    (tmp_path / "etc/web@1.nsunit.d").mkdir()
    os.symlink("/dev/null", tmp_path / "etc/web@1.nsunit.d/gone.conf")
    touch(tmp_path / "etc/web@1.nsunit.d/bad\nname.conf")
    assert find("web@1", search).drop_ins == (a, b)
    assert find("web@2", search).drop_ins == (
        str(tmp_path / "lib/web@.nsunit.d/a.conf"),
        b,
        str(tmp_path / "lib/web@.nsunit.d/gone.conf"),
    )


def test_a_masked_definition_is_not_found(tmp_path: Path, search: SearchPath) -> None:
    touch(tmp_path / "lib/web.nsunit")
    (tmp_path / "etc").mkdir()
    os.symlink("/dev/null", tmp_path / "etc/web.nsunit")
    with pytest.raises(NotFoundError) as caught:
        find("web", search)
    assert caught.value.message == f"container 'web' is masked by {tmp_path}/etc/web.nsunit"
    assert caught.value.exit_status == 3
    assert list_names(search) == ()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("wbe", "'web'"),
        ("shop", "'shop' is a template; start an instance of it, e.g. shop@1"),
        ("shp@1", "'shop@1'"),
        ("group.slice", "that is the name of a group; 'nsunit list --tree' shows groups with their containers"),
        ("group", "there is a group of that name: 'group.slice'"),
        ("web.service", "that is the name of its unit, the container is 'web'"),
        ("nsunit-web", "that is the name of its unit, the container is 'web'"),
        ("nsunit-web.service", "that is the name of its unit, the container is 'web'"),
        ("zzzzzz", None),
    ],
)
def test_a_missing_definition_gets_a_hint(tmp_path: Path, search: SearchPath, name: str, hint: str | None) -> None:
    for file in ("web.nsunit", "shop@.nsunit", "group.slice.nsunit"):
        touch(tmp_path / "etc" / file)
    with pytest.raises(NotFoundError) as caught:
        find(name, search)
    assert caught.value.message == f"container '{name}' is not defined"
    expected = hint or f"looked for {name}.nsunit in {', '.join(search.directories)}"
    assert expected in str(caught.value.hint)


def test_names(tmp_path: Path, search: SearchPath) -> None:
    for file in (
        *("etc/web.nsunit", "lib/web.nsunit", "lib/db.nsunit", "etc/shop@.nsunit", "etc/shop@1.nsunit"),
        *("etc/group.slice.nsunit", "etc/Bad.nsunit", "etc/.x.nsunit", "etc/web.nsunit.d/a.conf", "etc/readme"),
    ):
        touch(tmp_path / file)
    assert list_names(search) == ("db", "shop@1", "web")
    assert list_templates(search) == ("shop",)


def test_a_definition_that_is_no_file_is_a_problem_not_a_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "web.nsunit")
    os.symlink("nowhere", tmp_path / "db.nsunit")
    for name, message in (("web", "is not a regular file"), ("db", "cannot be read: No such file or directory")):
        with pytest.raises(DefinitionError) as caught:
            load(name, SearchPath((str(tmp_path),)), Host(257))
        assert f"{tmp_path}/{name}.nsunit: {message}" in caught.value.message


@pytest.mark.parametrize(
    ("path", "flags", "number"),
    [
        ("fifo", 0, errno.EINVAL),
        ("zero", 0, errno.EINVAL),
        ("", 0, errno.EINVAL),
        ("large", 0, errno.EFBIG),
        ("link", os.O_NOFOLLOW, errno.EINVAL),
        ("gone", 0, errno.ENOENT),
    ],
)
def test_what_is_no_file_to_be_read(tmp_path: Path, path: str, flags: int, number: int) -> None:
    """None of it is waited for, or read to its end."""
    os.mkfifo(tmp_path / "fifo")
    os.symlink("/dev/zero", tmp_path / "zero")
    os.symlink("small", tmp_path / "link")
    (tmp_path / "small").write_text("small")
    (tmp_path / "large").write_text("x" * 11)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError) as caught:
        read_regular(f"{tmp_path}/{path}", 10, flags)
    assert (caught.value.errno, caught.value.filename) == (number, f"{tmp_path}/{path}")
    assert read_regular(f"{tmp_path}/link", 5) == b"small"
    assert os.listdir("/proc/self/fd") == before


def test_a_file_is_read_by_system_calls_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file object takes longer than they do, and a start reads what each of a thousand containers has noted."""
    (tmp_path / "ids").write_text("1 65536\n" * 20_000)
    monkeypatch.setattr("builtins.open", None)
    assert read_regular(f"{tmp_path}/ids") == b"1 65536\n" * 20_000


def test_a_file_that_is_exchanged_for_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "file")
    looked = iter([os.stat(__file__)])
    monkeypatch.setattr(os, "stat", lambda _path, follow_symlinks: next(looked))
    with pytest.raises(OSError, match="is not a regular file"):
        read_regular(f"{tmp_path}/file")


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [("", "", 0), ("abc", "ABC", 0), ("abc", "acb", 1), ("abc", "ab", 1), ("abc", "xbc", 1), ("kitten", "sitting", 3)],
)
def test_the_distance_of_words(left: str, right: str, expected: int) -> None:
    assert distance(left, right) == expected
    assert distance(right, left) == expected


def test_the_nearest_word() -> None:
    assert nearest("MemoryMux", ("MemoryMax", "MemoryMin", "TasksMax")) == "MemoryMax"
    assert nearest("Zebra", ("MemoryMax",)) is None
    assert nearest("", ()) is None


def test_what_is_typed_in_part_is_completed() -> None:
    """Before what is as near, and where more than one begins so, the nearest of these."""
    assert did_you_mean("stat", ("start", "status"), "{}") == "did you mean status?"
    assert did_you_mean("stat", ("start", "status", "stats"), "{}") == "did you mean stats?"
    assert did_you_mean("li", ("ls", "list"), "{}") == "did you mean ls?"


def test_relative_paths_in_the_environment_are_ignored() -> None:
    """As the XDG Base Directory Specification has it: it was another place for each directory that one was in."""
    environ = {"HOME": "/h"} | dict.fromkeys(("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"), "own/place")
    assert user_search_path(environ) == user_search_path({"HOME": "/h"})


def test_a_name_in_capitals_is_told_the_one_it_can_have(tmp_path: Path, search: SearchPath) -> None:
    path = touch(tmp_path / "etc/Web.nsunit")
    with pytest.raises(NotFoundError) as caught:
        find("web", search)
    assert caught.value.hint == f"names have small letters only: rename '{path}' to web.nsunit"
    with pytest.raises(UsageError, match="^'Web' is not a container name$") as refused:
        find("Web", search)
    assert refused.value.hint == "names have small letters only: 'web', whose definition is web.nsunit"
