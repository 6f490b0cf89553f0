"""The helper that builds a container from inside its unit; imports nothing else of nsunit."""

from __future__ import annotations

from nsunit.setup import system as os

CGROUP_ROOT = "/sys/fs/cgroup"


def read_file(path: str) -> str:
    """Content of a small file of the kernel's."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.fsdecode(os.read(fd, 65536))
    finally:
        os.close(fd)


def write_file(path: str, text: str) -> None:
    """Write *text* to a file of the kernel's, by one call; it is never made.

    Raises:
        OSError: it cannot be; `filename` says where, whichever call failed.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    except OSError as error:
        error.filename = path
        raise
    finally:
        os.close(fd)
