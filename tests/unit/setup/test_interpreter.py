"""The interpreter out of reach of the host's root inside, and for whom that is needed."""

from __future__ import annotations

import os
import sys

import pytest

from nsunit.deeds.session.foreground import protect_host
from nsunit.deeds.session.run import _may_have_hosts_root
from nsunit.definition.load import Host, load_text
from nsunit.errors import SessionError
from nsunit.setup import interpreter, linux, namespaces
from nsunit.setup.build import Build
from nsunit.setup.main import _has_hosts_root
from nsunit.setup.spawn import SetupError


@pytest.fixture
def kernel(monkeypatch):
    """What the mount of a descriptor is like, by the order of opening, and the calls that were made."""
    calls, mounts = [], {"old": (False, False), "new": (True, True)}
    monkeypatch.setattr(linux, "clone_tree", lambda fd: calls.append("clone") or os.open("/dev/null", os.O_RDONLY))
    monkeypatch.setattr(linux, "mount_setattr", lambda fd, set_, propagation: calls.append(set_))
    kind = {True: "new", False: "old"}
    monkeypatch.setattr(interpreter, "_is_detached", lambda fd: mounts[kind["clone" in calls]][0])
    monkeypatch.setattr(interpreter, "_is_read_only", lambda fd: mounts[kind["clone" in calls]][1])
    monkeypatch.setattr(sys, "argv", ["/usr/bin/nsunit"])
    monkeypatch.setattr(namespaces, "write_file", lambda path, text: calls.append(f"{path}: {text}"))
    monkeypatch.setattr(os, "execve", lambda fd, argv, env: calls.append(tuple(argv)))
    monkeypatch.setattr(sys, "orig_argv", ["python3", "-SI", "/usr/bin/nsunit", "exec", "web"])
    monkeypatch.delenv("LISTEN_PID", raising=False)
    return calls, mounts


def test_it_begins_anew_with_all_its_words(kernel):
    interpreter.protect()
    attributes = linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV
    assert kernel[0] == ["clone", attributes, (sys.executable, "-SI", "/usr/bin/nsunit", "exec", "web")]


@pytest.mark.parametrize(("old", "again"), [((True, True), False), ((False, True), True), ((True, False), True)])
def test_it_begins_anew_once(kernel, old, again):
    calls, mounts = kernel
    mounts["old"] = old
    interpreter.protect()
    assert (calls != ["/proc/self/comm: nsunit"]) is again


@pytest.mark.parametrize("new", [(True, False), (False, True)])
def test_it_never_begins_anew_for_ever(kernel, new):
    calls, mounts = kernel
    mounts["new"] = new
    text = "Failed to keep the host's interpreter away from the program: its mount is writable"
    with pytest.raises(SetupError) as caught:
        interpreter.protect()
    assert (str(caught.value), calls[2:]) == (text, [])
    with pytest.raises(SessionError) as session:
        protect_host("web")
    assert (session.value.message, session.value.exit_status) == (f"web: {text}", 125)


def test_sockets_of_systemd_are_kept(kernel, monkeypatch):
    kept = []
    monkeypatch.setattr(os, "set_inheritable", lambda fd, on: kept.append((fd, on)))
    monkeypatch.setenv("LISTEN_FDS", "2")
    monkeypatch.setenv("LISTEN_PID", "1")
    interpreter.protect()
    assert kept == []
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    kernel[0].clear()
    interpreter.protect()
    assert kept == [(3, True), (4, True)]


def test_mounts_in_a_tree_are_told_from_others():
    fd = os.open("/proc/self/exe", os.O_PATH)
    assert not interpreter._is_detached(fd)
    os.close(fd)
    reader, writer = os.pipe()  # the kernel's own mount of pipes is in no tree
    assert interpreter._is_detached(reader)
    os.close(reader)
    os.close(writer)


def build(**values):
    found = Build("")
    for name, value in values.items():
        setattr(found, name, value)
    return found


@pytest.mark.parametrize(
    ("operations", "values", "expected"),
    [
        ([], {}, True),
        ([namespaces.UserNamespace("524288", "65536")], {}, False),
        ([namespaces.UserNamespace("0", "65536")], {}, True),
        ([], {"userns_fd": 5}, False),
        ([], {"userns_fd": 5, "has_hosts_root": True}, True),
        ([], {"own_users": True}, False),
    ],
    ids=["none", "range", "identity", "joined", "joined-with-root", "without-root"],
)
def test_who_has_the_hosts_root(operations, values, expected):
    assert _has_hosts_root(operations, build(**values)) is expected


def test_the_maps_of_a_process_tell(monkeypatch):
    for content, expected in (
        ("         0          0 4294967295\n", True),
        ("         0     524288      65536\n", False),
        ("         0       1000          1\n         5          0          1\n", True),
        ("         0     100000          0\n", False),
    ):
        monkeypatch.setattr(namespaces, "read_file", lambda path, content=content: content)
        assert namespaces.has_hosts_root(7) is expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", False),
        ("PrivateUsers=100000:65536\n", False),
        ("PrivateUsers=no\n", True),
        ("PrivateUsers=identity\n", True),
        ("UserNamespace=container:db\n", True),
        ("UIDMap=0 1000 1\nGIDMap=0 1000 1\n", True),
    ],
)
def test_runs_that_may_have_the_hosts_root(lines, expected):
    text = f"[Container]\nRootfs=/srv\nReadOnly=yes\nExec=/bin/sh\n{lines}"
    assert _may_have_hosts_root(load_text("web", text, "web.nsunit", Host(257)).container) is expected
