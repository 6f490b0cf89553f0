#!/bin/bash
# What a user has in a user namespace is counted for the owner of that namespace as well, in the one outside of it
#
# Versions: Linux 6.18 (the running kernel is shown).
#
# Expected: inotify(7) and getrlimit(2): instances of inotify, processes, signals that wait and bytes of message queues are
# limited "per real user ID".  Who has another user in a container than outside uses up what that other user has.
#
# Seen, of a namespace that user 1000 has made, in which a process is user 2000 and has 8 of each, where 8 is the limit:
#   in the namespace          8, for which user 2000 is counted there.
#   outside, user 2000        may have 8 besides: what it has in the namespace is not counted for it here.
#   outside, user 1000        may have none: EMFILE for inotify and queues, EAGAIN for signals and processes.
# In each namespace outside of it, up to that of the machine, the one who is counted is the owner of the namespace below, so
# whoever called unshare(2), and not the user who the process is there by the map of ids.  Of signals /proc/PID/status of a
# process of user 1000 shows it, "SigQ: 8/8", though none waits for any of its processes.
#
# Where it matters: who starts containers with user namespaces as root is the owner of all of them, though each has ids that
# nobody else has.  root has 128 instances of inotify (fs.inotify.max_user_instances): with some dozens of containers whose
# programs watch files they are used up, and `journalctl -f` fails on a host where root has opened next to none, while a
# look at each container's ids finds nobody near the limit.  With one owner for each container, each has its own.
#
# Needs: root, python3, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/show.py" <<'EOP'
import ctypes
import errno
import os
import re
import resource
import signal

CLONE_NEWUSER, PR_SET_CHILD_SUBREAPER, SOME_SIGNAL = 0x10000000, 36, 40
OWNER, OTHER = 1000, 2000
libc = ctypes.CDLL(None, use_errno=True)

def call(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def instance(_):
    call(libc.inotify_init())

def waiting_signal(_):
    signal.pthread_sigmask(signal.SIG_BLOCK, [SOME_SIGNAL])
    call(libc.sigqueue(os.getpid(), SOME_SIGNAL, None))

def queue(number):
    """A message queue of about 1100 bytes."""
    name = f"/{os.getpid()}-{number}".encode()
    call(libc.mq_open(name, os.O_CREAT | os.O_RDWR, 0o600, (ctypes.c_long * 8)(0, 1, 1000, 0)))
    libc.mq_unlink(name)

def process(_):
    if not os.fork():
        signal.pause()

def eight(use):
    for done in range(8):
        try:
            use(done)
        except OSError as error:
            return f"{done}, then {errno.errorcode[error.errno]}\n".encode()
    return b"8\n"

def forked(do):
    """A process that calls *do*, and stays: its pid, and a file of what it tells."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.setpgid(0, 0)
        do(writer)
        os.close(writer)
        signal.pause()
    os.close(writer)
    return pid, open(reader)

def apart(do):
    pid, told = forked(do)
    return pid, told.readline().rstrip()

def end(group):
    """End all processes of *group*, and wait for each, so that none is counted any more."""
    os.killpg(group, signal.SIGKILL)
    try:
        while True:
            os.waitpid(-group, 0)
    except ChildProcessError:
        pass

def become(user):
    os.setgid(user)
    os.setuid(user)

def namespace(owner, ids, do):
    """The same in a user namespace that *owner* has made, with a map of *ids*, as its root."""
    made, make = os.pipe()
    mapped, map_ = os.pipe()

    def inside(writer):
        become(owner)
        call(libc.unshare(CLONE_NEWUSER))
        os.write(make, b"x")
        os.read(mapped, 1)
        become(0)
        do(writer)

    pid, told = forked(inside)
    os.read(made, 1)
    for kind in "gid", "uid":
        with open(f"/proc/{pid}/{kind}_map", "w") as file:
            file.write(ids)
    os.write(map_, b"x")
    return pid, told.readline().rstrip()

def show(writer):
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    with open("/proc/sys/user/max_inotify_instances", "w") as file:
        file.write("8")
    for title, use, limit, value in (
        ("inotify", instance, None, 8),
        ("signals", waiting_signal, resource.RLIMIT_SIGPENDING, 8),
        ("queues", queue, resource.RLIMIT_MSGQUEUE, 9000),
        ("processes", process, resource.RLIMIT_NPROC, 9),
    ):
        def of_user(user):
            def do(writer):
                if limit is not None:
                    resource.setrlimit(limit, (value, value))
                become(user)
                os.write(writer, eight(use))
            return do

        for name, user in ("user 1000", OWNER), ("user 2000", OTHER):
            pid, told = apart(of_user(user))
            print(f"{title}, before, {name}: {told}", flush=True)
            end(pid)
        inner, told = namespace(OWNER, f"0 {OTHER} 1", lambda writer: os.write(writer, eight(use)))
        print(f"{title}, in the namespace: {told}", flush=True)
        for name, user in ("user 2000", OTHER), ("user 1000", OWNER):
            pid, told = apart(of_user(user))
            print(f"{title}, meanwhile, {name}: {told}", flush=True)
            if title == "signals":
                with open(f"/proc/{pid}/status") as file:
                    print(f"signals, shown, {name}:", re.search(r"^SigQ:\t(.*)$", file.read(), re.MULTILINE)[1], flush=True)
            end(pid)
        end(inner)

# All in a namespace of its own, so that no limit of the machine is touched.
end(namespace(0, "0 0 65536", show)[0])
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
unshare --ipc --mount --pid --fork --kill-child --mount-proc python3 "$tmp/show.py" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
inotify, before, user 1000: 8
inotify, before, user 2000: 8
inotify, in the namespace: 8
inotify, meanwhile, user 2000: 8
inotify, meanwhile, user 1000: 0, then EMFILE
signals, before, user 1000: 8
signals, before, user 2000: 8
signals, in the namespace: 8
signals, meanwhile, user 2000: 8
signals, shown, user 2000: 8/8
signals, meanwhile, user 1000: 0, then EAGAIN
signals, shown, user 1000: 8/8
queues, before, user 1000: 8
queues, before, user 2000: 8
queues, in the namespace: 8
queues, meanwhile, user 2000: 8
queues, meanwhile, user 1000: 0, then EMFILE
processes, before, user 1000: 8
processes, before, user 2000: 8
processes, in the namespace: 8
processes, meanwhile, user 2000: 8
processes, meanwhile, user 1000: 0, then EAGAIN
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
