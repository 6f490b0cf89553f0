"""The compiled filter: what it decides, that the kernel takes it, and the cache."""

import ctypes
import errno
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from nsunit.core import seccomp, seccomp_compiler
from nsunit.errors import NsunitError
from nsunit.plan import syscalls
from nsunit.plan.syscalls import rules_for

MACHINE = platform.machine()
LIBRARY = seccomp.library_path()
DEFAULT_NAMES = (
    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FSETID CAP_FOWNER CAP_SETGID CAP_SETUID CAP_SETFCAP CAP_SETPCAP "
    "CAP_NET_BIND_SERVICE CAP_SYS_CHROOT CAP_KILL"
)
DEFAULT = DEFAULT_NAMES.split()

# Loads the filter in argv[1], then makes each call of the JSON list on stdin; prints the errno of each, 0 for success.
LOADER = """
import ctypes, json, os, struct, sys
calls = json.load(sys.stdin)
libc = ctypes.CDLL(None, use_errno=True)
filter_ = bytes.fromhex(sys.argv[1])
buffer = ctypes.create_string_buffer(filter_, len(filter_))
program = struct.pack("HxxxxxxP", len(filter_) // 8, ctypes.addressof(buffer))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.syscall(SECCOMP, 1, 0, program) == 0, ctypes.get_errno()
answers = []
for number, *arguments in calls:
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_ulong(value) for value in arguments))
    answers.append(ctypes.get_errno() if result == -1 else 0)
print(json.dumps(answers))
"""


def load(capabilities, calls=(), code="", **kwargs):
    """Run LOADER and then *code* under the filter for *capabilities*."""
    program = seccomp_compiler.compile(rules_for(tuple(capabilities)), MACHINE, LIBRARY)
    number = seccomp_compiler.syscall_numbers({"seccomp"}, MACHINE, LIBRARY)["seccomp"]
    return subprocess.run(
        [sys.executable, "-c", LOADER.replace("SECCOMP", str(number)) + code, program.hex()],
        input=json.dumps(list(calls)),
        capture_output=True,
        text=True,
        timeout=30,
        **kwargs,
    )


def answers(capabilities, calls):
    names = {name for name, *_ in calls}
    numbers = seccomp_compiler.syscall_numbers(names, MACHINE, LIBRARY)
    result = load(capabilities, [(numbers[name], *arguments) for name, *arguments in calls])
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_kernel_refuses_what_the_filter_refuses():
    calls = {
        ("unshare", 0x10000000): errno.EPERM,
        ("unshare", 0x20000): errno.EPERM,
        ("unshare", 0): 0,
        ("clone3", 0, 0): errno.ENOSYS,
        ("clone", 0x10000011, 0, 0, 0, 0): errno.EPERM,
        ("mount", 0, 0, 0, 0, 0): errno.EPERM,
        ("setns", 0, 0): errno.EPERM,
        ("fsopen", 0, 0): errno.EPERM,
        ("bpf", 0, 0, 0): errno.EPERM,
        ("keyctl", 0, 0, 0, 0, 0): errno.ENOSYS,
        ("add_key", 0, 0, 0, 0, 0): errno.ENOSYS,
        ("request_key", 0, 0, 0, 0): errno.ENOSYS,
        ("io_uring_setup", 1, 0): errno.ENOSYS,
        ("perf_event_open", 0, 0, 0, 0, 0): errno.EPERM,
        ("userfaultfd", 0): errno.EPERM,
        ("open_by_handle_at", 0, 0, 0): errno.EPERM,
        ("kexec_load", 0, 0, 0, 0): errno.EPERM,
        ("ptrace", 0, 0, 0, 0): errno.EPERM,
        ("process_vm_readv", 0, 0, 0, 0, 0, 0): errno.EPERM,
        ("socket", 38, 5, 0): errno.EAFNOSUPPORT,
        ("socket", 40, 1, 0): errno.EAFNOSUPPORT,
        ("socket", 1 << 32 | 38, 5, 0): errno.EAFNOSUPPORT,
        ("socket", 16, 3, 9): errno.EAFNOSUPPORT,
        ("socket", 1, 1, 0): 0,
        ("socket", 2, 1, 0): 0,
        ("ioctl", 0, 0x5412, 0): errno.EPERM,
        ("ioctl", 0, 1 << 32 | 0x5412, 0): errno.EPERM,
        ("ioctl", 0, 0x541C, 0): errno.EPERM,
        ("ioctl", 0, 0x5401, 0): errno.ENOTTY,  # stdin is a pipe: the kernel's own answer
        ("personality", 0xFFFFFFFF): 0,
        ("personality", 0x40000): errno.EPERM,
        ("getpid",): 0,
    }
    assert dict(zip(calls, answers(DEFAULT, calls), strict=True)) == calls


def test_unknown_number_is_enosys():
    result = load(DEFAULT, [(4000,)])
    assert json.loads(result.stdout) == [errno.ENOSYS]


