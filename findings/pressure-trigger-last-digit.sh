#!/bin/bash
# The last digit of what is written to /proc/pressure/memory is lost, and that of a cgroup's memory.pressure is not
#
# Versions: Linux 6.18 (the running kernel is shown), python3.13-minimal 3.13.5-2+deb13u5 (Debian 13).
#
# Expected: the files in /proc/pressure and those of a cgroup take the same lines, for which accounting/psi.rst has
# "<some|full> <stall amount in us> <time window in us>", and neither a newline nor a NUL is asked for.
#
# Seen: of b"some 1500000 2000000", the file in /proc takes 200000 for the window: its last byte is overwritten by a NUL,
# whatever it is.  As the window is now shorter than the stall, it is EINVAL.  With a newline or a NUL at the end, it is
# taken.  The cgroup's file takes all three as they are meant.
# The document's example writes the NUL of its C string with it, without a word about it.
#
# Where it matters: a program that was written for a cgroup, where it works without, and is then used for the whole
# machine.  Python, Go and Rust have no NUL at the end; the shell's echo has a newline, so that trying it by hand works.
# Where a window of a tenth is allowed (a privileged program, and a stall shorter than it) there is no error, and the
# program is told of other pressure than it asked for.  What is known: a runtime had it wrong (oven-sh/bun, pull request 39654).
#
# Needs: root, mmdebstrap, unshare, cgroup2, a kernel with CONFIG_PSI that has not been started with psi=0.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='python3.13-minimal=3.13.5-2+deb13u5,base-files' trixie "$tree"
mkdir -p "$tree"/{proc,cgroup}

cat >"$tree/show.py" <<'EOP'
import errno, os, sys

def told(path, text):
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        os.write(descriptor, text)
        return "taken"
    except OSError as error:
        return errno.errorcode[error.errno]
    finally:
        os.close(descriptor)

for end in ("", "\n", "\0"):
    text = f"some 1500000 2000000{end}".encode()
    for what, path in (("proc", "/proc/pressure/memory"), ("cgroup", sys.argv[1] + "/memory.pressure")):
        print(f"{what} {text!r}: {told(path, text)}", flush=True)
EOP

echo "Linux $(uname -r | cut -d. -f1,2)"
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c 'mount -t proc proc "$1/proc" && mount -t cgroup2 cgroup2 "$1/cgroup" &&
    mkdir "$1/cgroup/$2" && { chroot "$1" python3.13 -SI /show.py "/cgroup/$2"; rmdir "$1/cgroup/$2"; }' \
    - "$tree" "finding-$$" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
proc b'some 1500000 2000000': EINVAL
cgroup b'some 1500000 2000000': taken
proc b'some 1500000 2000000\n': taken
cgroup b'some 1500000 2000000\n': taken
proc b'some 1500000 2000000\x00': taken
cgroup b'some 1500000 2000000\x00': taken
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
