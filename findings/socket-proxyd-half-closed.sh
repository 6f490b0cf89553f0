#!/bin/bash
# systemd-socket-proxyd ends a connection when one side has said all that it has to say, and the answer is lost
#
# Versions: systemd 257.13-1~deb13u1 (Debian 13).
#
# Expected: systemd-socket-proxyd(8) "bidirectionally forwards data between the two"; so the end of one direction is
# forwarded as well, by shutdown(2), and the other direction goes on, as with socat or any relay of TCP.
#
# Seen, of a client that sends a line, shuts down its sending half and reads, and a server that reads to the end, works
# half a second and answers:
#   directly, and through socat     the answer comes.
#   through systemd-socket-proxyd   the proxy closes both connections at the client's end of file.  The server gets what was
#                                   sent, and its end; the client reads an end of file instead of an answer.
# No word in the journal, and exit 0 at both sides.
#
# Where it matters: a service that is put behind a socket unit this way, for socket activation or to be started on demand:
# `echo query | nc -N`, whois, rsh-like protocols, HTTP/1.0 clients, git and rsync daemons' old clients.  A server
# that answers at once may win the race, so that it works on an idle machine.
#
# Needs: root, mmdebstrap, python3, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='systemd=257.13-1~deb13u1,socat=1.8.0.3-1+deb13u1,iproute2,base-files,dash,coreutils' trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,tmp}

cat >"$tmp/show.py" <<'EOP'
import os
import socket
import subprocess
import sys
import threading
import time

TREE = sys.argv[1]

def served(server):
    """Answer to each connection, half a second after its end."""
    while True:
        connection, _ = server.accept()
        said = b""
        while data := connection.recv(100):
            said += data
        time.sleep(0.5)
        try:
            connection.sendall(b"got " + said)
        except OSError:
            pass
        connection.close()

def ask(title, port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"hello")
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(10)
        print(f"{title}: {connection.recv(100)!r}", flush=True)

def started(port, *words):
    """A program, with a listening socket as its file descriptor 3, as systemd hands it over."""
    listening = socket.create_server(("127.0.0.1", port))
    def handed_over():
        os.dup2(listening.fileno(), 3, inheritable=True)
        os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
        os.chroot(TREE)
        os.execv(words[0], words)
    if (pid := os.fork()) == 0:
        handed_over()
    listening.close()
    return pid

server = socket.create_server(("127.0.0.1", 7000))
threading.Thread(target=served, args=(server,), daemon=True).start()
ask("directly", 7000)
proxy = started(7001, "/usr/lib/systemd/systemd-socket-proxyd", "127.0.0.1:7000")
ask("systemd-socket-proxyd", 7001)
os.kill(proxy, 15)
os.waitpid(proxy, 0)
other = subprocess.Popen(["chroot", TREE, "socat", "-t5", "TCP-LISTEN:7002,reuseaddr,bind=127.0.0.1", "TCP:127.0.0.1:7000"])
for _ in range(50):
    time.sleep(0.1)
    try:
        ask("socat", 7002)
        break
    except ConnectionRefusedError:
        pass
other.wait()
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && chroot "$1" ip link set lo up &&
    exec python3 "$2/show.py" "$1"' - "$tree" "$tmp" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
directly: b'got hello'
systemd-socket-proxyd: b''
socat: b'got hello'
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
