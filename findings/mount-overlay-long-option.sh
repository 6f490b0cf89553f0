#!/bin/bash
# mount(8) takes no lowerdir= of more than 255 characters any more, and says that the superblock is bad
#
# Versions: util-linux 2.41.5-0+deb13u1 (mount, Debian 13), Linux 6.18 (the running kernel is shown).
#
# Expected: the options of an overlay may be as long as a page, as mount(2) takes them: `lowerdir=` with a few paths is
# longer than 255 characters soon, and Debian 12's mount(8) mounts it.
#
# Seen: three directories with paths of 100 characters fail with "wrong fs type, bad option, bad superblock on overlay,
# missing codepage or helper program, or other error", status 32.  mount(8) passes each option by fsconfig(2), which
# takes 255 characters; nothing in the message, and nothing in the kernel's log, tells of that.  The same command with
# LIBMOUNT_FORCE_MOUNT2=always in its environment, which has it use mount(2), mounts the three.
#
# Where it matters: fstab lines, units (systemd starts mount(8) for a .mount) and scripts for overlays of layers that
# have digests for names work on Debian 12 and fail after an upgrade, for a reason that can't be found by its message.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='mount=2.41.5-0+deb13u1,base-files,dash,coreutils' trixie "$tree"

cat >"$tree/show" <<'EOF'
mkdir /layers /merged
mount -t tmpfs tmpfs /layers
name=$(printf '%0100d' 0)
mkdir -p "/layers/$name/1" "/layers/$name/2" "/layers/$name/3"
two="lowerdir=/layers/$name/1:/layers/$name/2"
three="$two:/layers/$name/3"

# try WHAT OPTIONS: mounts an overlay and takes it away again
try() {
    mount -t overlay -o "$2" overlay /merged 2>/error
    status=$?
    echo "$1, $(printf '%s' "${2#lowerdir=}" | wc -c) characters: status $status"
    if [ $status = 0 ]; then umount /merged; else head -n 1 /error; fi
}

try "two layers" "$two"
try "three layers" "$three"
export LIBMOUNT_FORCE_MOUNT2=always
try "three layers by mount(2)" "$three"
EOF

echo "Linux $(uname -r | cut -d. -f1,2)"
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child \
    sh -c 'mount -t proc proc "$1/proc" && chroot "$1" sh /show' - "$tree" | tee "$tmp/out"

for line in "two layers, 221 characters: status 0" "three layers, 332 characters: status 32" \
    "three layers by mount(2), 332 characters: status 0"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
grep -q "wrong fs type, bad option, bad superblock" "$tmp/out" || { echo "CHANGED: another message"; exit 1; }
echo "as described"
