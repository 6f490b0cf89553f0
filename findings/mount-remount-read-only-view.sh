#!/bin/bash
# mount -o remount,nosuid of a directory that is a read-only view makes the whole file system read-only
#
# Versions: mount 2.41.5-0+deb13u1 (Debian 13) and 2.38.1-5+deb12u3 (Debian 12).
#
# Expected: mount(8), on read-only mounts: "-o remount,ro" is about the file system as well, and "-o bind,remount,ro" about
# the one place.  Who says nothing of ro or rw changes neither.
#
# Seen: a directory of a file system is bound read-only to another place; the file system itself is writable.  Of that place:
#   remount,nosuid      the place is nosuid, and the file system read-only, at all its other places too
#   remount,size=2m     the same: to change something else of the file system, one has to say rw, or name another place
#   remount             the same, without any option
#   remount,bind,nodev  the place is nodev, and the file system stays writable
# Options that are not named come from mountinfo: that is in mount(8) as well.  There the ro of the place stands first, and
# without "bind" it goes to the file system.  No message and exit status 0; or, while a file is open for writing somewhere on
# the file system, "mount point is busy".
#
# Where it matters: a container, a chroot or a service has a read-only view of a directory of the host's /, and somebody
# hardens it a bit more.  If nothing on / is open for writing at that moment, the host is read-only; if something is, a
# command that has nothing to do with writing says "busy".
# What is known: greenboot's pull request 223 and LXC's issue 3999 are about remount,ro, where it was asked for.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/show" <<'EOP'
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir /system /view
# after OPTIONS: what the view and the file system are, after a remount of the view
after() {
    mount -t tmpfs -o size=1m it /system
    mount --bind -o ro /system /view
    [ -z "${2:-}" ] || exec 3>/system/open
    status=0; mount -o "$1" /view 2>/said || status=$?
    grep -o 'busy' /said || :
    exec 3>&-
    view=$(sed -n 's,^.* /view \([^ ]*\) .*,\1,p' /proc/self/mountinfo)
    system=$(sed -n 's,^.* /system .* - tmpfs it \([^,]*\).*,\1,p' /proc/self/mountinfo)
    (: >/system/file) 2>/dev/null && writing="can be written" || writing="can't be written"
    echo "$1: exit $status, view $view, file system $system, $writing"
    umount /view /system
}
after remount,nosuid
after remount,size=2m
after remount
after remount,bind,nodev
after remount,nosuid open
EOP
for release in 'trixie 2.41.5-0+deb13u1' 'bookworm 2.38.1-5+deb12u3'; do
    tree=$tmp/${release% *}
    mmdebstrap --quiet --variant=extract --include="mount=${release#* },base-files,dash,coreutils,grep,sed" "${release% *}" "$tree"
    mkdir -p "$tree/proc" "$tree/dev"
    : >"$tree/dev/null"
    cp "$tmp/show" "$tree/show"
    # shellcheck disable=SC2016 # for the inner shell
    unshare --mount --pid --fork --kill-child sh -c '
        mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --bind /dev/null dev/null && exec chroot . sh /show
        ' - "$tree" | sed "s/^/${release% *}: /" | tee -a "$tmp/out"
done

for release in trixie bookworm; do
    cat <<EOP
$release: remount,nosuid: exit 0, view ro,nosuid,relatime, file system ro, can't be written
$release: remount,size=2m: exit 0, view ro,relatime, file system ro, can't be written
$release: remount: exit 0, view ro,relatime, file system ro, can't be written
$release: remount,bind,nodev: exit 0, view ro,nodev,relatime, file system rw, can be written
$release: busy
$release: remount,nosuid: exit 32, view ro,relatime, file system rw, can be written
EOP
done >"$tmp/expected"
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
