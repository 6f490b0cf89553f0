#!/bin/bash
# aardvark-dns: of a container's name, only A and AAAA are known; somebody asks for another type, and a cache loses the name
#
# Versions: aardvark-dns 1.14.0-3, dnsmasq 2.91-1+deb13u2 (Debian 13).
#
# Expected: the server that knows the name "web" answers all that is asked about it: a type of which there is nothing gets an
# empty answer and NOERROR, as AAAA does for a container without an address of IPv6.
#
# Seen: A and AAAA are answered.  MX, TXT, SRV, HTTPS and SOA of the same name go to the name server of the host, who has
# never heard of it and says NXDOMAIN: there is no such name, of whatever type (RFC 8020).  It says as well for how long that
# holds, an hour or a day, and a cache goes by it: behind dnsmasq, "web" has an address, is asked for TXT, and has none then.
#
# Where it matters: a container with a cache of its own, and a program in it that asks for HTTPS or SRV first.  For as long as
# the cache keeps it the neighbour can't be found, though a question to aardvark-dns itself shows that all is well.  And names
# of containers go out to the name servers of others.
# What is known: aardvark-dns's issue 679, open, of `host web`, which asks for MX after that, and fails.
#
# Needs: root, mmdebstrap, unshare, python3.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='aardvark-dns=1.14.0-3,dnsmasq-base=2.91-1+deb13u2,iproute2=6.15.0-1'
mmdebstrap --quiet --variant=extract --include="$packages,base-files,dash,coreutils" trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,tmp,containers}
echo 'root:x:0:0::/:/bin/sh' >"$tree/etc/passwd"
echo 'root:x:0:' >"$tree/etc/group"
echo 'nameserver 198.51.100.53' >"$tree/etc/resolv.conf"
# As netavark writes it: the server's address; of each container its id, address and names.
printf '%s\n' 10.89.0.1 'aaaaaaaaaaaa 10.89.0.5  web' 'bbbbbbbbbbbb 10.89.0.6  client' >"$tree/containers/net"

cat >"$tree/servers" <<'EOP'
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
ip link set lo up
for address in 10.89.0.1/24 10.89.0.6/24 198.51.100.53/32; do ip address add $address dev lo; done
/usr/lib/podman/aardvark-dns --config /containers --port 53 run >/tmp/aardvark 2>&1 &
dnsmasq --keep-in-foreground --no-hosts --no-resolv --conf-file=/dev/null --pid-file= --user=root \
    --server=10.89.0.1@10.89.0.6 --listen-address=127.0.0.1 --bind-interfaces >/tmp/dnsmasq 2>&1 &
EOP

cat >"$tmp/show.py" <<'EOP'
"""The host's name server, which has a root zone without names, and the questions of a client."""
import socket
import struct
import threading
import time

TYPES = {"A": 1, "AAAA": 28, "MX": 15, "TXT": 16, "SRV": 33, "HTTPS": 65, "SOA": 6}
STATUS = {0: "NOERROR", 3: "NXDOMAIN"}
SOA = b"\x01a\0\x01b\0" + struct.pack("!5I", 1, 3600, 600, 86400, 3600)

def upstream():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("198.51.100.53", 53))
    while True:
        query, client = server.recvfrom(4096)
        end = query.index(0, 12) + 5
        head = query[:2] + struct.pack("!5H", 0x8583, 1, 0, 1, 0)
        server.sendto(head + query[12:end] + b"\0" + struct.pack("!HHIH", 6, 1, 3600, len(SOA)) + SOA, client)

def asked(title, server, kind):
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.bind(("10.89.0.6" if server == "10.89.0.1" else "", 0))
    client.settimeout(1)
    query = b"it" + struct.pack("!5H", 0x0100, 1, 0, 0, 0) + b"\x03web\0" + struct.pack("!2H", TYPES[kind], 1)
    for attempt in range(20):
        try:
            client.sendto(query, (server, 53))
            answer = client.recv(4096)
            break
        except OSError:  # not up yet
            time.sleep(0.2)
    found = socket.inet_ntoa(answer[-4:]) if answer[7] else ""
    print(f"{title}{kind}:", STATUS[answer[3] & 15], found, flush=True)

threading.Thread(target=upstream, daemon=True).start()
for kind in TYPES:
    asked("", "10.89.0.1", kind)
for kind in ("A", "TXT", "A"):
    asked("by way of the cache, ", "127.0.0.1", kind)
asked("without it, ", "10.89.0.1", "A")
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs tmp && chroot . sh /servers && python3 "$2"' - "$tree" "$tmp/show.py" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
A: NOERROR 10.89.0.5
AAAA: NOERROR 
MX: NXDOMAIN 
TXT: NXDOMAIN 
SRV: NXDOMAIN 
HTTPS: NXDOMAIN 
SOA: NXDOMAIN 
by way of the cache, A: NOERROR 10.89.0.5
by way of the cache, TXT: NXDOMAIN 
by way of the cache, A: NXDOMAIN 
without it, A: NOERROR 10.89.0.5
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
