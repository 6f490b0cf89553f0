#!/bin/bash
# fsck.erofs --extract --xattrs: attributes come out of the image, capabilities don't
#
# Versions: erofs-utils 1.8.6-1, squashfs-tools 1:4.6.1-1 (Debian 13).
#
# Expected: what fsck.erofs extracts as root is what mkfs.erofs has packed, as with unsquashfs of squashfs-tools: owners, modes, links,
# and with --xattrs, which is off unless it is given, extended attributes.
#
# Seen, of a file of user 1000 with CAP_CHOWN and user.note, and a set-user-ID file:
#   --extract               owners and modes, the set-user-ID bit as well; no attribute.
#   --extract --xattrs      user.note is there, and the capability is not.  With a file of root it is the same: an owner is set
#                           for each file, after the attributes, and the kernel takes a capability off a file whose owner is set.
#   the image               has both: dump.erofs tells the size of the attributes.
#   unsquashfs              of the same tree brings both.
# The exit status is 0, without a word.
#
# Where it matters: an image that is unpacked because the kernel has no erofs, or to be changed and packed again: ping, newuidmap
# and the like have lost what they need, and an error tells of it when they are called by a user.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='erofs-utils=1.8.6-1,squashfs-tools=1:4.6.1-1,libcap2-bin=1:2.75-10+deb13u1+b3,attr=1:2.5.2-3'
mmdebstrap --quiet --variant=extract --include="$packages,base-files,dash,coreutils,grep" trixie "$tree"
mkdir -p "$tree"/{dev,proc,source}

cat >"$tree/show" <<'EOP'
set -eu
for name in of-user of-root set-id; do echo text >/source/$name; done
chown 1000:1000 /source/of-user /source/set-id
chmod 4755 /source/set-id
for name in of-user of-root; do
    setcap cap_chown+ep /source/$name
    setfattr -n user.note -v it /source/$name
done
show() {
    for name in of-user of-root set-id; do
        attribute=$(getfattr --only-values -n user.note "$2/$name" 2>/dev/null) || attribute=none
        capability=$(getcap "$2/$name" | cut -d' ' -f2)
        echo "$1, $name: $(stat -c '%a, user %u' "$2/$name"), note: $attribute, capability: ${capability:-none}"
    done
}
mkfs.erofs -x1 /it.erofs /source >/said 2>&1
mksquashfs /source /it.squashfs -quiet -no-progress
show source /source
fsck.erofs --extract=/plain /it.erofs >/said 2>&1
show "fsck.erofs" /plain
fsck.erofs --extract=/full --xattrs /it.erofs >/said 2>&1
show "fsck.erofs --xattrs" /full
unsquashfs -quiet -no-progress -d /squashed /it.squashfs >/said
show unsquashfs /squashed
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c 'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
    exec chroot "$1" sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
source, of-user: 644, user 1000, note: it, capability: cap_chown=ep
source, of-root: 644, user 0, note: it, capability: cap_chown=ep
source, set-id: 4755, user 1000, note: none, capability: none
fsck.erofs, of-user: 644, user 1000, note: none, capability: none
fsck.erofs, of-root: 644, user 0, note: none, capability: none
fsck.erofs, set-id: 4755, user 1000, note: none, capability: none
fsck.erofs --xattrs, of-user: 644, user 1000, note: it, capability: none
fsck.erofs --xattrs, of-root: 644, user 0, note: it, capability: none
fsck.erofs --xattrs, set-id: 4755, user 1000, note: none, capability: none
unsquashfs, of-user: 644, user 1000, note: it, capability: cap_chown=ep
unsquashfs, of-root: 644, user 0, note: it, capability: cap_chown=ep
unsquashfs, set-id: 4755, user 1000, note: none, capability: none
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
