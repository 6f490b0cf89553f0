"""The process that shares the helper's memory and only sleeps."""

import errno
import fcntl
import os
import signal
import sys
from pathlib import Path

import pytest

from nsunit.setup import libc, linux, namespaces

CLONE_FS = 0x200
NS_GET_OWNER_UID = 0xB704


def status_of(pid: int) -> dict[str, str]:
    """Return the fields of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_it_is_there_as_long_as_the_context_and_hears_of_nothing():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with linux.sleeper(0) as child:
        os.kill(child.pid, signal.SIGTERM)
        os.kill(child.pid, signal.SIGINT)
        status = status_of(child.pid)
        assert status["PPid"] == str(os.getpid())
        blocked = int(status["SigBlk"], 16)
        assert all(blocked >> number - 1 & 1 for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM))
        assert os.waitpid(child.pid, os.WNOHANG) == (0, 0)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(child.pid, os.WNOHANG)


def test_it_shares_the_memory_and_has_descriptors_of_its_own():
    memory = bytearray(b"before")
    with libc.Sleeper(0) as child:
        memory[:] = b"behind"
        with Path(f"/proc/{child.pid}/mem").open("rb") as file:
            file.seek(libc.address_of(memory))
            assert file.read(6) == b"behind"
        reader, writer = os.pipe()
        assert not Path(f"/proc/{child.pid}/fd/{reader}").exists()
    os.close(reader)
    os.close(writer)


def test_one_that_has_ended_is_there_without_memory_until_it_is_waited_for():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    pid = linux.ended()
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    status = status_of(pid)
    assert status["State"].startswith("Z")
    assert "VmRSS" not in status
    assert os.waitpid(pid, 0) == (pid, 0)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_what_the_kernel_refuses_is_told():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with pytest.raises(OSError, match="Invalid argument") as caught:
        libc.Sleeper(linux.CLONE_NEWUSER | CLONE_FS)
    assert caught.value.errno == errno.EINVAL
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_a_user_namespace_with_its_maps_comes_of_it():
    entry = "0 0 1\n" if os.geteuid() == 0 else f"0 {os.geteuid()} 1\n"
    fd = namespaces.make_user_namespace(entry, entry if os.geteuid() == 0 else "")
    assert os.readlink(f"/proc/self/fd/{fd}").startswith("user:[")
    assert os.readlink(f"/proc/self/fd/{fd}") != os.readlink("/proc/self/ns/user")
    os.close(fd)


def test_a_containers_user_namespace_belongs_to_its_own_ids():
    """And who makes it is root with all capabilities again."""
    start = os.geteuid() or 600_000
    before = os.getresuid(), status_of(os.getpid())["CapEff"], linux.prctl(linux.PR_GET_SECUREBITS)
    fd = namespaces.make_owned_namespace(f"0 {start} 1\n", f"0 {start} 1\n" if start == 600_000 else "")
    assert (os.getresuid(), status_of(os.getpid())["CapEff"], linux.prctl(linux.PR_GET_SECUREBITS)) == before
    assert int.from_bytes(fcntl.ioctl(fd, NS_GET_OWNER_UID, bytes(4)), sys.byteorder) == start
    assert start != 600_000 or namespaces.maps_of(fd) == ([(0, start, 1)],) * 2
    os.close(fd)


@pytest.mark.parametrize(
    ("lines", "owner"),
    [
        ("0 524288 65536", 524288),
        ("0 600000 1000\n1000 1000 1", 600000),
        ("0 1000 1\n1 100000 65535", 100000),
        ("0 0 65536", 0),
        ("0 1000 1", 0),
    ],
)
def test_the_owner_is_no_account_of_the_hosts(lines, owner):
    assert namespaces.owner_of(f"{lines}\n") == owner
