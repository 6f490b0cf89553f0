"""The interpreter out of the reach of containers that have the host's root, without starting it twice each time.

nsunit.setup.interpreter tells why a payload must not get hold of the file of the program that sets it up, and has that
begin anew from a read-only mount.  The runtime is called too often for this: the first call puts such a mount at PLACE,
from which the command then starts (packaging/debian/nsunit-oci) as long as it is the same file as /usr/bin/python3.
Whoever could make it writable again has the host's mount namespace and all privileges there.  The mount is unbindable,
so that a container which has /run bound recursively has an empty file there.  A copy in memory, or a mount that nobody
keeps, would have to be made, and Python begun twice, by each `create` and `exec`.
"""

from __future__ import annotations

import fcntl

from nsunit.setup import linux
from nsunit.setup import system as os
from nsunit.setup.oci import calls

PLACE = "/run/nsunit-oci.python3"
_LINK = "/proc/self/exe"
_MS_UNBINDABLE = 1 << 17


def protect() -> None:
    """Return where the interpreter is out of reach; else this process begins anew, with all its words.

    Raises:
        nsunit.setup.spawn.SetupError: the kernel refused it.
    """
    if os.readlink(_LINK) == PLACE and os.statvfs(_LINK).f_flag & os.ST_RDONLY:
        return
    try:
        _publish()
    except OSError:
        pass  # the next call does what this one does now
    from nsunit.setup.interpreter import protect as begin_anew  # once, as a rule

    begin_anew()


def _publish() -> None:
    """Mount the interpreter at PLACE unless it is there, or somebody else is about to.

    Whoever was killed in between has left an empty file: the lock of it says that nobody is at work.
    """
    held = os.open(PLACE, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o444)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        there = os.lstat(PLACE)
        if os.samestat(os.stat(_LINK), there):
            return
        if there.st_size:
            linux.umount2(PLACE, linux.MNT_DETACH | linux.UMOUNT_NOFOLLOW)  # Python has been upgraded
        _mount()
    finally:
        os.close(held)


def _mount() -> None:
    fd = os.open(_LINK, os.O_PATH | os.O_CLOEXEC)
    clone = linux.clone_tree(fd)
    attributes = linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV
    calls.mount_setattr(clone, set_=attributes, propagation=linux.MS_PRIVATE)
    place = os.open(PLACE, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    linux.move_mount(clone, place)
    calls.mount_setattr(clone, propagation=_MS_UNBINDABLE)  # such a mount could not be moved below a shared one
    for used in (fd, clone, place):
        os.close(used)
