#!/bin/bash
# An incremental archive of GNU tar: Python and mkfs.erofs take the time of access for the name of a directory
#
# Versions: tar 1.35+dfsg-3.1, libarchive-tools 3.7.4-4+deb13u1, python3.13 3.13.5-2+deb13u5, erofs-utils 1.8.6-1
# (Debian 13).
#
# Expected: GNU tar's manual, "Basic Tar Format": where a ustar header has the prefix of the name, its own header has the
# times of access and of change, which it writes with --listed-incremental.  The magic says which of the two it is:
# "ustar", NUL, "00" or "ustar", two blanks, NUL.
#
# Seen, of --listed-incremental of a directory with a file in it:
#   tar, bsdtar: ./, ./dir/, ./dir/file.
#   Python: "15303345740/./dir/file": the eleven octal digits of the time before each name, of files too.
#   mkfs.erofs --tar: success, and an image with one directory at its top, which has the time for its name and the mode
#       0777, and in it the files; of the directories, whose type it does not know, only their names are left.
#
# Where it matters: a full backup of this kind, the first of a series, is a whole archive, and its listing looks well;
# the image made of it has no /etc.  Whoever looks names up in such an archive with tarfile does not find them.
#
# Needs: root, mmdebstrap.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='tar=1.35+dfsg-3.1,libarchive-tools=3.7.4-4+deb13u1,python3.13=3.13.5-2+deb13u5,erofs-utils=1.8.6-1'
mmdebstrap --quiet --variant=extract --include="$packages,base-files,dash,coreutils,sed" trixie "$tree"

cat >"$tree/names.py" <<'EOP'
import tarfile
print(*(member.name for member in tarfile.open("/it.tar")))
EOP
cat >"$tree/show" <<'EOP'
set -eu
export LC_ALL=C TZ=UTC0
mkdir -p /work/dir; echo text >/work/dir/file
touch -d @1000000000 /work /work/dir /work/dir/file
tar -C /work --listed-incremental=/state -cf /it.tar .
tar -C /work -cf /plain.tar .
for tool in tar bsdtar; do echo "$tool:" $($tool -tf /it.tar); done
# The time of access is not the same each time, but always of eleven digits, as of all years from 1997 to 2242.
echo "python:" $(python3.13 /names.py | sed -E 's/[0-7]{11}/OCTAL/g')
for archive in plain it; do
    mkfs.erofs --quiet --tar=f /$archive.erofs /$archive.tar >/said
    fsck.erofs --preserve --extract=/$archive.out /$archive.erofs >/said
    cd /$archive.out
    echo "mkfs.erofs, $archive: $(stat -c '%a %n' -- * */* */*/* 2>/said | sed -E 's/[0-7]{11}/OCTAL/g' | tr '\n' ' ')"
done
EOP
chroot "$tree" sh /show | tee "$tmp/out"

for line in "tar: ./ ./dir/ ./dir/file" "bsdtar: ./ ./dir/ ./dir/file" "python: OCTAL/./ OCTAL/./dir/ OCTAL/./dir/file" \
    "mkfs.erofs, plain: 755 dir 644 dir/file " "mkfs.erofs, it: 777 OCTAL 777 OCTAL/dir 644 OCTAL/dir/file "; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
