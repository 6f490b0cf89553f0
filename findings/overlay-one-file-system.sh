#!/bin/bash
# mksquashfs -one-file-system and du -x see no file in an overlay whose layers are on two file systems
#
# Versions: squashfs-tools 1:4.6.1-1, coreutils 9.7-3, tar 1.35+dfsg-3.1, rsync 3.5.0+ds1-0+deb13u2, findutils (Debian 13);
# Linux 6.18 (the running kernel is shown).
#
# Expected: an overlay is one mount and one file system; what stays on one file system takes all of it, and leaves out what is
# mounted below.
#
# Seen, with the lower directory on one tmpfs, the upper on another, and xino off, as it is by default: of directories stat(2)
# gives the overlay's device number, and of files that of their layer.  So:
#   mksquashfs -one-file-system     exit 0, and the image has directories only; so -one-file-system-x.  What the layers have,
#                                   upper or lower, is "on a different filesystem, ignored".
#   du -x                           exit 0, the directories alone, and 0 bytes of 2 MiB.
#   tar, cp -x, rsync -x, find -xdev      everything: they ask of directories only.
# The numbers are as the kernel's documentation has them, in its table of inode properties.
#
# Where it matters: live systems, systemd-nspawn --volatile=overlay and containers with an image on a disk of its own: who
# makes an image of the running root with the option that keeps /proc and /dev out, gets a tree without files.
#
# Needs: root, mmdebstrap, unshare, a kernel with overlayfs.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='squashfs-tools=1:4.6.1-1,coreutils=9.7-3,tar=1.35+dfsg-3.1,rsync=3.5.0+ds1-0+deb13u2'
mmdebstrap --quiet --variant=extract --include="$packages,findutils,base-files,dash,grep,sed,mount" trixie "$tree"
mkdir -p "$tree"/{proc,run,tmp}

cat >"$tree/show" <<'EOP'
set -eu
cd /tmp
mkdir lower upper all
mount -t tmpfs lower lower
mount -t tmpfs upper upper
mkdir -p lower/dir upper/data upper/work
head -c 1M /dev/zero >lower/file
head -c 1M /dev/zero >lower/dir/file
mount -t overlay -o lowerdir=lower,upperdir=upper/data,workdir=upper/work overlay all
echo new >all/dir/new
cd all
echo "device numbers: $(stat -c '%n %d' . dir file dir/new | sed "s/ $(stat -c %d .)$/ the same/; s/ [0-9]*$/ another/" | tr '\n' ' ')"
# files TITLE: of a list of paths, how many files
files() { echo "$1: $(grep -cE '(file|new)$' || :) files"; }
for option in -one-file-system -one-file-system-x; do
    mksquashfs . ../image $option -quiet -no-progress -noappend >/dev/null 2>../said
    unsquashfs -quiet -l ../image | files "mksquashfs $option"
    sed 's/^/  /' ../said | sort
done
mksquashfs . ../image -quiet -no-progress -noappend >/dev/null
unsquashfs -quiet -l ../image | files 'mksquashfs'
du -ax . | files 'du -x'
echo "du -sx: $(du -sxb --apparent-size dir | cut -f1) of $(du -sb --apparent-size dir | cut -f1) bytes"
tar --one-file-system -c . | tar -t | files 'tar --one-file-system'
cp -ax . ../copy
find ../copy | files 'cp -x'
rsync -ax ./ ../synced/
find ../synced | files 'rsync -x'
find . -xdev | files 'find -xdev'
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs tmp &&
    exec chroot . sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
device numbers: . the same dir the same file another dir/new another 
mksquashfs -one-file-system: 0 files
  ./dir/file is on a different filesystem, ignored
  ./dir/new is on a different filesystem, ignored
  ./file is on a different filesystem, ignored
mksquashfs -one-file-system-x: 0 files
  ./dir/file is on a different filesystem, ignored
  ./dir/new is on a different filesystem, ignored
  ./file is on a different filesystem, ignored
mksquashfs: 3 files
du -x: 0 files
du -sx: 0 of 1048580 bytes
tar --one-file-system: 3 files
cp -x: 3 files
rsync -x: 3 files
find -xdev: 3 files
EOP
if ! grep -v '^Linux' "$tmp/out" | diff "$tmp/expected" -; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
