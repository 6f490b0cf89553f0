#!/bin/bash
# mkfs.erofs --tar: sparse files and extended attributes of an archive are others in the image, and all is well
#
# Versions: erofs-utils 1.8.6-1, squashfs-tools 1:4.6.1-1, tar 1.35+dfsg-3.1, libarchive-tools 3.7.4-4+deb13u1,
# attr 1:2.5.2-3, python3.13 3.13.5-2+deb13u5 (Debian 13).
#
# Expected: the image has what tar makes of the archive, or mkfs.erofs refuses a form that it does not know.
#
# Seen, of a file of 1 MiB with one block of data in the middle, archived by tar --sparse; exit 0 each time:
#   --format=gnu                          the file is missing.
#   --format=posix --sparse-version=0.0   the file has 4096 bytes: what is in the archive, without the holes.
#   …=0.1                                 the same, and it is GNUSparseFile.PID/file: the name for those who don't know.
#   …=1.0 (what tar writes)               the same name, with the list of the holes as the beginning of the contents.
# and of extended attributes that bsdtar has written as LIBARCHIVE.xattr (--options pax:xattrheader=LIBARCHIVE): "abc" is
# 98 95 8c in hexadecimal.  It puts the six bits of each character together from the low end.
# sqfstar, bsdtar and Python read all of them as they are meant.
#
# Where it matters: images of disks, databases and logs are what sparse files are, and an image of a root file system made
# of an archive with some of them is not the same system.  fsck.erofs finds nothing wrong with it.
#
# Needs: root, mmdebstrap, user.* attributes on the file system of the temporary folder.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='erofs-utils=1.8.6-1,squashfs-tools=1:4.6.1-1,tar=1.35+dfsg-3.1,libarchive-tools=3.7.4-4+deb13u1,attr=1:2.5.2-3'
mmdebstrap --quiet --variant=extract \
    --include="$packages,python3.13=3.13.5-2+deb13u5,base-files,dash,coreutils,findutils,grep,sed" trixie "$tree"

cat >"$tree/extract.py" <<'EOP'
import sys, tarfile
tarfile.open(sys.argv[1]).extractall(sys.argv[2], filter="data")
EOP
cat >"$tree/show" <<'EOP'
set -eu
export LC_ALL=C
mkdir /work; cd /work
truncate -s 1M file
yes text | head -c 4096 | dd of=file bs=4096 seek=100 conv=notrunc status=none
whole=$(sha256sum <file)

# extract TOOL ARCHIVE: what the tool makes of it, as a directory
extract() {
    rm -rf /out /image
    mkdir /out
    case $1 in
    bsdtar) bsdtar -xpf "$2" -C /out ;;
    python) python3.13 /extract.py "$2" /out ;;
    sqfstar) sqfstar -quiet -no-progress /image <"$2" && unsquashfs -quiet -no-progress -force -dest /out /image >/said ;;
    mkfs.erofs) mkfs.erofs --quiet --tar=f /image "$2" >/said && fsck.erofs --xattrs --extract=/out /image >/said ;;
    esac
}
files() {
    cd /out
    for file in $(find . -type f); do
        if [ "$(sha256sum <"$file")" = "$whole" ]; then echo "$file the same"; else
            echo "$file $(stat -c %s "$file") bytes, $(head -c 1 "$file")"; fi
    done | sed -E 's/GNUSparseFile\.[0-9]+/GNUSparseFile.PID/'
}
for form in gnu 'posix --sparse-version=0.0' 'posix --sparse-version=0.1' 'posix --sparse-version=1.0'; do
    tar -C /work --sparse --format=$form -cf /it.tar file
    for tool in bsdtar python sqfstar mkfs.erofs; do
        extract $tool /it.tar && status=0 || status=$?
        echo "$form, $tool: exit $status $(files)"
    done
done

cd /work
rm file; echo text >file
setfattr -n user.it -v abc file
bsdtar --format=pax --options pax:xattrheader=LIBARCHIVE -cf /it.tar file
for tool in bsdtar sqfstar mkfs.erofs; do
    extract $tool /it.tar
    echo "attribute, $tool: $(getfattr --encoding=hex --name=user.it /out/file 2>/said | sed -n 's/^user.it=//p')"
done
EOP
chroot "$tree" sh /show | tee "$tmp/out"

for form in gnu 'posix --sparse-version=0.0' 'posix --sparse-version=0.1' 'posix --sparse-version=1.0'; do
    for tool in bsdtar python sqfstar; do
        echo "$form, $tool: exit 0 ./file the same"
    done
done >"$tmp/expected"
cat >>"$tmp/expected" <<'EOP'
gnu, mkfs.erofs: exit 0 
posix --sparse-version=0.0, mkfs.erofs: exit 0 ./file 4096 bytes, t
posix --sparse-version=0.1, mkfs.erofs: exit 0 ./GNUSparseFile.PID/file 4096 bytes, t
posix --sparse-version=1.0, mkfs.erofs: exit 0 ./GNUSparseFile.PID/file 4608 bytes, 2
attribute, bsdtar: 0x616263
attribute, sqfstar: 0x616263
attribute, mkfs.erofs: 0x98958c
EOP
sort "$tmp/expected" >"$tmp/expected.sorted"
if ! sort "$tmp/out" | diff "$tmp/expected.sorted" -; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