def test_sys_admin_lets_mount_and_unshare_through():
    """What the kernel then says is its own: bad addresses, not the filter's EPERM."""
    calls = [("mount", 0, 0, 0, 0, 0), ("unshare", 0x400 | 0x1), ("fsopen", 0, 0), ("setns", 0, 0)]
    assert answers(["CAP_SYS_ADMIN"], calls) == [errno.EFAULT, errno.EINVAL, errno.EFAULT, errno.EINVAL]


def test_programs_run_under_it():
    code = """
import subprocess, threading, socket, tempfile
thread = threading.Thread(target=print, args=("thread",)); thread.start(); thread.join()
print(subprocess.run(["sh", "-c", "ls / | grep -c etc"], capture_output=True, text=True, check=True).stdout)
a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
with tempfile.TemporaryDirectory() as d: open(d + "/x", "w").write("y")
print(subprocess.run([sys.executable, "-c", "import asyncio; asyncio.run(asyncio.sleep(0)); print('python')"],
      capture_output=True, text=True, check=True).stdout)
"""
    result = load(DEFAULT, code=code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["[]", "thread", "1", "python"]


@pytest.mark.skipif(MACHINE != "x86_64", reason="i386 and x32 calls exist on x86-64 only")
@pytest.mark.parametrize(
    "machine_code",
    [
        "b814000000cd80c3",  # mov eax, 20 (getpid); int 0x80; ret
        "b8270000400f05c3",  # mov eax, 0x40000027 (x32 getpid); syscall; ret
    ],
    ids=["i386", "x32"],
)
def test_call_of_another_architecture_kills(machine_code):
    code = f"""
import mmap
page = mmap.mmap(-1, 4096, prot=7)
page.write(bytes.fromhex("{machine_code}"))
ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""
    assert load(DEFAULT, code=code).returncode == -31  # SIGSYS


def test_every_call_the_machine_has_is_in_the_table():
    """A call in no list is answered with ENOSYS; that must be a decision, not an oversight."""
    library = ctypes.CDLL(LIBRARY)
    library.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
    token = library.seccomp_arch_native()
    known = set()
    for number in range(600):
        pointer = library.seccomp_syscall_resolve_num_arch(token, number)
        if pointer:
            known.add(ctypes.string_at(pointer).decode())
    tables = (syscalls.ALLOWED, syscalls.GUARDED, syscalls.REFUSED)
    listed = {name for table in tables for group in table.values() for name in group.split()}
    listed |= {*syscalls.ABSENT.split(), "socket", "socketpair", "personality"}
    # The kernel has the numbers reserved and says ENOSYS itself.
    gone = (
        "_sysctl afs_syscall create_module epoll_ctl_old epoll_wait_old get_kernel_syms getpmsg nfsservctl putpmsg "
        "query_module security tuxcall vserver"
    )
    assert known - listed - set(gone.split()) == set()


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64", "riscv64"])
def test_program_fits(architecture):
    assert len(seccomp_compiler.compile(rules_for(tuple(DEFAULT)), architecture, LIBRARY)) // 8 < 300


def test_unknown_architecture():
    with pytest.raises(NsunitError, match="no seccomp filter for architecture 's390x'") as caught:
        seccomp_compiler.compile(rules_for(()), "s390x", LIBRARY)
    assert caught.value.hint == "nsunit runs on x86_64, aarch64, riscv64"
    with pytest.raises(NsunitError, match="libseccomp does not know architecture 'pdp11'") as caught:
        seccomp_compiler.syscall_numbers({"read"}, "pdp11", LIBRARY)
    assert caught.value.hint == "install a newer libseccomp"


def test_missing_library():
    with pytest.raises(NsunitError, match="cannot load 'libseccomp.so.2': ") as caught:
        seccomp_compiler.compile(rules_for(()), "x86_64", "/nonexistent/libseccomp.so.2")
    assert "libseccomp2" in caught.value.hint


def test_names_an_older_library_or_another_machine_lacks_are_left_out():
    numbers = seccomp_compiler.syscall_numbers({"read", "open", "no_such_call"}, "aarch64", LIBRARY)
    assert numbers == {"read": 63}


def filter_for(capabilities, cache):
    return Path(seccomp.filter_file_for(capabilities, cache)).read_bytes()


class TestCache:
    def test_second_time_nothing_is_compiled_or_loaded(self, tmp_path, monkeypatch):
        cache = str(tmp_path / "nsunit" / "seccomp")
        first = filter_for(tuple(DEFAULT), cache)
        monkeypatch.setattr(seccomp_compiler, "filter_of", None)
        assert filter_for(tuple(reversed(DEFAULT)), cache) == first
        assert os.stat(cache).st_mode & 0o777 == os.stat(tmp_path / "nsunit").st_mode & 0o777 == 0o700
        assert len(os.listdir(cache)) == 1

    def test_hit_imports_neither_ctypes_nor_hashlib(self, tmp_path):
        filter_for((), str(tmp_path / "seccomp"))
        code = (
            "import sys; from nsunit.core.seccomp import filter_file_for; filter_file_for((), sys.argv[1]); "
            "unwanted = ('ctypes', 'hashlib', 'nsunit.core.seccomp_compiler', 'nsunit.plan.bpf', "
            "'nsunit.plan.syscalls', 're', 'typing'); "
            "print([name for name in unwanted if name in sys.modules])"
        )
        result = subprocess.run(
            [sys.executable, "-S", "-c", code, str(tmp_path / "seccomp")],
            capture_output=True,
            text=True,
            check=True,
            cwd=os.path.dirname(os.path.dirname(os.path.dirname(seccomp.__file__))),
        )
        assert result.stdout == "[]\n"

    def test_other_capabilities_make_another_entry(self, tmp_path):
        cache = tmp_path / "seccomp"
        assert filter_for((), str(cache)) != filter_for(("CAP_SYS_ADMIN",), str(cache))
        assert len(list(cache.iterdir())) == 2

    @pytest.mark.parametrize("changed", ["library", "seccomp_compiler.py", "syscalls.py", "bpf.py"])
    def test_another_library_or_table_makes_another_entry(self, tmp_path, monkeypatch, changed):
        library = tmp_path / "library"
        for name in ("library", "seccomp_compiler.py", "syscalls.py", "bpf.py"):
            (tmp_path / name).write_text("")
        monkeypatch.setattr(seccomp, "library_path", lambda: str(library))
        monkeypatch.setattr(seccomp, "__file__", str(tmp_path / "seccomp.py"))
        monkeypatch.setattr(seccomp.plan, "__file__", str(tmp_path / "__init__.py"))
        before = seccomp._content((), "x86_64")
        assert seccomp._content((), "x86_64") == before
        replacement = tmp_path / "new"
        replacement.write_text("")
        os.utime(replacement, (0, 0))
        replacement.rename(tmp_path / changed)
        assert seccomp._content((), "x86_64") != before

    @pytest.mark.parametrize("size", [0, 1, 100 * 8 + 4, 32769 * 8])
    def test_damaged_entry_is_made_anew(self, tmp_path, size):
        cache = tmp_path / "seccomp"
        good = filter_for((), str(cache))
        (entry,) = cache.iterdir()
        entry.write_bytes((good * 200)[:size])
        assert filter_for((), str(cache)) == good
        assert entry.read_bytes() == good

    def test_an_entry_that_is_a_pipe_is_made_anew(self, tmp_path):
        cache = tmp_path / "seccomp"
        good = filter_for((), str(cache))
        (entry,) = cache.iterdir()
        entry.unlink()
        os.mkfifo(entry)
        assert filter_for((), str(cache)) == good
        assert entry.read_bytes() == good

    def test_file_holds_the_filter_and_nothing_else(self, tmp_path):
        path = seccomp.filter_file_for((), str(tmp_path / "seccomp"))
        with open(path, "rb") as file:
            assert file.read() == seccomp_compiler.filter_of((), platform.machine(), seccomp.library_path())
        assert os.stat(path).st_mode & 0o777 == 0o600

    def test_left_over_temporary_file_is_no_obstacle(self, tmp_path):
        cache = tmp_path / "seccomp"
        filter_for((), str(cache))
        (entry,) = cache.iterdir()
        entry.rename(f"{entry}.{os.getpid()}.new")
        filter_for((), str(cache))
        assert list(cache.iterdir()) == [entry]

    def test_directory_open_to_others_is_refused(self, tmp_path):
        os.chmod(tmp_path, 0o755)
        with pytest.raises(NsunitError, match="is open to other users") as caught:
            filter_for((), str(tmp_path))
        assert "chmod 0700" in caught.value.hint

    def test_symlinks_are_not_followed(self, tmp_path):
        (tmp_path / "real").mkdir(0o700)
        (tmp_path / "link").symlink_to("real")
        with pytest.raises(OSError, match="Not a directory|Too many levels"):
            filter_for((), str(tmp_path / "link"))
        filter_for((), str(tmp_path / "real"))
        (entry,) = (tmp_path / "real").iterdir()
        content = entry.rename(tmp_path / "elsewhere")
        entry.symlink_to(content)
        with pytest.raises(OSError, match="Too many levels"):
            filter_for((), str(tmp_path / "real"))


def test_an_entry_is_written_whole(tmp_path, monkeypatch):
    """os.write() takes a part of it where the file system is nearly full, and a part may look like a filter."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, content: real(fd, content[:8]))
    program = bytes(8 * 700) + bytes((6, *bytes(7)))
    name, _ = seccomp.cached("x", str(tmp_path / "cache"), lambda: program)
    assert (tmp_path / "cache" / name).read_bytes() == program


def test_an_entry_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def rename(*_names, **_directories):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(OSError, match="No space"):
        seccomp.cached("x", str(tmp_path / "cache"), lambda: bytes((6, *bytes(7))))
    assert list((tmp_path / "cache").iterdir()) == []
