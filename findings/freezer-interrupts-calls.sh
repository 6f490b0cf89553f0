#!/bin/bash
# A cgroup that is frozen and thawed: epoll_wait(2) and others end with EINTR, though there was no signal
#
# Versions: Linux 6.18 (the running kernel is shown).
#
# Expected: the freezer stops the processes of a cgroup, and when it is thawed they go on as if nothing had been.  The kernel's
# document about cgroup v2 says that they can be killed; EINTR is for a signal with a handler.
#
# Seen, of a process without a handler that waits in a system call for two seconds, in a cgroup that is frozen meanwhile
# by cgroup.freeze for 0.3 s:
#   epoll_wait, semtimedop, sigtimedwait, recv with SO_RCVTIMEO      -1 and EINTR, at the thaw.
#   poll, select, nanosleep, futex, a read of a timerfd              as without it: their time goes on while they are frozen,
#                                                                    and they end at 2 s.
# signal(7) has such a list for SIGSTOP and SIGCONT, which does not name the freezer.  Where a time limit is given, it is
# the program that has to begin anew, and with how much of it is left.
#
# Where it matters: `podman pause`, `systemctl freeze`, a snapshot with a pause: a program that takes EINTR for an error,
# because it has no handlers, ends or drops a connection when it is resumed, by one library's event loop and not by another's.
# Languages that begin such calls anew (Python, Go) hide it.
#
# Needs: root, cgroup2, python3, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/show.py" <<'EOP'
import ctypes
import errno
import os
import select
import socket
import sys
import time

GROUP = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)

def freeze(value):
    with open(f"{GROUP}/cgroup.freeze", "w") as file:
        file.write(value)
    for _ in range(200):
        with open(f"{GROUP}/cgroup.events") as file:
            if f"frozen {value}" in file.read():
                return
        time.sleep(0.01)
    sys.exit("the cgroup does not change")

def seconds(count):
    return ctypes.byref((ctypes.c_long * 2)(count, 0))

buffer = ctypes.create_string_buffer(4096)
epoll = libc.epoll_create1(0)
here, there = socket.socketpair()
libc.setsockopt(here.fileno(), socket.SOL_SOCKET, socket.SO_RCVTIMEO, (ctypes.c_long * 2)(2, 0), 16)
timer = libc.timerfd_create(time.CLOCK_MONOTONIC, 0)
semaphore = libc.semget(0, 1, 0o1600)
less = (ctypes.c_short * 3)(0, -1, 0)
user_signal = (ctypes.c_ulong * 16)(1 << 9)
word = ctypes.c_int(0)

def from_timer():
    libc.timerfd_settime(timer, 0, (ctypes.c_long * 4)(0, 0, 2, 0), None)
    return libc.read(timer, buffer, 8)

CALLS = {
    "epoll_wait": lambda: libc.epoll_wait(epoll, buffer, 1, 2000),
    "semtimedop": lambda: libc.semtimedop(semaphore, less, 1, seconds(2)),
    "sigtimedwait": lambda: libc.sigtimedwait(user_signal, None, seconds(2)),
    "recv with SO_RCVTIMEO": lambda: libc.recv(here.fileno(), buffer, 1, 0),
    "poll": lambda: libc.poll(None, 0, 2000),
    "select": lambda: libc.select(0, None, None, None, seconds(2)),
    "nanosleep": lambda: libc.nanosleep(seconds(2), None),
    "futex": lambda: libc.syscall(202, ctypes.byref(word), 0, 0, seconds(2), None, 0),
    "read of a timerfd": from_timer,
}
for title, call in CALLS.items():
    output, entry = os.pipe()
    if (child := os.fork()) == 0:
        with open(f"{GROUP}/cgroup.procs", "w") as file:
            file.write("0")
        os.write(entry, b"x")
        start = time.monotonic()
        status = call()
        error = errno.errorcode[ctypes.get_errno()] if status == -1 else "no error"
        when = "at its end" if time.monotonic() - start > 1.95 else "before its end"
        os.write(entry, f"{title}: {error}, {when}".encode())
        os._exit(0)
    os.read(output, 1)
    time.sleep(0.4)
    freeze("1")
    time.sleep(0.3)
    freeze("0")
    if select.select([output], [], [], 10)[0]:
        print(os.read(output, 100).decode(), flush=True)
    else:
        print(f"{title}: does not end", flush=True)
        os.kill(child, 9)
    os.waitpid(child, 0)
    os.close(output)
    os.close(entry)
libc.semctl(semaphore, 0, 0)
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
# A cgroup of its own, and a System V semaphore of its own.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --ipc --fork --kill-child sh -c '
    mkdir "$1/cgroups" && mount -t cgroup2 cgroup2 "$1/cgroups" && mkdir "$1/cgroups/$2" &&
    { python3 "$1/show.py" "$1/cgroups/$2"; status=$?; rmdir "$1/cgroups/$2"; exit $status; }' - "$tmp" "finding-$$" |
    tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
epoll_wait: EINTR, before its end
semtimedop: EINTR, before its end
sigtimedwait: EINTR, before its end
recv with SO_RCVTIMEO: EINTR, before its end
poll: no error, at its end
select: no error, at its end
nanosleep: no error, at its end
futex: ETIMEDOUT, at its end
read of a timerfd: no error, at its end
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
