#!/bin/bash
# unshare --kill-child --setuid: the child is not killed
#
# Versions: util-linux 2.41.5-0+deb13u1 (Debian 13), Linux 6.18 (the running kernel is shown).
#
# Expected: unshare(1): with --kill-child, the forked child gets a signal when unshare terminates, so that the whole PID
# namespace goes with it; whatever ids it runs as.
#
# Seen, of unshare that is killed by SIGKILL, with a child that sleeps:
#   --kill-child                            the child is gone.
#   --kill-child --setgid=1000              it runs on.
#   --kill-child --setuid=1000              it runs on; with --pid too, with all that is in the namespace.
# The kernel takes the parent-death signal off a process whose ids change (PR_SET_PDEATHSIG(2const)), and unshare sets
# the signal before it changes the ids.  No error, no warning.
#   setpriv --pdeathsig=KILL --reuid=1000   sets it last, and it holds: `unshare … --kill-child setpriv --pdeathsig=KILL
#   --reuid=1000 program` is what works.
#
# What is known: golang's issue 9686, the same order in Go's os/exec, closed; of unshare util-linux's 1490, a race.
#
# Where it matters: this option is what test suites and job runners have against leftovers.  They are killed at a time limit,
# or by the OOM killer, and the namespace with its mounts, its addresses and its locks stays.
#
# Needs: root, mmdebstrap, python3, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='util-linux=2.41.5-0+deb13u1,base-files,dash,coreutils' trixie "$tree"
mkdir -p "$tree"/{dev,proc,tmp}

cat >"$tmp/show.py" <<'EOP'
import os
import subprocess
import sys
import time

TREE = sys.argv[1]

def sleeps():
    """How many processes sleep, by their command lines."""
    found = 0
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                found += file.read().startswith(b"sleep\0")
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found

def waited(count):
    for _ in range(100):
        if sleeps() == count:
            return True
        time.sleep(0.05)
    return False

for options in ("", "--setgid=1000", "--setuid=1000", "--setuid=1000 --pid",
                "setpriv --pdeathsig=KILL --reuid=1000 --clear-groups"):
    command = ["chroot", TREE, "unshare", "--fork", "--kill-child", *options.split(), "sleep", "1000"]
    started = subprocess.Popen(command)
    if not waited(1):
        sys.exit("it does not run")
    time.sleep(0.5)
    started.kill()
    started.wait()
    print(f"--kill-child {options}".strip() + ":", "gone" if waited(0) else "runs on", flush=True)
    for entry in filter(str.isdigit, os.listdir("/proc")):
        if int(entry) not in (1, os.getpid()):
            try:
                os.kill(int(entry), 9)
            except ProcessLookupError:
                pass
    if not waited(0):
        sys.exit("it does not end")
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount -t proc proc "$1/proc" && mount -t proc proc /proc && python3 "$2/show.py" "$1"' - "$tree" "$tmp" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
--kill-child: gone
--kill-child --setgid=1000: runs on
--kill-child --setuid=1000: runs on
--kill-child --setuid=1000 --pid: runs on
--kill-child setpriv --pdeathsig=KILL --reuid=1000 --clear-groups: gone
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
