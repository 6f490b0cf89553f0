#!/bin/bash
# A process whose main thread has ended runs on, and /proc/PID and its pidfd lead nowhere
#
# Versions: Linux 6.18 (the running kernel is shown).
#
# Expected: a process lives as long as one of its threads does, and what they share (root, files, namespaces, command line) is to be
# had by its PID until then.
#
# Seen, of a process whose main thread has called pthread_exit(3) (exit(2)), while another one runs:
#   state Z, as a zombie; but waitpid(2) doesn't return it, its pidfd isn't readable, and kill(2) reaches it.
#   /proc/PID/root, cwd, exe, fd and ns/{mnt,net,cgroup}   "No such file or directory"; ns/pid and ns/user are there.
#   /proc/PID/mountinfo EINVAL, environ ESRCH, cmdline and maps empty.
#   setns(2) and pidfd_getfd(2) with its pidfd              ESRCH.
#   /proc/TID of the other thread                           has all of them, and its pidfd (PIDFD_THREAD) too.
# The manual pages of proc have a sentence about it, of cwd, exe, fd and root.
#
# Where it matters: nsenter, `podman exec` and whatever looks a container up by its first process says that there is none;
# a monitor that skips zombies takes a server that answers for dead, and one that waits for it waits.  Programs whose
# main thread only starts others do so.  /proc/PID/task has a thread that lives.
#
# Needs: root, python3, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/show.py" <<'EOP'
import ctypes
import errno
import os
import select
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
EXIT, PIDFD_OPEN, PIDFD_GETFD = 60, 434, 438

if (pid := os.fork()) == 0:
    threading.Thread(target=time.sleep, args=(1000,)).start()
    time.sleep(0.5)
    libc.syscall(EXIT, 0)

def called(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result

def read(path):
    with open(path, "rb") as file:
        return "some" if file.read(1) else "nothing"

def link(path):
    return "some" if os.readlink(path) else "nothing"

def state():
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0]

def look(title, number, flags=0):
    looked = {}
    def note(what, ask):
        try:
            looked.setdefault(ask(), []).append(what)
        except OSError as error:
            looked.setdefault(errno.errorcode[error.errno], []).append(what)
    for name in ("root", "cwd", "exe", "fd/0", "ns/mnt", "ns/net", "ns/cgroup", "ns/pid", "ns/user"):
        note(name, lambda: link(f"/proc/{number}/{name}"))
    for name in ("mountinfo", "environ", "cmdline", "maps"):
        note(name, lambda: read(f"/proc/{number}/{name}"))
    handle = called(libc.syscall(PIDFD_OPEN, number, flags))
    note("setns", lambda: "some" if called(libc.setns(handle, 0x04000000)) == 0 else "")
    note("pidfd_getfd", lambda: "some" if os.close(called(libc.syscall(PIDFD_GETFD, handle, 0, 0))) is None else "")
    for answer, names in sorted(looked.items()):
        print(f"{title}, {answer}: {' '.join(names)}")
    return bool(select.select([handle], [], [], 0)[0])

look("both run", pid)
for _ in range(200):
    if state() == "Z":
        break
    time.sleep(0.05)
print(f"state {state()}, threads {len(os.listdir(f'/proc/{pid}/task'))}, waitpid {os.waitpid(pid, os.WNOHANG)}")
print("pidfd readable:", look("main ended", pid))
other = next(int(name) for name in os.listdir(f"/proc/{pid}/task") if int(name) != pid)
look("the other", other, os.O_EXCL)
os.kill(pid, 9)
print("killed:", os.waitpid(pid, 0)[1])
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
unshare --mount --pid --fork --kill-child --mount-proc python3 "$tmp/show.py" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
both run, some: root cwd exe fd/0 ns/mnt ns/net ns/cgroup ns/pid ns/user mountinfo environ cmdline maps setns pidfd_getfd
state Z, threads 2, waitpid (0, 0)
main ended, EINVAL: mountinfo
main ended, ENOENT: root cwd exe fd/0 ns/mnt ns/net ns/cgroup
main ended, ESRCH: environ setns pidfd_getfd
main ended, nothing: cmdline maps
main ended, some: ns/pid ns/user
pidfd readable: False
the other, some: root cwd exe fd/0 ns/mnt ns/net ns/cgroup ns/pid ns/user mountinfo environ cmdline maps setns pidfd_getfd
killed: 9
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
