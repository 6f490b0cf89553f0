"""Which cgroups a stop at once kills, on a tree of ordinary directories."""

import os
import signal

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


def test_who_waits_for_sessions_is_woken_before_anything_is_killed(killed, monkeypatch, tmp_path):
    """With a payload its sessions end, and no cgroup has what has ended: who waits for it would not be found."""
    groups = [tmp_path / "nsunit.slice" / group / "cgroup.kill" for group in TREE]
    woken = []
    monkeypatch.setattr(kill_now, "wake_parents", lambda group: woken.append((group, [g.read_text() for g in groups])))
    killed("web")
    assert dict(woken) == {str(tmp_path / "nsunit.slice" / TREE[at]): [""] * len(TREE) for at in (2, 3)}


def test_several(killed):
    assert killed("a-b", "db", "gone") == {TREE[7], TREE[8]}
    assert killed.told == {"a-b", "db"}


def test_nothing_there(tmp_path):
    kill_now.kill_now("/user.slice", ["web"], str(tmp_path))


def test_who_waits_for_a_session_goes_on_before_any_is_killed(killed, monkeypatch, tmp_path):
    """The kernel kills all with process 1, and what has ended is in no group by which its parent could be found."""
    left = list(tmp_path.rglob("cgroup.kill"))
    woken = []

    def wake(group):
        woken.append((os.path.basename(group), {path.read_text() for path in left}))

    monkeypatch.setattr(kill_now, "wake_parents", wake)
    monkeypatch.setattr(os, "listdir", lambda path, listed=os.listdir: sorted(listed(path), reverse=True))
    killed("web")
    assert sorted(woken) == [("nsunit-web-exec-12ab.scope", {""}), ("payload", {""})]


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


@pytest.mark.parametrize("place", ["cgroup.procs", "payload/cgroup.procs"])
def test_who_waits_for_a_session_and_was_stopped_goes_on(tmp_path, place):
    """Else what has ended of the container stays, and with it its process 1, until somebody lets that go on."""
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        child = os.fork()
        if child == 0:
            signal.pause()
        os.write(writer, b"%d" % child)
        os.kill(os.getpid(), signal.SIGSTOP)
        os.kill(child, signal.SIGKILL)
        os._exit(7)
    child = os.read(reader, 16).decode()
    os.close(reader), os.close(writer)
    assert os.WIFSTOPPED(os.waitpid(parent, os.WUNTRACED)[1])
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text(f"{child}\n{1 << 22}\n")
    kill_now.wake_parents(str(tmp_path))
    assert os.waitstatus_to_exitcode(os.waitpid(parent, 0)[1]) == 7


def test_who_runs_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(kill_now._signal, "pidfd_send_signal", lambda *_: pytest.fail("it was sent a signal"))
    (tmp_path / "cgroup.procs").write_text(f"{os.getpid()}\n1\n")
    kill_now.wake_parents(str(tmp_path))
    kill_now.wake_parents(str(tmp_path / "gone"))
