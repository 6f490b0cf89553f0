#!/bin/bash
# A user namespace keeps the soft limits that its maker had: who raises them inside is shown the new ones, and has the old
#
# Versions: Linux 6.18.
#
# Expected: setrlimit(2): a process may raise its soft limit up to the hard one, and the kernel goes by the soft limit.
# user_namespaces(7) has nothing of limits of resources.
#
# Seen, of a process without privileges, with a hard limit that is high; what is used is between the two soft limits:
#                          RLIMIT_NPROC         RLIMIT_SIGPENDING      RLIMIT_MSGQUEUE
#   raised                 done                 done                   done
#   raised, unshare(2)     done                 done                   done
#   unshare(2), raised     EAGAIN at the old    EAGAIN at the old      EMFILE
# The last is the same with a raise of all its processes: the namespace counts what is used in it against the soft limit of
# the moment at which it was made, and no call and no file shows that limit or changes it.  getrlimit(2), prlimit(1) and
# /proc/PID/limits have the raised one.  With RLIMIT_NOFILE, which is a process's own, raising works.
#
# Where it matters: a soft limit is there to be raised by whoever needs more, and in a container that is a program inside of
# the user namespace; runtimes too set the limits of a container when it has its namespaces.
#
# Needs: root (to become another user), python3, user namespaces for all users.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"

cat >"$tmp/show.py" <<'EOP'
import ctypes
import errno
import os
import resource
import signal
import sys

CLONE_NEWUSER, SOME_USER, SOME_SIGNAL = 0x10000000, 987654, 40
libc = ctypes.CDLL(None, use_errno=True)

def error():
    return errno.errorcode[ctypes.get_errno()]

def processes():
    """Have twenty more."""
    made, result = [], "done"
    for number in range(20):
        try:
            child = os.fork()
        except OSError as refused:
            result = errno.errorcode[refused.errno]
            break
        if not child:
            signal.pause()
        made.append(child)
    for child in made:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return result

def signals():
    """Have 200 wait."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [SOME_SIGNAL])
    for _ in range(200):
        if libc.sigqueue(os.getpid(), SOME_SIGNAL, None):
            return error()
    return "done"

def queue():
    """Make one of 80,000 bytes."""
    queue = libc.mq_open(b"/it", os.O_CREAT | os.O_RDWR, 0o600, (ctypes.c_long * 8)(0, 10, 8000, 0))
    if queue < 0:
        return error()
    libc.mq_unlink(b"/it")
    return "done"

def files():
    """Open 200."""
    try:
        for _ in range(200):
            os.dup(2)
    except OSError as refused:
        return errno.errorcode[refused.errno]
    return "done"

os.setgid(SOME_USER)
os.setuid(SOME_USER)
for name, low, high, use in (
    ("NPROC", 8, 100, processes),
    ("SIGPENDING", 50, 1000, signals),
    ("MSGQUEUE", 20_000, 500_000, queue),
    ("NOFILE", 50, 1000, files),
):
    limit = getattr(resource, "RLIMIT_" + name)
    hard = resource.getrlimit(limit)[1]
    for steps in ("raise", "raise unshare", "unshare raise"):
        child = os.fork()
        if not child:
            resource.setrlimit(limit, (low, hard))
            for step in steps.split():
                if step == "raise":
                    resource.setrlimit(limit, (high, hard))
                elif libc.unshare(CLONE_NEWUSER):
                    sys.exit("unshare: " + error())
            print(f"{name}, {steps}: limit {resource.getrlimit(limit)[0]}, {use()}", flush=True)
            os._exit(0)
        os.waitpid(child, 0)
EOP
unshare --ipc python3 "$tmp/show.py" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
NPROC, raise: limit 100, done
NPROC, raise unshare: limit 100, done
NPROC, unshare raise: limit 100, EAGAIN
SIGPENDING, raise: limit 1000, done
SIGPENDING, raise unshare: limit 1000, done
SIGPENDING, unshare raise: limit 1000, EAGAIN
MSGQUEUE, raise: limit 500000, done
MSGQUEUE, raise unshare: limit 500000, done
MSGQUEUE, unshare raise: limit 500000, EMFILE
NOFILE, raise: limit 1000, done
NOFILE, raise unshare: limit 1000, done
NOFILE, unshare raise: limit 1000, done
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
