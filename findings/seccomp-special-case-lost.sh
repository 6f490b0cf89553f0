#!/bin/bash
# libseccomp: of a rule for one value and one for the whole system call, the one for the value is dropped, in either order
#
# Versions: libseccomp2 2.6.0-2, python3-seccomp 2.6.0-2 (Debian 13).
#
# Expected: of two rules that fit, the first, the last or the narrower one holds; or the second is refused, as is one for the
# same value with another action (EEXIST).
#
# Seen, of personality(2), with errno 1 for the argument 5, and what is added for others:
#   errno 2 if it is at most 10     5 gives 1, and 7 gives 2, whichever of the two is added first: the narrower one holds.
#   errno 3 without a condition     5 gives 3 as all do, whichever is added first: the rule for 5 is gone.  No error.
#   errno 4 if it is 5              refused, EEXIST.
# seccomp_rule_add(3) calls it redundant if a later, more generic rule allows as well what an earlier one allows; of other
# actions, and of the order, it says nothing.
#
# Where it matters: profiles of containers are lists of rules that are given to libseccomp as they are: "EAFNOSUPPORT for
# AF_VSOCK, EPERM for other sockets" gives EPERM for all, and the program doesn't fall back.  Say the rest with a condition:
# "not equal".
#
# Needs: root, mmdebstrap.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='libseccomp2=2.6.0-2,python3-seccomp=2.6.0-2,base-files,dash' trixie "$tree"

cat >"$tree/show.py" <<'EOP'
import ctypes
import os

from seccomp import ALLOW, EQ, ERRNO, LE, NE, Arg, SyscallFilter

libc = ctypes.CDLL(None, use_errno=True)
RULES = {
    "1 for 5": (ERRNO(1), Arg(0, EQ, 5)),
    "2 up to 10": (ERRNO(2), Arg(0, LE, 10)),
    "3 for all": (ERRNO(3),),
    "3 but for 5": (ERRNO(3), Arg(0, NE, 5)),
    "4 for 5": (ERRNO(4), Arg(0, EQ, 5)),
}

def result(value):
    return ctypes.get_errno() if libc.personality(value) == -1 else 0

def show(*names):
    """What personality(2) gives under rules, in a process of its own."""
    if os.fork():
        os.wait()
        return
    rules = SyscallFilter(ALLOW)
    refused = ""
    for name in names:
        action, *conditions = RULES[name]
        try:
            rules.add_rule(action, "personality", *conditions)
        except RuntimeError as error:
            refused = f", {name}: {error}"
    rules.load()
    print(f"{'; '.join(names)}: " + ", ".join(f"{value} gives {result(value)}" for value in (5, 7)) + refused, flush=True)
    os._exit(0)

for other in ("2 up to 10", "3 for all", "3 but for 5", "4 for 5"):
    show("1 for 5", other)
    show(other, "1 for 5")
EOP
chroot "$tree" python3 /show.py | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
1 for 5; 2 up to 10: 5 gives 1, 7 gives 2
2 up to 10; 1 for 5: 5 gives 1, 7 gives 2
1 for 5; 3 for all: 5 gives 3, 7 gives 3
3 for all; 1 for 5: 5 gives 3, 7 gives 3
1 for 5; 3 but for 5: 5 gives 1, 7 gives 3
3 but for 5; 1 for 5: 5 gives 1, 7 gives 3
1 for 5; 4 for 5: 5 gives 1, 7 gives 0, 4 for 5: Library error (errno = -17)
4 for 5; 1 for 5: 5 gives 4, 7 gives 0, 1 for 5: Library error (errno = -17)
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
