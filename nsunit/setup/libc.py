"""The one door to the C library: system calls by number.

This uses the C half of ctypes: the Python half costs a third of a bare interpreter's start, for types that no system
call needs.  It stands apart from nsunit.setup.linux, so that what only plans never loads it.  The helper loads it first
of all (`nsunit.setup.spawn.harden`), before anything of a container is entered; nothing is looked up in it later.
"""

from __future__ import annotations

import _ctypes
import _signal  # type: ignore[import-not-found]  # the C half of signal: the Python half imports enum
import _struct

from nsunit.setup import system as os


class _Long(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "l"


class _Syscall(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Long


class _Holding(_ctypes.CFuncPtr):
    """A call during which the interpreter's lock is kept, as os.fork() keeps it."""

    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO | _ctypes.FUNCFLAG_PYTHONAPI
    _restype_ = _Long


class _Byte(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "c"


_CLONE_VM = 0x100
_CLONE_VFORK = 0x4000
_SIGCHLD = 17
_STACK = 16 << 10  # bytes
_SECONDS = 60
_NR_CLONE3 = 435  # everywhere
_CLONE_INTO_CGROUP = 0x200000000

_library = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]
_syscall = _Syscall(_ctypes.dlsym(_library, "syscall"))


def syscall(what: str, number: int, *arguments: int | bytes | bytearray | None, path: str | None = None) -> int:
    """syscall(2).  Bytes are passed by address, and so is a bytearray, which the kernel may write to.

    Raises:
        OSError: it failed; the text begins with *what*, and *path* is its file name.
    """
    result: int = _syscall(_Long(number), *map(_convert, arguments))
    if result < 0:
        error = _ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}", path)
    return result


def _convert(argument: int | bytes | bytearray | None) -> object:
    # Without a prototype ctypes would pass an int as 32 bits; the kernel reads whole registers.
    if isinstance(argument, int):
        return _Long(argument)
    if isinstance(argument, bytearray):
        return (_Byte * len(argument)).from_buffer(argument)
    return argument


def address_of(buffer: bytearray) -> int:
    """The address of *buffer*'s memory, for a structure that points to it; *buffer* must outlive the call."""
    address: int = _ctypes.addressof((_Byte * len(buffer)).from_buffer(buffer))
    return address


def ended() -> int:
    """The PID of a new process that does nothing but end, and is there until it is waited for.

    It is a Sleeper that calls _exit(2) instead, and the caller goes on when it is through with the memory: what is left
    has none.

    Raises:
        OSError: the kernel makes none.
    """
    return _clone("_exit", 0, _CLONE_VFORK, bytearray(_STACK))


def _clone(function: str, argument: int, flags: int, stack: bytearray) -> int:
    """clone(2) of a process that shares the caller's memory, and runs *function* of the C library on *stack*."""
    clone = _Syscall(_ctypes.dlsym(_library, "clone"))
    child = _Long(_ctypes.dlsym(_library, function))
    top = address_of(stack) + _STACK & ~15
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    try:
        pid: int = clone(child, _Long(top), _Long(_CLONE_VM | _SIGCHLD | flags), _Long(argument))
        error = _ctypes.get_errno()
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
    if pid < 0:
        raise OSError(error, os.strerror(error))
    return pid


def fork_into(cgroup_fd: int) -> int:
    """fork(2) of a process that is in the cgroup of the directory *cgroup_fd* from its beginning: clone3(2).

    To move a process into another cgroup takes the kernel a grace period of RCU, 10 ms and more, however few processes
    there are.  The interpreter is told as by os.fork(); no signal's handler gets between the two halves of that.
    The C library is not told, whose locks and list of threads stay as they are: for a process with one thread.

    Raises:
        OSError: there is no such call, or the process cannot be there.
    """
    names = ("PyOS_BeforeFork", "syscall", "PyOS_AfterFork_Parent", "PyOS_AfterFork_Child")
    begin, call, parent, child = (_Holding(_ctypes.dlsym(_library, name)) for name in names)
    # struct clone_args up to `cgroup`: no stack of its own, as for fork(2)
    values = _struct.pack("=11Q", _CLONE_INTO_CGROUP, 0, 0, 0, _SIGCHLD, 0, 0, 0, 0, 0, cgroup_fd)
    arguments = _Long(_NR_CLONE3), values, _Long(len(values))
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    try:
        begin()
        pid: int = call(*arguments)
        error = _ctypes.get_errno()
        (parent if pid else child)()
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
    if pid < 0:
        raise OSError(error, f"clone3: {os.strerror(error)}")
    return pid


class Sleeper:
    """A process in new namespaces, by the CLONE_NEW* *flags*, that only sleeps, as long as the context lasts.

    This is a trick: it shares the caller's memory and runs the C library's sleep(3) on a stack of its own, so nothing
    of the interpreter is copied, neither at clone(2) nor page by page afterwards, 2 ms.  No signal but SIGKILL gets
    through to it, since the caller's handlers would work on the caller's memory.  It ends by itself in a minute, should
    the caller be killed.

    Raises:
        OSError: the kernel makes none.
    """

    def __init__(self, flags: int) -> None:
        self._stack = bytearray(_STACK)
        self.pid = _clone("sleep", _SECONDS, flags, self._stack)

    def __enter__(self) -> Sleeper:
        """See the class."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """End it; its stack may go then."""
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
