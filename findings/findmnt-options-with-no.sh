#!/bin/bash
# findmnt -O nosuid finds all mounts, umount --all -O nosuid unmounts them: an option that begins with "no" means its opposite
#
# Versions: util-linux 2.41.5-0+deb13u1 (Debian 13).
#
# Expected: findmnt(8): -O limits what is printed to file systems with these options, "each option is matched exactly".
#
# Seen, of three mounts of tmpfs, with "nosuid,nodev,noexec", with "noatime" and with neither; exit 0:
#   findmnt -O nosuid                  all three; so it is with nodev, noexec, noatime and nosuch.
#   findmnt -O nosuid /plain           /plain, and exit status 0.
#   findmnt -O suid                    none, exit 1; no kernel shows that word.
#   findmnt -O ro                      none, exit 1.
#   findmnt -O +nosuid                 the first alone.
#   umount --all -t tmpfs -O noexec    unmounts all three.
# "nosuid" is read as "not suid", and of a mount that is not nosuid no option is called suid.  The manual has the "no" and the
# "+" in the next sentence, and does not say that of these four options, which are what one asks for, each fits every mount.
#
# Where it matters: `findmnt -O nosuid "$directory"` in a check of a hardened container or host says that all is well,
# whatever is mounted.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='util-linux=2.41.5-0+deb13u1,mount=2.41.5-0+deb13u1'
mmdebstrap --quiet --variant=extract --include="$packages,base-files,dash,coreutils" trixie "$tree"
mkdir -p "$tree"/{proc,strict,times,plain}

cat >"$tree/show" <<'EOP'
mount_all() {
    mount -t tmpfs -o nosuid,nodev,noexec tmpfs /strict
    mount -t tmpfs -o noatime tmpfs /times
    mount -t tmpfs tmpfs /plain
}
# found ARGUMENT...: the targets that findmnt tells
found() {
    targets=$(findmnt --noheadings --list -t tmpfs -o TARGET "$@") && status=0 || status=$?
    echo "findmnt${*:+ $*}: exit $status $(echo $targets)"
}
mount_all
for option in nosuid nodev noexec noatime norelatime nosuch suid ro +nosuid +noatime; do found -O "$option"; done
found -O nosuid /plain
umount --all -t tmpfs -O noexec && found
mount_all
umount --all -t tmpfs -O +noexec && found
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c 'mount -t proc proc "$1/proc" && exec chroot "$1" sh /show' - "$tree" |
    tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
findmnt -O nosuid: exit 0 /strict /times /plain
findmnt -O nodev: exit 0 /strict /times /plain
findmnt -O noexec: exit 0 /strict /times /plain
findmnt -O noatime: exit 0 /strict /times /plain
findmnt -O norelatime: exit 0 /times
findmnt -O nosuch: exit 0 /strict /times /plain
findmnt -O suid: exit 1 
findmnt -O ro: exit 1 
findmnt -O +nosuid: exit 0 /strict
findmnt -O +noatime: exit 0 /times
findmnt -O nosuid /plain: exit 0 /plain
findmnt: exit 1 
findmnt: exit 0 /times /plain
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
