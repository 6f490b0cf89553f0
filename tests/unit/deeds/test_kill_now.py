"""Which cgroups a stop at once kills, on a tree of ordinary directories."""

import os

import pytest

from nsunit.deeds import kill_now

TREE = (
    "nsunit-web.slice/nsunit-web.service/payload",
    "nsunit-web.slice/nsunit-web.service/.control",
    "nsunit-web.slice/nsunit-web-exec-12ab.scope",
    "nsunit-web.slice/nsunit-web-run-34cd.scope/payload",
    "nsunit-web.slice/other.scope",
    "nsunit-other.slice/nsunit-web.service/payload",
    "nsunit-shop.slice/nsunit-shop-web.slice/nsunit-web.service/payload",
    "nsunit-shop.slice/nsunit-shop-db.slice/nsunit-db.service/payload",
    r"nsunit-a\x2db.slice/nsunit-a\x2db.service/payload",
)


@pytest.fixture
def killed(tmp_path):
    for group in TREE:
        directory = tmp_path / "nsunit.slice" / group
        directory.mkdir(parents=True)
        (directory / "cgroup.kill").touch()

    def kill(*names):
        kill.told = kill_now.kill_now("", names, str(tmp_path))
        return {group for group in TREE if (tmp_path / "nsunit.slice" / group / "cgroup.kill").read_text() == "1"}

    return kill


def test_payloads_and_sessions_in_whatever_group(killed):
    assert killed("web") == {TREE[0], TREE[2], TREE[3], TREE[6]}


def test_several(killed):
    assert killed("a-b", "db", "gone") == {TREE[7], TREE[8]}
    assert killed.told == {"a-b", "db"}


def test_nothing_there(tmp_path):
    kill_now.kill_now("/user.slice", ["web"], str(tmp_path))


def test_what_ends_meanwhile_is_passed_over(killed, monkeypatch):
    def gone(_fd, _text):
        raise OSError(19, "gone")

    monkeypatch.setattr(os, "write", gone)
    assert killed("web") == set()


def test_other_errors_are_told(killed, monkeypatch):
    def refused(*_arguments):
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", refused)
        with pytest.raises(PermissionError):
            killed("web")
    monkeypatch.setattr(os, "listdir", refused)
    with pytest.raises(PermissionError):
        killed("web")
