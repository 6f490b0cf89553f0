#!/bin/bash
# mkfs.erofs makes directories that an archive does not name for all to write to; sqfstar so the root, named or not
#
# Versions: erofs-utils 1.8.6-1, squashfs-tools 1:4.6.1-1, tar 1.35+dfsg-3.1, libarchive-tools 3.7.4-4+deb13u1 (Debian 13).
#
# Expected: what tar does: a directory that only the path of a file implies is made with the umask, 755; and "./" in an
# archive is the root, with the mode and owner that it has there.
#
# Seen, with umask 022 and the same with 077:
#   an archive of a/b/file alone     tar and bsdtar make a and a/b 755.  mkfs.erofs --tar makes /, /a and /a/b 777; sqfstar
#                                    / 777, and the others 755.
#   an archive with ./ as well       of mode 750 and user 1000.  In mkfs.erofs's image it is so, and /a and /a/b are 755 and
#                                    that user's.  sqfstar writes "Empty tar filename after skipping", exits 0, and has / as
#                                    777 of user 0; its manual: "Tar files do not supply a definition for the root directory".
#
# Where it matters: archives of layers and of package builders often name files alone, and `tar -C tree -c .` names the
# root.  The image is read-only, but with an overlay on top, as for a container or extension, every user can make files
# in /, and sshd or sudo refuse what lies below a directory that others can write to.
#
# Needs: root, mmdebstrap.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='squashfs-tools=1:4.6.1-1,erofs-utils=1.8.6-1,tar=1.35+dfsg-3.1,libarchive-tools=3.7.4-4+deb13u1'
mmdebstrap --quiet --variant=extract --include="$packages,base-files,dash,coreutils,sed,grep" trixie "$tree"

cat >"$tree/make" <<'EOP'
set -eu
mkdir /work; cd /work
mkdir -p tree/a/b; echo text >tree/a/b/file; chmod 750 tree; chown 1000 tree
tar -C tree --no-recursion -cf 'file alone.tar' a/b/file
tar -C tree --no-recursion -cf 'root and file.tar' . a/b/file
# modes TITLE: of the root and what is below it
modes() {
    line="$1:"
    for path in . a a/b; do line="$line $(stat -c '%n %a of %u' "$2/$path" | sed "s|^$2/||")"; done
    echo "$line"
}
umask $1
for name in 'file alone' 'root and file'; do
    rm -rf out; mkdir -m 755 out
    tar -C out -xpf "$name.tar"; modes "$name, umask $1, tar" out
    rm -rf out; mkdir -m 755 out
    LC_ALL=C bsdtar -C out -xpf "$name.tar"; modes "$name, umask $1, bsdtar" out
    rm -f image; mkfs.erofs --quiet --tar=f image "$name.tar" >/dev/null 2>&1
    rm -rf out; fsck.erofs --preserve --extract=out image >/dev/null; modes "$name, umask $1, mkfs.erofs" out
    rm -f image; sqfstar -quiet -no-progress image <"$name.tar" 2>said
    rm -rf out; unsquashfs -quiet -no-progress -d out image >/dev/null; modes "$name, umask $1, sqfstar" out
    sed 's/^/  /' said
done
rm -rf /work
EOP
for umask in 022 077; do chroot "$tree" sh /make $umask; done | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
file alone, umask 022, tar: . 755 of 0 a 755 of 0 a/b 755 of 0
file alone, umask 022, bsdtar: . 755 of 0 a 755 of 0 a/b 755 of 0
file alone, umask 022, mkfs.erofs: . 777 of 0 a 777 of 0 a/b 777 of 0
file alone, umask 022, sqfstar: . 777 of 0 a 755 of 0 a/b 755 of 0
root and file, umask 022, tar: . 750 of 1000 a 755 of 0 a/b 755 of 0
root and file, umask 022, bsdtar: . 750 of 1000 a 755 of 0 a/b 755 of 0
root and file, umask 022, mkfs.erofs: . 750 of 1000 a 755 of 1000 a/b 755 of 1000
root and file, umask 022, sqfstar: . 777 of 0 a 755 of 0 a/b 755 of 0
  Empty tar filename after skipping leading /, ./, or ../, ignoring
file alone, umask 077, tar: . 755 of 0 a 700 of 0 a/b 700 of 0
file alone, umask 077, bsdtar: . 755 of 0 a 700 of 0 a/b 700 of 0
file alone, umask 077, mkfs.erofs: . 777 of 0 a 777 of 0 a/b 777 of 0
file alone, umask 077, sqfstar: . 777 of 0 a 755 of 0 a/b 755 of 0
root and file, umask 077, tar: . 750 of 1000 a 700 of 0 a/b 700 of 0
root and file, umask 077, bsdtar: . 750 of 1000 a 700 of 0 a/b 700 of 0
root and file, umask 077, mkfs.erofs: . 750 of 1000 a 755 of 1000 a/b 755 of 1000
root and file, umask 077, sqfstar: . 777 of 0 a 755 of 0 a/b 755 of 0
  Empty tar filename after skipping leading /, ./, or ../, ignoring
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
