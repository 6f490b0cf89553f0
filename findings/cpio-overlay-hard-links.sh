#!/bin/bash
# An archive of cpio, of files of an overlay with xino: hard links of one layer come out with contents of another
#
# Versions: cpio 2.15+dfsg-2, libarchive-tools 3.7.4-4+deb13u1, busybox-static 1:1.37.0-6+b9, tar 1.35+dfsg-3.1
# (Debian 13); Linux 6.18 (the running kernel is shown).
#
# Expected: what cpio packs without a word, it unpacks as it was.
#
# Seen: with xino=on, inode numbers have 64 bits, the upper ones of which are a number for the layer's file system; files
# of two layers may differ in those alone.  In cpio's formats there are 32 bits for it (odc: 18), and GNU cpio, busybox and
# bsdtar write the lower ones.  By that number a file with links is known when it is unpacked: where "a" and "a-link" are
# of the lower layer, and "x" and "x-link" of the upper, all four become one file, with the text of one of them.  Packing
# and unpacking exit 0 without a message.
# With --renumber-inodes, or with tar, all is well.  So it is without xino, as each layer then has its own device number.
#
# Where it matters: an initramfs or an image that is packed in a container or on a live system.  Only files with more than
# one name are concerned, and only some of them: it depends on the numbers that the layers happen to have.
# What is known: warewulf's issue 2090 and libarchive's 3314 are about large inode numbers of other file systems.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='cpio=2.15+dfsg-2,libarchive-tools=3.7.4-4+deb13u1,busybox-static=1:1.37.0-6+b9,tar=1.35+dfsg-3.1'
mmdebstrap --quiet --variant=extract --include="$packages,base-files,dash,coreutils,mount" trixie "$tree"
mkdir -p "$tree"/{proc,lower,upper,merged,out}

cat >"$tree/show" <<'EOP'
set -eu
export LC_ALL=C
mount -t proc proc /proc
mount -t tmpfs tmpfs /lower
mount -t tmpfs tmpfs /upper
# layer NAME LETTERS: files of this layer, each with a second name
layer() {
    mkdir "/$1/files"
    for letter in $2; do
        echo "text of $letter" >"/$1/files/$letter"
        ln "/$1/files/$letter" "/$1/files/$letter-link"
    done
}
layer lower 'a b'
layer upper 'x y'
mkdir /upper/work
merge() {
    mount -t overlay -o "xino=$1,lowerdir=/lower/files,upperdir=/upper/files,workdir=/upper/work" overlay /merged
    cd /merged
    echo "numbers: $(stat -c '%n %i of %d' a x | tr '\n' ' ')"
}

# archived TITLE FORMAT PACK…: what is packed by a command that has the names as its input, and unpacked by cpio or tar
archived() {
    what=$1 unpack=$2; shift 2
    rm -rf /out/*
    status=0; printf '%s\n' * | "$@" >/it.archive 2>/said || status=$?
    echo "$what: exit $status $(cat /said)"
    (cd /out && $unpack </it.archive)
    for name in *; do
        [ "$(cat "$name")" = "$(cat "/out/$name")" ] || echo "$what: $name is \"$(cat "/out/$name")\""
    done
}
merge on
archived "cpio newc" 'cpio --quiet -id' cpio --quiet -o -H newc
archived "cpio odc" 'cpio --quiet -id' cpio --quiet -o -H odc
archived "busybox newc" 'cpio --quiet -id' busybox cpio -o -H newc
archived "bsdtar newc" 'cpio --quiet -id' bsdtar --format=newc -cf - -T -
archived "cpio newc, renumbered" 'cpio --quiet -id' cpio --quiet -o -H newc --renumber-inodes
archived "tar" 'tar -xf -' tar -cf - -T -
cd /
umount /merged
merge off
archived "cpio newc, without xino" 'cpio --quiet -id' cpio --quiet -o -H newc
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
unshare --mount chroot "$tree" sh /show | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
cpio newc: exit 0 
cpio newc: x is "text of a"
cpio newc: x-link is "text of a"
cpio newc: y is "text of b"
cpio newc: y-link is "text of b"
cpio odc: exit 0 
cpio odc: x is "text of a"
cpio odc: x-link is "text of a"
cpio odc: y is "text of b"
cpio odc: y-link is "text of b"
busybox newc: exit 0 
busybox newc: a is "text of x"
busybox newc: a-link is "text of x"
busybox newc: b is "text of y"
busybox newc: b-link is "text of y"
bsdtar newc: exit 0 
bsdtar newc: x is "text of a"
bsdtar newc: x-link is "text of a"
bsdtar newc: y is "text of b"
bsdtar newc: y-link is "text of b"
cpio newc, renumbered: exit 0 
tar: exit 0 
cpio newc, without xino: exit 0 
EOP
if ! grep -v '^numbers: ' "$tmp/out" | diff "$tmp/expected" -; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
