#!/bin/bash
# SO_PEERCRED of a client is who has called listen(2), not who has accepted; a second listen(2) changes it
#
# Versions: Linux 6.18 (the running kernel is shown).
#
# Expected: SO_PEERCRED tells a client whom it talks to: the process that has accepted the connection and answers.
#
# Seen, of a socket that root has made to listen, and handed to a process of user 1000, as systemd does for a .socket unit:
#   SO_PEERCRED at the client    root, and the PID of the one that called listen(2); the one of SO_PEERPIDFD as well.
#   after listen(2) again, by the process of user 1000, on the same socket, which has no other effect:
#                                its own, for connections from then on; the older ones keep what they have.
# unix(7) names the call in half a sentence.
#
# Where it matters: a client that asks for its server's user or program, for a log, a check, or to look it up by
# PID: with socket activation it finds systemd, PID 1, and root, whoever the service runs as.  A service that is to be
# seen has to call listen(2) on what it was given; many libraries do so, and then it is seen.
#
# Needs: root, python3, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/show.py" <<'EOP'
import os
import socket
import struct
import sys

SO_PEERPIDFD = 77
path = f"{sys.argv[1]}/socket"
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
told, tell = os.pipe()
told_service, tell_service = os.pipe()
if (service := os.fork()) == 0:
    os.setgid(1000)
    os.setuid(1000)
    first, _ = server.accept()
    os.write(tell, b"x")
    os.read(told_service, 1)
    server.listen()
    os.write(tell, b"x")
    second, _ = server.accept()
    os.write(tell, b"x")
    os.read(told_service, 1)
    os._exit(0)
names = {os.getpid(): "the listener", service: "the service"}

def connected():
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    os.read(told, 1)
    return client

def show(title, client):
    pid, uid, _ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    handle = client.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD)
    with open(f"/proc/self/fdinfo/{handle}") as file:
        by_handle = next(int(line.split()[1]) for line in file if line.startswith("Pid:"))
    print(f"{title}: {names[pid]}, user {uid}, pidfd of {names[by_handle]}")

first = connected()
show("accepted by the service", first)
os.write(tell_service, b"x")
os.read(told, 1)
second = connected()
show("after its listen(2)", second)
show("the first one then", first)
os.write(tell_service, b"x")
os.waitpid(service, 0)
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
unshare --mount --pid --fork --kill-child --mount-proc python3 "$tmp/show.py" "$tmp" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
accepted by the service: the listener, user 0, pidfd of the listener
after its listen(2): the service, user 1000, pidfd of the service
the first one then: the listener, user 0, pidfd of the listener
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
