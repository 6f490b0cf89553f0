#!/bin/bash
# A whiteout with nothing to hide is listed by an overlay, can't be found, and keeps its directory from being removed
#
# Versions: Linux 6.18 (the running kernel is shown), tar 1.35+dfsg-3.1, coreutils 9.7-3 (Debian 13).
#
# Expected: a whiteout (a character device 0:0 in a layer) never shows in the merged tree, whether or not a lower
# layer has the name that it deletes.
#
# Seen: in a directory that only one layer has, nothing is merged, and the entries are passed on as they are:
# readdir(3) gives the name of the whiteout, and any use of that name is "No such file or directory".  In a directory
# that two layers have, the same whiteout is not listed.
#   - ls -l, cp -a, rm -r and tar fail; tar with "File removed before we read it", though nothing has changed.
#   - If the directory is in the upper layer, rmdir(2) says "Directory not empty" of a directory in which there is
#     nothing that could be removed.  It can't be got rid of through the overlay.
#   - If it is in a lower layer, rmdir works, but rm -r fails before it gets there.
#
# Where it matters: layers are unpacked one by one, without a look at what is below.  A deletion in a directory that
# the lower layers turn out not to have becomes such a directory (skopeo 1.18.0 does so into its overlay storage), and
# backups of the container fail, and so does the payload's own rm -r.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='tar=1.35+dfsg-3.1,coreutils=9.7-3,base-files,dash,mount' trixie "$tree"

cat >"$tree/show" <<'EOF'
set -eu
mkdir /layers /merged
mount -t tmpfs tmpfs /layers
cd /layers
mkdir -p lower/both lower/below upper/both upper/above work
touch lower/both/ghost
for directory in lower/below upper/both upper/above; do
    mknod $directory/ghost c 0 0
done
mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay /merged
cd /merged

run() {
    name=$1; shift
    status=0; "$@" >/out 2>&1 || status=$?
    echo "$name: exit $status$([ $status = 0 ] || printf ', %s' "$(head -n 1 /out)")"
}
for directory in both below above; do
    echo "$directory: has $(ls $directory)"
    run "$directory" stat $directory/ghost
    run "$directory" ls -l $directory
    run "$directory" tar -cf /archive.tar $directory
    run "$directory" cp -a $directory /copy-$directory
    run "$directory" rm -r $directory
    [ ! -d $directory ] || run "$directory" rmdir $directory
done
EOF

echo "Linux $(uname -r | cut -d. -f1,2)"
unshare --mount chroot "$tree" env LC_ALL=C sh /show | tee "$tmp/out"

cat >"$tmp/expected" <<'EOF'
both: has 
both: exit 1, stat: cannot statx 'both/ghost': No such file or directory
both: exit 0
both: exit 0
both: exit 0
both: exit 0
below: has ghost
below: exit 1, stat: cannot statx 'below/ghost': No such file or directory
below: exit 1, ls: cannot access 'below/ghost': No such file or directory
below: exit 1, tar: below/ghost: File removed before we read it
below: exit 1, cp: cannot stat 'below/ghost': No such file or directory
below: exit 1, rm: cannot remove 'below/ghost': No such file or directory
below: exit 0
above: has ghost
above: exit 1, stat: cannot statx 'above/ghost': No such file or directory
above: exit 1, ls: cannot access 'above/ghost': No such file or directory
above: exit 1, tar: above/ghost: File removed before we read it
above: exit 1, cp: cannot stat 'above/ghost': No such file or directory
above: exit 1, rm: cannot remove 'above/ghost': No such file or directory
above: exit 1, rmdir: failed to remove 'above': Directory not empty
EOF
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
