#!/bin/bash
# bwrap: directories that it makes on the way to a bind mount are 700, those on the way to a tmpfs or a file 755
#
# Versions: bubblewrap 0.12.0-1~deb13u1 (Debian 13).
#
# Expected: parents that are not there are made for all kinds alike, 755 under the umask 022, as mkdir -p does and as --dir.
#
# Seen, of /mnt on a new tmpfs and a place /mnt/x/y, the mode of /mnt/x:
#   700   --bind and --ro-bind, of a directory 755 or 700, and of a file; --symlink, --proc, --dev, --mqueue, --bind-data
#   755   --tmpfs, --dir, --file
# So a program that root starts this way and that becomes another user gets "Permission denied" at a directory that is 755 itself.
# With --dir /mnt/x before it, the bind mount can be reached.
#
# Where it matters: bwrap in a unit or in a build as root, for a program that then drops its user: it works for as long as the
# parents are there in the tree below, or another tmpfs comes first.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='bubblewrap=0.12.0-1~deb13u1,util-linux=2.41.5-0+deb13u1,base-files,dash,coreutils' trixie "$tree"
mkdir -p "$tree"/{dev,proc,mnt,open,closed}
chmod 755 "$tree" "$tree"/{mnt,open}
chmod 700 "$tree/closed"
echo text >"$tree/text"

cat >"$tree/show" <<'EOP'
export LC_ALL=C
umask 022
for options in "--bind /open" "--bind /closed" "--ro-bind /text" "--symlink a" "--proc" "--dev" "--mqueue" "--bind-data 9" \
    "--tmpfs" "--dir" "--file 9"; do
    echo "$options: $(bwrap --bind / / --tmpfs /mnt $options /mnt/x/y stat -c %a /mnt/x 9</text)"
done
for options in "" "--dir /mnt/x"; do
    echo "user 1000, ${options:-without}: $(bwrap --bind / / --tmpfs /mnt $options --bind /open /mnt/x/y \
        setpriv --reuid=1000 --clear-groups ls -d /mnt/x/y 2>&1)"
done
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c 'mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc &&
    mount --rbind /dev dev && exec chroot . sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
--bind /open: 700
--bind /closed: 700
--ro-bind /text: 700
--symlink a: 700
--proc: 700
--dev: 700
--mqueue: 700
--bind-data 9: 700
--tmpfs: 755
--dir: 755
--file 9: 755
user 1000, without: ls: cannot access '/mnt/x/y': Permission denied
user 1000, --dir /mnt/x: /mnt/x/y
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
