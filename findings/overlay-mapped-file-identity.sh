#!/bin/bash
# In an overlay over two file systems, /proc/PID/maps gives two different files the same device and inode
#
# Versions: Linux 6.18 (the running kernel is shown), psmisc 23.7-2 (Debian 13).
#
# Expected: device and inode number in /proc/PID/maps are those that stat(2) gives for the mapped file, and two files
# do not have the same.  Tools find the users of a file that way.
#
# Seen: when the layers are on different file systems, stat(2) gives a device of its own for the files of each layer, so
# that inode numbers can't meet.  maps gives the device of the overlay itself for all of them, beside the inode number
# of the layer.  So
#   - maps and stat(2) never agree;
#   - a file of the lower and one of the upper layer whose numbers happen to be equal can't be told apart but by name;
#   - fuser does not find a process that has mapped a library, and has no descriptor of it open; on an overlay of one
#     file system it does;
#   - with xino=on the two do agree, on an inode number above 2^63, and fuser finds nobody all the same.
# /proc/PID/exe and descriptors agree with stat(2).
#
# Where it matters: "who still uses this library", for containers on an overlay, answered by device and inode: nobody.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='psmisc=23.7-2,base-files,dash,coreutils,grep,sed,mount' trixie "$tree"
mkdir -p "$tree/proc" "$tree/dev"
: >"$tree/dev/null"

cat >"$tree/show" <<'EOF'
set -eu
library=$(echo /usr/lib/*/libtinfo.so.6)
maps() { sed -n "\\,$2\$,{s/^[^ ]* [^ ]* [^ ]* \\([^ ]* [^ ]*\\) .*/\\1/p;q}" "/proc/$1/maps"; }
hex() { printf '%02x:%02x %s' $(stat -c '%Hd %Ld %i' "$1"); }

# Two file systems, and an inode number that both of them have
mkdir /a /b /two
mount -t tmpfs lower /a; mount -t tmpfs upper /b
mkdir /a/lower /b/upper /b/work
cp "$library" /b/upper/two.so
wanted=$(stat -c %i /b/upper/two.so)
while :; do
    cp "$library" /a/lower/one.so
    [ "$(stat -c %i /a/lower/one.so)" -lt "$wanted" ] || break
    mv /a/lower/one.so "/a/other$(stat -c %i /a/lower/one.so)"
done
mount -t overlay -o lowerdir=/a/lower,upperdir=/b/upper,workdir=/b/work overlay /two
LD_PRELOAD="/two/one.so /two/two.so" sleep 60 & pid=$!
sleep 1
one=$(maps $pid /two/one.so); two=$(maps $pid /two/two.so)
echo "stat: one.so $(hex /two/one.so), two.so $(hex /two/two.so)"
echo "maps: one.so $one, two.so $two"
[ "$one" = "$two" ] && echo "SAME in maps"
[ "$(hex /two/one.so)" != "$(hex /two/two.so)" ] && echo "DIFFERENT in stat"
[ "$one" != "$(hex /two/one.so)" ] && [ "$two" != "$(hex /two/two.so)" ] && echo "UNLIKE each other"
[ -z "$(fuser /two/one.so 2>/dev/null)" ] && echo "UNSEEN by fuser, over two file systems"
kill $pid

mkdir /b/lower /b/upper1 /b/work1 /one
cp "$library" /b/lower/one.so
mount -t overlay -o lowerdir=/b/lower,upperdir=/b/upper1,workdir=/b/work1 overlay /one
LD_PRELOAD=/one/one.so sleep 60 & pid=$!
sleep 1
[ "$(maps $pid /one/one.so)" = "$(hex /one/one.so)" ] && echo "LIKE each other, over one file system"
[ "$(fuser /one/one.so 2>/dev/null | tr -d ' ')" = $pid ] && echo "SEEN by fuser, over one file system"
kill $pid

mkdir /b/upper2 /b/work2 /xino
mount -t overlay -o lowerdir=/a/lower,upperdir=/b/upper2,workdir=/b/work2,xino=on overlay /xino
LD_PRELOAD=/xino/one.so sleep 60 & pid=$!
sleep 1
echo "xino: one.so $(hex /xino/one.so)"
[ "$(maps $pid /xino/one.so)" = "$(hex /xino/one.so)" ] && echo "LIKE each other, with xino=on"
[ -z "$(fuser /xino/one.so 2>/dev/null)" ] && echo "UNSEEN by fuser, with xino=on"
kill $pid
EOF

echo "Linux $(uname -r | cut -d. -f1,2)"
# In namespaces of its own: all mounts and processes end with it.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount -t proc proc "$1/proc" && mount --bind /dev/null "$1/dev/null" && chroot "$1" sh /show || :' - "$tree" |
    tee "$tmp/out"

for line in "SAME in maps" "DIFFERENT in stat" "UNLIKE each other" "UNSEEN by fuser, over two file systems" \
    "LIKE each other, over one file system" "SEEN by fuser, over one file system" \
    "LIKE each other, with xino=on" "UNSEEN by fuser, with xino=on"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
