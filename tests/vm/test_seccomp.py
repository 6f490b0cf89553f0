"""The system call filter on real containers: in the program, in exec sessions, with more capabilities."""

import errno
import json
import os
import platform
import subprocess

import pytest

from nsunit.core.seccomp import library_path
from nsunit.core.seccomp_compiler import syscall_numbers

ROOT = ("-p", "Rootfs=/srv/roots/debian", "-p", "Volatile=yes")
MACHINE = platform.machine()

# Makes each call of the JSON list in argv[1]; prints the errno of each, 0 for success.
PROBE = """\
import ctypes, json, sys
libc = ctypes.CDLL(None, use_errno=True)
answers = []
for number, *arguments in json.loads(sys.argv[1]):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_ulong(value) for value in arguments))
    answers.append(ctypes.get_errno() if result == -1 else 0)
print(json.dumps(answers))
"""

REFUSED = {
    ("unshare", 0x10000000): errno.EPERM,
    ("unshare", 0x20000): errno.EPERM,
    ("clone", 0x10000011, 0, 0, 0, 0): errno.EPERM,
    ("clone3", 0, 0): errno.ENOSYS,
    ("mount", 0, 0, 0, 0, 0): errno.EPERM,
    ("fsopen", 0, 0): errno.EPERM,
    ("bpf", 0, 0, 0): errno.EPERM,
    ("keyctl", 0, 0, 0, 0, 0): errno.ENOSYS,
    ("add_key", 0, 0, 0, 0, 0): errno.ENOSYS,
    ("io_uring_setup", 1, 0): errno.ENOSYS,
    ("perf_event_open", 0, 0, 0, 0, 0): errno.EPERM,
    ("userfaultfd", 0): errno.EPERM,
    ("open_by_handle_at", 0, 0, 0): errno.EPERM,
    ("kexec_load", 0, 0, 0, 0): errno.EPERM,
    ("ptrace", 16, 1, 0, 0): errno.EPERM,
    ("socket", 38, 5, 0): errno.EAFNOSUPPORT,
    ("socket", 40, 1, 0): errno.EAFNOSUPPORT,
    ("ioctl", 0, 0x5412, 0): errno.EPERM,
    ("ioctl", 0, 1 << 32 | 0x5412, 0): errno.EPERM,
    ("socket", 1, 1, 0): 0,
    ("getpid",): 0,
}


def nsunit(*arguments):
    return subprocess.run(["nsunit", *arguments], capture_output=True, text=True, timeout=120, check=False)


def python(code):
    """Return the command that runs *code*, in one line."""
    return ("python3", "-c", f"exec({code!r})")


def probe(calls):
    """Return the command that makes *calls*."""
    numbers = syscall_numbers({name for name, *_ in calls}, MACHINE, library_path())
    return (*python(PROBE), json.dumps([(numbers[name], *arguments) for name, *arguments in calls]))


def answers(result, calls):
    assert result.returncode == 0, result.stderr
    return dict(zip(calls, json.loads(result.stdout), strict=True))


@pytest.fixture
def sleeper():
    name = "seccomp-sleeper"
    started = nsunit("run", "-d", "--name", name, *ROOT, "sleep", "infinity")
    assert started.returncode == 0, started.stderr
    yield name
    nsunit("stop", "--now", name)


def test_program_is_filtered():
    assert answers(nsunit("run", *ROOT, *probe(REFUSED)), REFUSED) == REFUSED


def test_program_without_new_privileges_lock_is_filtered_as_well():
    result = nsunit("run", *ROOT, "-p", "NoNewPrivileges=no", *probe(REFUSED))
    assert answers(result, REFUSED) == REFUSED


def test_exec_session_is_filtered(sleeper):
    assert answers(nsunit("exec", sleeper, *probe(REFUSED)), REFUSED) == REFUSED
    status = nsunit("exec", sleeper, "grep", "-E", "^(Seccomp|NoNewPrivs):", "/proc/1/status", "/proc/self/status")
    assert [line.split(":", 1)[1].split() for line in status.stdout.splitlines()] == [
        ["NoNewPrivs:", "1"],
        ["Seccomp:", "2"],
    ] * 2


def test_capability_opens_mount():
    command = ("sh", "-c", "mount -t tmpfs none /mnt && stat -fc %T /mnt")
    assert nsunit("run", *ROOT, *command).returncode != 0
    result = nsunit("run", *ROOT, "-p", "Capability=+SYS_ADMIN", *command)
    assert (result.returncode, result.stdout) == (0, "tmpfs\n"), result.stderr


@pytest.mark.kernel("calls of i386")
@pytest.mark.skipif(MACHINE != "x86_64", reason="i386 calls exist on x86-64 only")
def test_i386_call_kills_the_program():
    code = """
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=7)
page.write(bytes.fromhex("b814000000cd80c3"))
ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""
    assert nsunit("run", *ROOT, *python(code)).returncode == 128 + 31


def test_ordinary_programs_work():
    command = "apt-get --version && dpkg -l | tail -n 1 && python3 -c 'import asyncio; asyncio.run(asyncio.sleep(0))'"
    result = nsunit("run", *ROOT, "sh", "-ec", command)
    assert result.returncode == 0, result.stderr


def test_filters_are_made_once(sleeper):
    def entries():
        return sorted((entry.name, entry.stat().st_mtime_ns) for entry in os.scandir("/run/nsunit/seccomp"))

    before = entries()
    assert before
    assert nsunit("run", *ROOT, "true").returncode == 0
    assert entries() == before
    assert os.stat("/run/nsunit/seccomp").st_mode & 0o777 == 0o700
