#!/bin/bash
# overlayfs: the socket, FIFO or lock of a file is another one in the upper directory, where the file itself is the same
#
# Versions: Linux 6.18 (the running kernel is shown).
#
# Expected: a file that a container has made is in its upper directory, and with both on one file system it has the same inode
# number there.  What is done by the one path shows in the other at once: contents, mode, and inotify tells of it.
#
# Seen, of a mounted overlay, by the path in it and by the one in its upper directory:
#   a socket that listens: by the other path, connect(2) gets ECONNREFUSED.
#   a FIFO: a reader at the one, and at the other ENXIO, nobody reads; without O_NONBLOCK both wait for each other for ever.
#   flock(2) and fcntl(2): an exclusive lock at each at the same time.
# It is so in both directions.  The kernel's document about overlayfs warns of changes below a mounted overlay; a connection
# or a lock is none, and its list of what is not as in POSIX has neither.
#
# Where it matters: a host that reaches into containers by the upper directory that the engine tells (podman inspect's
# UpperDir), to talk to a daemon's socket or to back up a database under its lock.  It finds the file, and the daemon
# seems to be down, or the lock is granted while the container holds it.  By /proc/PID/root it is right.
# What is known: moby's issue 12080 is about a socket that was copied up in 2015, which works today.
#
# Needs: root, unshare, overlayfs, python3.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/show.py" <<'EOP'
import ctypes
import errno
import fcntl
import os
import socket
import struct

def name(error):
    return errno.errorcode[error.errno]

def connected(path):
    try:
        socket.socket(socket.AF_UNIX).connect(path)
    except OSError as error:
        return name(error)
    return "connected"

def reader(path):
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        return name(error)
    return "a reader"

def locked(path, lock):
    with open(path, "r+b") as file:
        try:
            lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return name(error)
    return "granted"

# A child asks: locks of fcntl(2) are a process's.
def asked(path, lock):
    output, entry = os.pipe()
    if (child := os.fork()) == 0:
        os.write(entry, locked(path, lock).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return os.read(output, 100).decode()

print("same inode number:", os.stat("merged/file").st_ino == os.stat("upper/file").st_ino)
for here, there in (("merged", "upper"), ("upper", "merged")):
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{here}/{here}.socket")
    server.listen()
    os.mkfifo(f"{here}/{here}.fifo")
    held = os.open(f"{here}/{here}.fifo", os.O_RDONLY | os.O_NONBLOCK)
    for place in (here, there):
        print(f"in {here}, from {place}: socket {connected(f'{place}/{here}.socket')}, FIFO {reader(f'{place}/{here}.fifo')}")
    for lock in (fcntl.flock, fcntl.lockf):
        with open(f"{here}/file", "r+b") as file:
            lock(file, fcntl.LOCK_EX)
            for place in (here, there):
                print(f"{lock.__name__} in {here}, from {place}: {asked(f'{place}/file', lock)}")

libc = ctypes.CDLL(None)
watch = libc.inotify_init1(os.O_NONBLOCK)
libc.inotify_add_watch(watch, b"upper", 2)
with open("merged/file", "w") as file:
    file.write("text")
print("inotify in upper, of a write in merged:", "told" if struct.unpack_from("iI", os.read(watch, 4096))[1] == 2 else "?")
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
# shellcheck disable=SC2016 # for the inner shell
unshare --mount sh -c '
    cd "$1" && mkdir here && mount -t tmpfs here here && cd here && mkdir lower upper work merged &&
    mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay merged && : >merged/file && python3 ../show.py
    ' - "$tmp" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
same inode number: True
in merged, from merged: socket connected, FIFO a reader
in merged, from upper: socket ECONNREFUSED, FIFO ENXIO
flock in merged, from merged: EAGAIN
flock in merged, from upper: granted
lockf in merged, from merged: EAGAIN
lockf in merged, from upper: granted
in upper, from upper: socket connected, FIFO a reader
in upper, from merged: socket ECONNREFUSED, FIFO ENXIO
flock in upper, from upper: EAGAIN
flock in upper, from merged: granted
lockf in upper, from upper: EAGAIN
lockf in upper, from merged: granted
inotify in upper, of a write in merged: told
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
