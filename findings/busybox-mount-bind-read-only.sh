#!/bin/bash
# mount -o bind,ro of busybox makes a bind mount that can be written to, and exits 0
#
# Versions: busybox-static 1:1.37.0-6+b9, mount 2.41.5-0+deb13u1 (Debian 13).
#
# Expected: as mount(8) of util-linux, which knows that the kernel takes no other flag together with MS_BIND, and so gives
# "ro" in a second call; or an error.
#
# Seen, of a directory, in all four spellings (-o bind,ro; --bind -o ro; --bind -r; in fstab): busybox gives both flags to
# mount(2) in one call, the kernel leaves ro aside, exit 0, and a file can be made there.  So with nosuid, nodev and noexec
# beside bind.  A "remount,bind,ro" afterwards does it, and is what busybox's remount is good at.
#
# Where it matters: initramfs, Alpine and scripts in containers of busybox: what is to be shown to a container read-only is
# writable for it.  Read /proc/self/mountinfo after the mount, or remount.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='busybox-static=1:1.37.0-6+b9,mount=2.41.5-0+deb13u1,base-files,dash,coreutils,grep' trixie "$tree"
mkdir -p "$tree"/{proc,tmp}

cat >"$tree/show" <<'EOP'
set -eu
cd /tmp
mkdir from to
echo '/tmp/from /tmp/to none bind,ro,noexec 0 0' >/etc/fstab
# result TITLE COMMAND…: with which flags it is there, and whether a file can be made
result() {
    title=$1
    shift
    status=0; "$@" || status=$?
    writable=read-only
    if touch to/file 2>/tmp/said; then writable=writable; fi
    echo "$title: exit $status, $writable, $(grep ' /tmp/to ' /proc/self/mountinfo | cut -d' ' -f6)"
}
for by in busybox ''; do
    for words in '-o bind,ro from to' '--bind -o ro,nosuid,nodev from to' '--bind -r from to' '/tmp/to'; do
        # shellcheck disable=SC2086 # several words
        result "${by:-util-linux} mount $words" $by mount $words
        umount to
    done
done
mount --bind from to
result 'busybox mount -o remount,bind,ro to' busybox mount -o remount,bind,ro to
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount -t tmpfs tmpfs tmp && exec chroot . sh /show' - \
    "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
busybox mount -o bind,ro from to: exit 0, writable, rw,relatime
busybox mount --bind -o ro,nosuid,nodev from to: exit 0, writable, rw,relatime
busybox mount --bind -r from to: exit 0, writable, rw,relatime
busybox mount /tmp/to: exit 0, writable, rw,relatime
util-linux mount -o bind,ro from to: exit 0, read-only, ro,relatime
util-linux mount --bind -o ro,nosuid,nodev from to: exit 0, read-only, ro,nosuid,nodev,relatime
util-linux mount --bind -r from to: exit 0, read-only, ro,relatime
util-linux mount /tmp/to: exit 0, read-only, ro,noexec,relatime
busybox mount -o remount,bind,ro to: exit 0, read-only, ro,relatime
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
