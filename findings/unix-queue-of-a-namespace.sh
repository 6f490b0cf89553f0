#!/bin/bash
# A datagram socket of AF_UNIX holds 10 datagrams in a new network namespace, whatever net.unix.max_dgram_qlen is outside
#
# Versions: Linux 6.18 (the running kernel is shown).
#
# Expected: a socket with a path is of the file system, and can be reached from any network namespace; how much it holds is the
# machine's setting, which systemd makes 512 at boot.
#
# Seen, of an outer namespace with net.unix.max_dgram_qlen=100, another one in it, and a receiver that doesn't read:
#   the sysctl in the inner one             10, as for each new network namespace.
#   receiver made outside                   101 datagrams, by senders of either namespace.
#   receiver made in the inner one          11, by senders of either namespace; then EAGAIN, or the sender waits.
#   the sysctl is raised afterwards         the socket that is there keeps what it had.
# What counts is the namespace of the receiver, at the time of socket(2).
#
# Where it matters: a log daemon, or whatever gets notifications, in a container with a network of its own: programs block in
# syslog(3) or sd_notify(3), or lose messages, at a load that is nothing on the host.  The sysctl has to be set in the
# container's namespace before the daemon starts, though it has to do with no network.
#
# Needs: root, python3, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/show.py" <<'EOP'
import ctypes
import os
import socket
import sys

CLONE_NEWNET = 0x40000000
SYSCTL = "/proc/sys/net/unix/max_dgram_qlen"
directory = sys.argv[1]
outer = os.open("/proc/self/ns/net", os.O_RDONLY)

LIBC = ctypes.CDLL(None)

def call(function, *arguments):
    if function(*arguments):
        sys.exit("no other namespace")

def setting(value=None):
    if value is not None:
        with open(SYSCTL, "w") as file:
            file.write(str(value))
    with open(SYSCTL) as file:
        return file.read().strip()

def receiver(name):
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(f"{directory}/{name}")
    return made

def fits(receiver):
    count = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        try:
            while True:
                sender.sendto(b"x", receiver.getsockname())
                count += 1
        except BlockingIOError:
            pass
    for _ in range(count):
        receiver.recv(1)
    return count

print("outer:", setting(100))
of_outer = receiver("of-outer")
call(LIBC.unshare, CLONE_NEWNET)
inner = os.open("/proc/self/ns/net", os.O_RDONLY)
print("inner:", setting())
of_inner = receiver("of-inner")
for name, namespace in (("outer", outer), ("inner", inner)):
    call(LIBC.setns, namespace, CLONE_NEWNET)
    print(f"sender in {name}: receiver of outer {fits(of_outer)}, of inner {fits(of_inner)}")
print("inner, raised:", setting(100))
print(f"receiver of inner {fits(of_inner)}, a new one {fits(receiver('new'))}")
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
unshare --mount --net --pid --fork --kill-child --mount-proc python3 "$tmp/show.py" "$tmp" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
outer: 100
inner: 10
sender in outer: receiver of outer 101, of inner 11
sender in inner: receiver of outer 101, of inner 11
inner, raised: 100
receiver of inner 11, a new one 101
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
