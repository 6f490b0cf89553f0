#!/bin/bash
# tar --sparse writes zeros for files of an erofs image that has fragments, inlined tails or deduplicated blocks
#
# Versions: tar 1.35+dfsg-3.1, erofs-utils 1.8.6-1, coreutils 9.7-3 (Debian 13), Linux 6.18.
#
# Expected: with --sparse, holes are left out; what is read from the file is in the archive.
#
# Seen, of a file of 11 KB and its copy, in an image of mkfs.erofs, mounted; tar and mkfs.erofs exit 0, with no message:
#   -zlz4                        both files are the same in the archive.
#   -zlz4 -Efragments            both have the right size, and zeros in place of all they had.
#   -zlz4 -Eztailpacking         zeros, both.
#   -zlz4 -Ededupe               the first is the same, the copy is zeros.
# stat(1) says that such a file has 0 blocks: erofs counts those that belong to the file alone.  For tar a file with a size and
# without blocks is one large hole, so it does not read it; --hole-detection=seek and =raw change nothing.  lseek(2) with
# SEEK_DATA knows better: cp --sparse=auto and bsdtar have the contents, and so has tar without --sparse.  An overlay above
# says 0 blocks as well, so a container's root is no better.
#
# Where it matters: with these options an image is smallest.  Back-ups and layers that are made of a container whose root is
# such an image have zeros, with the right names, sizes and times.
#
# Needs: root, mmdebstrap, loop devices, a kernel with erofs and LZ4, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='tar=1.35+dfsg-3.1,erofs-utils=1.8.6-1,coreutils=9.7-3,libarchive-tools=3.7.4-4+deb13u1,base-files,dash,diffutils' \
    trixie "$tree"
mkdir -p "$tree"/{dev,image,over,out,source,upper}
seq -f 'line %g of the text, and more' 400 >"$tree/source/file"
cp "$tree/source/file" "$tree/source/g-copy"

cat >"$tree/compare" <<'EOP'
# compare TITLE: how the files in /out are
for name in file g-copy; do
    if cmp -s /source/$name /out/$name; then what="the same"
    elif [ "$(tr -d '\0' </out/$name | wc -c)" = 0 ]; then what="$(wc -c </out/$name) zeros"
    else what=other; fi
    echo "$1, $name: $what"
done
rm -rf /out/*
EOP
cat >"$tmp/show" <<'EOP'
set -eu
export LC_ALL=C
cd "$1"
mount --rbind /dev dev
mount -t tmpfs tmpfs upper
for options in -zlz4 '-zlz4 -Efragments' '-zlz4 -Eztailpacking' '-zlz4 -Ededupe'; do
    rm -f it.erofs
    # shellcheck disable=SC2086 # two words
    chroot . mkfs.erofs --quiet $options it.erofs source >/dev/null
    mount -t erofs -o loop,ro it.erofs image
    chroot . sh -c 'tar -C /image --sparse -cf it.tar . && tar -C /out -xf it.tar' && chroot . sh /compare "$options"
    if [ "$options" = '-zlz4 -Efragments' ]; then
        for detection in seek raw; do
            chroot . sh -c "tar -C /image --sparse --hole-detection=$detection -cf it.tar . && tar -C /out -xf it.tar" &&
                chroot . sh /compare "  $detection"
        done
        chroot . sh -c 'tar -C /image -cf it.tar . && tar -C /out -xf it.tar' && chroot . sh /compare '  without --sparse'
        chroot . sh -c 'bsdtar -C /image -cf it.tar . && tar -C /out -xf it.tar' && chroot . sh /compare '  bsdtar'
        chroot . cp --sparse=auto /image/file /image/g-copy /out && chroot . sh /compare '  cp'
        mkdir upper/up upper/work
        mount -t overlay overlay -o lowerdir=image,upperdir=upper/up,workdir=upper/work over
        chroot . stat -c '  blocks: %b, below an overlay' /over/file
        chroot . sh -c 'tar -C /over --sparse -cf it.tar . && tar -C /out -xf it.tar' && chroot . sh /compare '  overlay'
        umount over
    fi
    umount image
done
EOP
unshare --mount sh "$tmp/show" "$tree" | tee "$tmp/out"

size=$(stat -c %s "$tree/source/file")
cat >"$tmp/expected" <<EOP
-zlz4, file: the same
-zlz4, g-copy: the same
-zlz4 -Efragments, file: $size zeros
-zlz4 -Efragments, g-copy: $size zeros
  seek, file: $size zeros
  seek, g-copy: $size zeros
  raw, file: $size zeros
  raw, g-copy: $size zeros
  without --sparse, file: the same
  without --sparse, g-copy: the same
  bsdtar, file: the same
  bsdtar, g-copy: the same
  cp, file: the same
  cp, g-copy: the same
  blocks: 0, below an overlay
  overlay, file: $size zeros
  overlay, g-copy: $size zeros
-zlz4 -Eztailpacking, file: $size zeros
-zlz4 -Eztailpacking, g-copy: $size zeros
-zlz4 -Ededupe, file: the same
-zlz4 -Ededupe, g-copy: $size zeros
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
