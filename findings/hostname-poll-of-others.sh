#!/bin/bash
# poll(2) of /proc/sys/kernel/hostname tells of each other UTS namespace whose name is set, and nothing has changed in one's own
#
# Versions: Linux 6.18 (the running kernel is shown).
#
# Expected: the file has the name of the UTS namespace, and poll(2) of it is what tells a program that this name has changed.
#
# Seen, of a program that waits at the file in a namespace of its own, where the name is "here" all the time:
#   nothing is done                           poll() waits until its timeout.
#   another process has a new UTS namespace   the same.
#   that sets its name                        POLLERR and POLLPRI, each time, though it be to the name that it has already;
#                                             what is read is "here".
#   it sets its domain name                   nothing, as that is another file.
# The list of those who wait is one for all namespaces, as of the machine; so a program in a container learns, too, when
# a name is set outside of it.  And the file itself is of whoever reads it: opened before another namespace is entered,
# the same descriptor has the other name afterwards.
#
# Where it matters: whoever watches the name (systemd's journald and resolved do) wakes at the start of each container, and a
# program that takes the event for a change announces the name anew, or restarts.  It has to read the name and to compare.
#
# Needs: root, python3, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/show.py" <<'EOP'
import ctypes
import os
import select
import socket
import sys

CLONE_NEWUTS = 0x04000000
libc = ctypes.CDLL(None, use_errno=True)

def other(ask, answer):
    """The process that does in a namespace of its own what it is asked for."""
    while word := os.read(ask, 1):
        if word == b"n" and libc.unshare(CLONE_NEWUTS):
            sys.exit("no namespace")
        if word == b"h":
            socket.sethostname("there")
        if word == b"d":
            libc.setdomainname(b"there", 5)
        os.write(answer, b"x")

socket.sethostname("here")
file = os.open("/proc/sys/kernel/hostname", os.O_RDONLY)
poll = select.poll()
poll.register(file, select.POLLERR | select.POLLPRI)

def name():
    return os.pread(file, 100, 0).decode().strip()

asked, ask = os.pipe()
answered, answer = os.pipe()
if not os.fork():
    os.close(ask)
    other(asked, answer)
    os._exit(0)
name(), poll.poll(0)  # what was until now
# Many times, as there may be others on the machine whose name is set meanwhile.
for title, word in ("nothing", b"-"), ("a new namespace", b"n"), ("its name", b"h"), ("its domain name", b"d"):
    told = 0
    for _ in range(20):
        poll.poll(0)
        os.write(ask, word)
        os.read(answered, 1)
        told += poll.poll(20) == [(file, select.POLLERR | select.POLLPRI)]
    print(f"{title}: {'told each time' if told == 20 else 'not told'}, the name is {name()}", flush=True)
socket.sethostname("new")
print(f"one's own: {'told' if poll.poll(200) else 'not told'}, the name is {name()}")
if libc.unshare(CLONE_NEWUTS):
    sys.exit("no namespace")
socket.sethostname("entered")
print("the descriptor, in another namespace:", name())
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
unshare --uts --mount --pid --fork --kill-child --mount-proc python3 "$tmp/show.py" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
nothing: not told, the name is here
a new namespace: not told, the name is here
its name: told each time, the name is here
its domain name: not told, the name is here
one's own: told, the name is new
the descriptor, in another namespace: entered
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
