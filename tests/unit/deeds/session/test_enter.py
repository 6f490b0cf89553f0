"""What `enter` refuses before it looks at anything, and which program it takes along."""

import os
import shutil
import types

import pytest

from nsunit.core.running import Running
from nsunit.deeds.session import enter
from nsunit.errors import NsunitError, UsageError
from nsunit.formats.elf import is_static
from nsunit.setup.build import Build

RUNNING = Running("web", "nsunit-web.service", "/x", "ab", os.getpid())


def test_an_unknown_kind():
    with pytest.raises(UsageError) as caught:
        enter.enter(types.SimpleNamespace(user=False), "web", [], kinds=("net", "mont"))
    assert (caught.value.message, caught.value.hint) == ("'mont' is not a kind of namespace", "did you mean 'mnt'?")


def test_not_for_users():
    with pytest.raises(UsageError) as caught:
        enter.enter(types.SimpleNamespace(user=True), "web", [])
    assert caught.value.message == "enter is for containers of the system"
    assert caught.value.hint == "'nsunit --user exec web' joins all of it"


def test_no_program_of_a_container_gets_the_hosts_privileges(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(NsunitError) as caught:
        enter._inside(None, RUNNING, {"mnt": 9}, {"mnt": 9}, Build(""), ("sh",))
    assert caught.value.message == "web: it has no user namespace, so its 'sh' would run with the host's privileges"


def test_static_programs_come_along(monkeypatch, tmp_path):
    busybox = shutil.which("busybox")
    assert busybox, "tests/run installs it"
    with open(busybox, "rb") as file:
        assert is_static(file.read(4096))
    (tmp_path / "tool").symlink_to(busybox)
    (tmp_path / "notes").write_text("no program")
    monkeypatch.setenv("PATH", f"/nonexistent::{tmp_path}")
    fd = enter._open_static("tool")
    assert os.path.samestat(os.fstat(fd), os.stat(busybox))
    os.close(fd)
    assert enter._open_static("notes") == enter._open_static("absent") == enter._open_static("/bin/sh") == -1


def test_outside_keeps_the_callers_environment(monkeypatch):
    monkeypatch.setenv("MARK", "here")
    build = Build("")
    view, program = enter._outside({"net": 5, "user": 6}, build, ("ip",))
    assert build.environment["MARK"] == "here"
    assert (view.proc, view.sys) == ("no", "yes")
    assert (program.argv, program.user_fd, build.kept_fds) == (("ip",), 6, (6,))
    assert len(enter._outside({"uts": 5}, Build(""), ("hostname",))) == 1
