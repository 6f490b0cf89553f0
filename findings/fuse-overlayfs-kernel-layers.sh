#!/bin/bash
# fuse-overlayfs reads layers of the kernel's overlay as files of zeros and empty directories, and says nothing
#
# Versions: Linux 6.18 (the running kernel is shown), fuse-overlayfs 1.14-1+b1 (Debian 13).
#
# Expected: the two have one format of layers (whiteouts, trusted.overlay.opaque), as engines that go from one to the
# other take them; of a layer with something that only the other knows, the files can't be read.
#
# Seen, of a layer that the kernel has made with metacopy=on,redirect_dir=on, by chmod of one file and mv of a directory:
#   the kernel without these options: the file and the directory can't be opened ("Operation not permitted").
#   fuse-overlayfs: the file has its size, and is zeros from end to end; the directory is there, and empty.  Each read is
#       a success.
# What is in the layer are a hole of that size and an empty directory, with an attribute that points at the rest.
# fuse-overlayfs takes trusted.overlay.opaque for what it is, and trusted.overlay.metacopy and .redirect for nothing.
#
# Where it matters: metacopy=on is what storage.conf of Fedora and its kin has, and mount_program the line to
# add for fuse-overlayfs: containers that were made before have files of zeros then, and a commit makes images of them.
#
# Needs: root, mmdebstrap, unshare, /dev/fuse, overlay in the kernel.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='fuse-overlayfs=1.14-1+b1,fuse3,base-files,dash,coreutils,grep,mount' trixie "$tree"
mkdir -p "$tree"/{dev,layers,merged,proc}

cat >"$tree/show" <<'EOP'
set -eu
export LC_ALL=C
mount -t tmpfs tmpfs /layers
cd /layers
mkdir -p lower/before lower/gone upper work
echo text >lower/file; echo text >lower/before/other; echo text >lower/gone/other
mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work,metacopy=on,redirect_dir=on overlay /merged
chmod 600 /merged/file
mv /merged/before /merged/after
rm -r /merged/gone; mkdir /merged/gone
umount /merged

refused() { grep -q 'not permitted' /said; }
look() {
    { text=$(od -An -tx1 /merged/file) && echo "$1, file:$text"; } 2>/said || { refused && echo "$1, file: refused"; }
    { names=$(ls /merged/after) && echo "$1, after: $names"; } 2>/said || { refused && echo "$1, after: refused"; }
    echo "$1, gone: $(ls /merged/gone)"
    umount /merged
}
mount -t overlay -o lowerdir=upper:lower,metacopy=on,redirect_dir=follow overlay /merged; look "as made"
mount -t overlay -o lowerdir=upper:lower,metacopy=off,redirect_dir=nofollow overlay /merged; look "without"
fuse-overlayfs -o lowerdir=upper:lower /merged 2>/said; look "fuse-overlayfs"
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
# All mounts end with the namespace.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "$1" sh /show' - "$tree" | tee "$tmp/out"

for line in "as made, file: 74 65 78 74 0a" "as made, after: other" "as made, gone: " \
    "without, file: refused" "without, after: refused" "without, gone: " \
    "fuse-overlayfs, file: 00 00 00 00 00" "fuse-overlayfs, after: " "fuse-overlayfs, gone: "; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
