"""What is kept of a container on disk: whole or not at all, for its owner, under a lock that means what it says."""

import contextlib
import errno
import os
import resource
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from nsunit.oci.cgroup.place import Place
from nsunit.oci.errors import OciError
from nsunit.oci.state import Container, Store, began_of, write_whole
from nsunit.oci.verbs import execute
from nsunit.oci.verbs.execute import spaces_of
from nsunit.setup import system
from nsunit.setup.oci import copy

NOBODY_ELSE = 0o600


@contextmanager
def room_for(size):
    """Let files grow to *size* bytes: a write beyond takes a part first, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_has_no_room_leaves_the_file_as_it_was(tmp_path):
    (tmp_path / "file").write_text("before")
    with room_for(4096), pytest.raises(OSError) as caught:
        write_whole(str(tmp_path / "file"), b"x" * 5000)
    assert caught.value.errno == errno.EFBIG
    assert (tmp_path / "file").read_text() == "before"
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_is_never_one_that_somebody_else_has_made(tmp_path):
    """An engine may have its pid files where others can make files, and would go by what they write there."""
    theirs = tmp_path / f"file.{os.getpid()}"
    theirs.touch()
    with theirs.open("r+") as held:
        write_whole(str(tmp_path / "file"), b"42")
        assert (tmp_path / "file").stat().st_ino != os.fstat(held.fileno()).st_ino
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"42")]


def test_a_copy_that_has_no_room_is_told(tmp_path):
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
    (tmp_path / "from/file").write_bytes(b"x" * 5000)
    source, target = (os.open(tmp_path / name, os.O_PATH | os.O_DIRECTORY) for name in ("from", "to"))
    with room_for(4096), pytest.raises(OSError) as caught:
        copy.tree(source, target)
    assert caught.value.errno == errno.EFBIG


def test_others_do_not_read_what_is_kept(tmp_path):
    store = Store(str(tmp_path / "root"))
    store.add("c")
    store.write("c", "config.json", b"{}")
    assert stat.S_IMODE(os.stat(store.path("c", "config.json")).st_mode) == NOBODY_ELSE


def test_a_lock_of_what_is_no_more_is_none(tmp_path, monkeypatch):
    store = Store(str(tmp_path))
    store.add("c")

    def others_turn(_fd, _operation):
        """Who has the lock removes the container, and the name is taken again."""
        store.remove("c")
        store.add("c")

    monkeypatch.setattr("nsunit.oci.state.fcntl.flock", others_turn)
    with pytest.raises(OciError, match="container does not exist"):
        store.lock("c")


def test_what_another_user_has_made_is_not_used(tmp_path, monkeypatch):
    """It names hooks, and cgroups that are killed: root would act for whoever can write there."""
    store = Store(str(tmp_path / "root"))
    store.add("c")
    own = os.geteuid()
    monkeypatch.setattr(system, "geteuid", lambda: own + 1)
    for use in (store.lock, store.load, store.check_owner):
        with pytest.raises(OciError, match=f"^{tmp_path}/root(/c)? belongs to user {own}, who alone can use it$"):
            use("c")


def test_nor_is_a_place_that_another_user_has_made(tmp_path, monkeypatch):
    status = os.stat(tmp_path)
    others = os.stat_result((*status[:4], 1234, *status[5:]))
    monkeypatch.setattr(system, "stat", lambda path: others)
    store = Store("/tmp/taken")
    for use in (lambda: store.add("c"), store.names, lambda: store.load("c")):
        with pytest.raises(OciError, match="^/tmp/taken belongs to user 1234, who alone can use it$"):
            use()


def own(pid):
    """A container whose process is *pid*."""
    return Container("x", "/b", "/b/r", "", 0, 0, Place("disabled"), {}, "1.2.0", pid=pid, began=began_of(pid))


def test_namespaces_are_not_those_of_who_has_the_number_by_now():
    container = own(os.getpid())
    spaces = spaces_of(container)
    assert os.fstat(spaces.pidfd)
    os.close(spaces.pidfd)
    with pytest.raises(OciError, match="cannot exec in a stopped container"):
        spaces_of(container.replace(began=container.began - 1))


FIRST_THREAD_ENDS = """
import ctypes, sys, threading
threading.Thread(target=sys.stdin.readline).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_program_whose_first_thread_has_ended_is_there_until_the_last_one_ends():
    with subprocess.Popen([sys.executable, "-c", FIRST_THREAD_ENDS], stdin=subprocess.PIPE) as program:
        began = began_of(program.pid)
        assert began
        while b"State:\tZ" not in (Path("/proc") / str(program.pid) / "status").read_bytes():
            assert program.poll() is None
            time.sleep(0.01)
        assert began_of(program.pid) == began
        with pytest.raises(OciError, match="^cannot exec: the first thread of the container's program has ended$"):
            spaces_of(own(program.pid))
        program.stdin.close()
        os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
        assert began_of(program.pid) == 0


@pytest.mark.parametrize("root", [True, False])
def test_a_user_may_have_a_higher_score_than_the_container(monkeypatch, root):
    """A service of a user's manager has: the kernel lets nobody else lower it, and podman's `exec` is called there."""

    def refused(path, text):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(execute.namespaces, "write_file", refused)
    monkeypatch.setattr(execute, "is_host_root", lambda: root)
    session = execute._Session(None, None, {}, {"process": {"oomScoreAdj": 0}})
    with pytest.raises(PermissionError) if root else contextlib.nullcontext():
        session.placed(1, inside=True)
