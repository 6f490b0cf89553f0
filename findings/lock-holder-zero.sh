#!/bin/bash
# fcntl(2): of a lock that is held outside of the PID namespace the holder is process 0, which kill(2) takes for all of one's own
#
# Versions: Linux 6.18.
#
# Expected: F_GETLK gives "the PID of the process that holds the lock" (F_GETLK(2const)), and -1 where there is none to give, as
# of open file description locks.
#
# Seen, of a lock on a file that two PID namespaces share:
#   holder in the same namespace      l_pid is its PID, and /proc/locks has it.
#   holder outside, traditional       l_pid is 0.  F_SETLK says EAGAIN, and /proc/locks has no lock of that file.
#   holder outside, open file         l_pid is -1, as in the same namespace.
#   two holders of a read lock, one   F_GETLK gives the first that it comes to, here the one outside, so 0, although there
#   outside, one in the namespace     is one with a PID.
#
# Where it matters: containers that share a volume, with a database or a queue in it: kill(l_pid, 0) for "is the holder still
# alive" says yes of 0, whoever it is, and kill(l_pid, SIGTERM) for "make it give way" is for the caller's whole process group.
#
# Needs: root, python3.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/show.py" <<'EOP'
import ctypes
import errno
import fcntl
import os
import signal
import struct
import sys

CLONE_NEWPID, CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000000, 0x20000, 1 << 14, 1 << 18
F_OFD_GETLK, F_OFD_SETLK = 36, 37
FORM = "hhqqi4x"
libc = ctypes.CDLL(None, use_errno=True)
path = sys.argv[1] + "/file"

def call(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def child(what):
    """A process that does *what*, says so by a byte, and stays."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        what()
        os.write(writer, b"x")
        signal.pause()
    os.close(writer)
    if os.read(reader, 1) != b"x":
        sys.exit("no lock")
    os.close(reader)
    return pid

def locker(kind, command=fcntl.F_SETLK):
    def lock():
        file = os.open(path, os.O_RDWR)
        fcntl.fcntl(file, command, struct.pack(FORM, kind, 0, 0, 0, 0))
    return lock

def look(title, holders):
    """What there is to see of the locks, and let the holders go."""
    with open(path, "r+") as file:
        kind, _, _, _, pid = struct.unpack(FORM, fcntl.fcntl(file, fcntl.F_GETLK, struct.pack(FORM, fcntl.F_WRLCK, 0, 0, 0, 0)))
        try:
            fcntl.fcntl(file, fcntl.F_SETLK, struct.pack(FORM, fcntl.F_WRLCK, 0, 0, 0, 0))
            result = "done"
        except OSError as error:
            result = errno.errorcode[error.errno]
        with open("/proc/locks") as locks:
            shown = sum(f":{os.fstat(file.fileno()).st_ino} " in line for line in locks)
    holder = "its PID" if pid in holders else pid
    print(f"{title}: held {kind != fcntl.F_UNLCK}, l_pid {holder}, F_SETLK {result}, in /proc/locks {shown}", flush=True)

def end(*pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

def inside(do):
    """Call *do* as process 1 of a new PID namespace."""
    pid = os.fork()
    if not pid:
        call(libc.unshare(CLONE_NEWPID | CLONE_NEWNS))
        first = os.fork()
        if not first:
            call(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
            call(libc.mount(b"proc", b"/proc", b"proc", 0, None))
            do()
            os._exit(0)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]))
    if os.waitpid(pid, 0)[1]:
        sys.exit("it has failed inside")

open(path, "w").close()

def same():
    holder = child(locker(fcntl.F_WRLCK))
    look("same namespace", [holder])
    end(holder)

inside(same)
holder = child(locker(fcntl.F_WRLCK))
inside(lambda: look("outside", []))
end(holder)
holder = child(locker(fcntl.F_WRLCK, F_OFD_SETLK))
look("open file, same namespace", [])
inside(lambda: look("open file, outside", []))
end(holder)
holder = child(locker(fcntl.F_RDLCK))

def both():
    another = child(locker(fcntl.F_RDLCK))
    look("one outside, one inside", [another])
    end(another)

inside(both)
end(holder)
EOP
python3 "$tmp/show.py" "$tmp" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
same namespace: held True, l_pid its PID, F_SETLK EAGAIN, in /proc/locks 1
outside: held True, l_pid 0, F_SETLK EAGAIN, in /proc/locks 0
open file, same namespace: held True, l_pid -1, F_SETLK EAGAIN, in /proc/locks 1
open file, outside: held True, l_pid -1, F_SETLK EAGAIN, in /proc/locks 1
one outside, one inside: held True, l_pid 0, F_SETLK EAGAIN, in /proc/locks 1
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
