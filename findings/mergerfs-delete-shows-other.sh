#!/bin/bash
# mergerfs: a file that is deleted, with exit 0, is there with other contents, if a read-only branch has one of its name
#
# Versions: mergerfs 2.40.2-5 (Debian 13).
#
# Expected: unlink(2) removes a name from its directory; with exit 0 it is gone, until somebody makes it anew.  A union file
# system has a mark for what it can't take away (overlayfs, aufs), or says that it can't.
#
# Seen, of two branches a=RW:b=RO that both have the file:
#   rm      exit 0; the name is still there, with the contents of b.
#   rm      once more: "Read-only file system".
#   chmod   "Read-only file system".
#   >>      exit 0; the file in b, which is RO, has the new line.
# With both branches writable, ln of a file gives the new name in each branch to that branch's file, and >> adds to the
# first alone; so that when the first disk is away, the old contents are what is read.
# mergerfs has no whiteouts, and its manual says of RO that deleting is left out there; not that the call succeeds, and that a
# file which is there is still written to.
#
# Where it matters: what looks like an overlay for a container without overlayfs, and a pool of disks of which one is kept
# read-only: a lock, a socket or a "disabled" file that is taken away is there with another age.
#
# Needs: root, mmdebstrap, unshare, FUSE.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='mergerfs=2.40.2-5,base-files,dash,coreutils,mount,sed' trixie "$tree"
mkdir -p "$tree"/{dev,proc,branches,merged}

cat >"$tree/show" <<'EOP'
export LC_ALL=C
mount -t tmpfs tmpfs /branches
mkdir /branches/a /branches/b
try() {
    title=$1; shift
    "$@" 2>/said
    echo "$title: exit $?, $(sed 's/.*: //' /said)"
}
has() { echo "$1 has $(cat /merged/file)"; }
made() {
    rm -rf /branches/?/*
    for branch in a b; do echo "of $branch" >/branches/$branch/file; done
    mergerfs -o minfreespace=0 "$1" /merged
}
made /branches/a=RW:/branches/b=RO
has "at first, it"
try rm rm /merged/file
has "afterwards, it"
try "rm again" rm /merged/file
try chmod chmod 600 /merged/file
try '>>' sh -c 'echo more >>/merged/file'
echo "b has $(tr '\n' ' ' </branches/b/file)"
umount /merged
made /branches/a:/branches/b
echo more >>/merged/file
ln /merged/file /merged/linked
for name in a/linked b/linked; do echo "$name has $(tr '\n' ' ' </branches/$name)"; done
umount /merged
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c 'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
    exec chroot "$1" sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
at first, it has of a
rm: exit 0, 
afterwards, it has of b
rm again: exit 1, Read-only file system
chmod: exit 1, Read-only file system
>>: exit 0, 
b has of b more 
a/linked has of a more 
b/linked has of b 
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
