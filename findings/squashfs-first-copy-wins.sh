#!/bin/bash
# sqfstar keeps the first copy of a file that a tar archive has twice; tar and mkfs.erofs keep the last
#
# Versions: squashfs-tools 1:4.6.1-1, erofs-utils 1.8.6-1, tar 1.35+dfsg-3.1 (Debian 13).
#
# Expected: `tar --append` and `tar --update` put newer copies of a member behind the older ones; on extraction the
# last one wins.  A tool that makes a file system of an archive gives what extraction gives, or refuses.
#
# Seen: sqfstar exits 0 with the *first* copy in the image, after one line on stderr ("already exists in the tar file,
# ignoring").  It is so for files, for directories (mode and owner of the first entry stay) and where a later entry is
# of another type: a file that a symbolic link has replaced stays a file.  A hard link made before the change then
# shares the old content with the name that should have the new one.  mkfs.erofs --tar gives what tar gives, of the
# same archive.
#
# Where it matters: root images for RootImage= and extensions made of archives, or of layers, that were appended to:
# the image has the state before the update.
#
# Needs: root, mmdebstrap.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='squashfs-tools=1:4.6.1-1,erofs-utils=1.8.6-1,tar=1.35+dfsg-3.1,base-files,dash,coreutils,sed' \
    trixie "$tree"

cat >"$tree/make" <<'EOF'
set -eu
mkdir /work; cd /work
mkdir src src/dir
echo old >src/dir/file; ln src/dir/file src/dir/link; echo old >src/name; chmod 755 src/dir
tar -C src --sort=name -cf all.tar dir name
rm src/dir/file src/name
echo new >src/dir/file; ln -s dir/file src/name; chmod 700 src/dir
tar -C src --no-recursion -rf all.tar dir dir/file name
tar -tf all.tar

state() {
    cd "$1"
    echo "file=$(cat dir/file) link=$(cat dir/link) dir=$(stat -c %a dir) name=$(stat -c %F name)"
    cd ..
}
mkdir tar; tar -C tar -xpf all.tar
echo "tar       exit 0: $(state tar)"
status=0; sqfstar -quiet -no-progress image.squashfs <all.tar 2>squashfs.err || status=$?
unsquashfs -quiet -no-progress -d squashfs image.squashfs >/dev/null
echo "sqfstar   exit $status: $(state squashfs)"
sed 's/^/          stderr: /' squashfs.err
status=0; mkfs.erofs --quiet --tar=f image.erofs all.tar >/dev/null || status=$?
fsck.erofs --preserve --extract=erofs image.erofs >/dev/null
echo "mkfs.erofs exit $status: $(state erofs)"
EOF
chroot "$tree" sh /make | tee "$tmp/out"

expect() {
    if ! grep -qxF -- "$1" "$tmp/out"; then
        echo "CHANGED: no longer: $1"
        exit 1
    fi
}
expect 'tar       exit 0: file=new link=old dir=700 name=symbolic link'
expect 'sqfstar   exit 0: file=old link=old dir=755 name=regular file'
expect 'mkfs.erofs exit 0: file=new link=old dir=700 name=symbolic link'
echo "as described"
