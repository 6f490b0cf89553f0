"""The helper that builds a container from inside its unit; imports nothing else of nsunit."""

from __future__ import annotations

from nsunit.setup import system as os

CGROUP_ROOT = "/sys/fs/cgroup"


def read_file(path: str) -> str:
    """Content of a file of the kernel's, which gives a list a page at a time."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    content = b""
    try:
        while piece := os.read(fd, 65536):
            content += piece
    finally:
        os.close(fd)
    return os.fsdecode(content)


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


def write_over(directory: int | None, path: str, text: str) -> None:
    """Make *text* the content of the file *path*, in the *directory* if any, and leave it the same file.

    It is made where it is missing.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=directory)
    try:
        before, content = os.pread(fd, os.fstat(fd).st_size, 0), os.fsencode(text)
        if before != content:
            overwrite(fd, content, len(before))
    finally:
        os.close(fd)


def overwrite(fd: int, content: bytes, size: int) -> None:
    """Make *content* that of the file *fd*, which has *size* bytes.

    One write(2) does it: what is longer in the old content is overwritten by empty lines first and cut off then, so
    whoever reads meanwhile finds no half of a line.

    Raises:
        OSError: there is no room for it (ENOSPC).
    """
    padded = content.ljust(size, b"\n")
    if os.pwrite(fd, padded, 0) != len(padded):
        raise OSError(28, os.strerror(28), os.readlink(f"/proc/self/fd/{fd}"))
    if size > len(content):
        os.ftruncate(fd, len(content))


def cgroup_of(process: str) -> str:
    """The version 2 cgroup of *process*, a PID or "self", as cgroups(7) has it.

    Who may make groups chooses names, with all in them that Python takes for the end of a line but the newline.
    """
    path = f"/proc/{process}/cgroup"
    for line in read_file(path).split("\n"):
        if line.startswith("0::"):
            return line[3:]
    raise OSError(2, "this host has no cgroup version 2 hierarchy", path)


def unreaped(pid: int) -> str:
    """What keeps *pid*, the first process of a PID namespace, from ending; empty where nothing does.

    A process of a session that has ended is in the namespace until its parent, who is outside, has waited for it, and
    so long the kernel keeps the first one.
    """
    try:
        namespace = os.readlink(f"/proc/{pid}/ns/pid")
    except (FileNotFoundError, PermissionError):
        return ""
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{name}/ns/pid") != namespace:
                continue
            fields = read_file(f"/proc/{name}/stat").rpartition(")")[2].split()  # proc_pid_stat(5) from field 3 on
            if fields[0] == "Z" and os.readlink(f"/proc/{fields[1]}/ns/pid") != namespace:
                return (
                    f"process {name} of the container has ended, and process {fields[1]} has not waited for it:"
                    " until then the container's own cannot end"
                )
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it is gone, or no process of the container's
    return ""
