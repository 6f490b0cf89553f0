"""Seccomp profiles as engines give them, and what a process may do under one."""

import json
import platform
import subprocess
import sys

from nsunit.core import seccomp as cache
from nsunit.core.seccomp_compiler import syscall_numbers
from nsunit.oci.spec import seccomp_compiler

LIBRARY = cache.library_path()
MACHINE = platform.machine()
NATIVE = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}[MACHINE]
# What a Python that is up needs to go on; the loader's own calls.
LIVING = (
    "read write writev close fstat newfstatat lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn"
    " ioctl pread64 access openat getpid futex exit exit_group sigaltstack getrandom prctl dup fcntl madvise"
).split()

# Loads argv[1] with the flags argv[2], then makes each call of the list on stdin: the errno of each, 0 for success.
LOADER = """
import ctypes, json, struct, sys
calls = json.load(sys.stdin)
libc = ctypes.CDLL(None, use_errno=True)
filter_ = bytes.fromhex(sys.argv[1])
buffer = ctypes.create_string_buffer(filter_, len(filter_))
program = struct.pack("HxxxxxxP", len(filter_) // 8, ctypes.addressof(buffer))
assert libc.prctl(38, 1, 0, 0, 0) == 0
result = libc.syscall(NUMBER, 1, int(sys.argv[2]), program)
assert result >= 0, ctypes.get_errno()
answers = []
for number, *arguments in calls:
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_ulong(value) for value in arguments))
    answers.append(ctypes.get_errno() if result == -1 else 0)
print(json.dumps(answers))
"""


def profile(*rules, default="SCMP_ACT_ERRNO", **more):
    """A profile with *rules*, under which Python goes on."""
    living = {"names": LIVING, "action": "SCMP_ACT_ALLOW"}
    return {"defaultAction": default, "architectures": [NATIVE], "syscalls": [living, *rules], **more}


def numbers(*names):
    return syscall_numbers(set(names), MACHINE, LIBRARY)


def run(said, calls, flags=0):
    """Make *calls*, (name or number, arguments…), under the profile *said*."""
    known = numbers(*(name for name, *_ in calls if isinstance(name, str)), "seccomp")
    program = seccomp_compiler.compile_profile(said, LIBRARY)
    return subprocess.run(
        [sys.executable, "-c", LOADER.replace("NUMBER", str(known["seccomp"])), program.hex(), str(flags)],
        input=json.dumps([(known.get(name, name), *arguments) for name, *arguments in calls]),
        capture_output=True,
        text=True,
        timeout=30,
    )


def answers(said, *calls, flags=0):
    result = run(said, calls, flags)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
