"""Names for what one run makes outside of its own process, so that a later run can clean up after one that was killed.

Beside each directory DIR/run-… is a file DIR/run-….owner, on which the run holds a lock for as long as it lives.
"""

import contextlib
import ctypes
import fcntl
import os
import secrets
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

Named = TypeVar("Named")
PREFIX = "run-"
RUN = f"{PREFIX}{os.getpid()}-{secrets.token_hex(2)}"
SCRATCH = Path("/var/tmp/nsunit-scratch")
LIBC = ctypes.CDLL(None, use_errno=True)
held: list[int] = []
ending = threading.Event()  # set when nothing more may be made, since it would be left


def own(directory: Path) -> None:
    """Be the owner of what there is and will be in a directory, until this process ends."""
    if ending.is_set():
        raise RuntimeError("the run is ending")
    if directory.name.startswith(PREFIX):
        directory.parent.mkdir(parents=True, exist_ok=True)
        owner = os.open(owner_file(directory), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(owner, fcntl.LOCK_EX)
        held.append(owner)


def remove(directory: Path) -> None:
    """Remove a directory and forget its owner.  What somebody has mounted in it is left alone."""
    subprocess.run(["rm", "-rf", "--one-file-system", directory], stdin=subprocess.DEVNULL, check=False)
    disown(directory)


def disown(directory: Path) -> None:
    """Forget the owner of a directory that is gone."""
    owner_file(directory).unlink(missing_ok=True)


def owner_file(directory: Path) -> Path:
    """Return the file that the owner of a directory has locked."""
    return directory.with_name(directory.name + ".owner")


def clean_up(top: Path, remove: Callable[[str], object]) -> None:
    """Call `remove` with the name of everything in a directory whose owner has ended without doing so."""
    for file in sorted(top.glob(f"{PREFIX}*.owner")):
        with file.open() as owner, contextlib.suppress(BlockingIOError):
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            name = file.name.removesuffix(".owner")
            attempt(name, partial(remove, name))


def attempt(name: str, end: Callable[[], object]) -> None:
    """End something of that name, or say why that fails: the others are to end, too."""
    try:
        end()
    except Exception as error:
        print(f"{name} is not gone: {error}", file=sys.stderr)


def note(file: Path, pid: int) -> None:
    """Write down a process that is not waited for yet, for noted()."""
    file.write_text(f"{pid} {stat(pid)[19]}")


def noted(file: Path) -> int | None:
    """Return the process that is written down there if it runs.

    It is known by when it was forked, not by its command line: that is empty for a moment in each execve(2).
    """
    try:
        pid, begun = file.read_text().split()
        fields = stat(int(pid))
    except (OSError, ValueError):
        return None
    return int(pid) if fields[19] == begun and fields[0] not in "ZX" else None


def stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on: 19 is when it was forked.  Raises OSError."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def end(pid: int, seconds: float) -> None:
    """Kill a process and wait for its end, that long at most."""
    try:
        watcher = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(watcher, signal.SIGKILL)
    select.select([watcher], [], [], seconds)
    os.close(watcher)


def end_with_parent(signum: int = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when the thread that started it ends (PR_SET_PDEATHSIG)."""
    LIBC.prctl(1, signum)


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """Make a directory, for everybody to read, that is there while the body runs."""
    directory = SCRATCH / f"{RUN}-{name}"
    own(directory)
    directory.mkdir()
    for path in (SCRATCH, directory):
        path.chmod(0o755)
    try:
        yield directory
    finally:
        remove(directory)


def left(top: Path, make: Callable[[str], Named]) -> list[Named]:
    """Return what this run owns in a directory, as made by its class from the name."""
    return [make(path.name) for path in sorted(top.glob(f"{RUN}-*/"))]
