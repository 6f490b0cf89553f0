#!/bin/bash
# systemd-sysext: a directory of an extension gives its mode and owner to the system's; /usr itself is kept from it
#
# Versions: systemd 257.13-1~deb13u1 (Debian 13).
#
# Expected: systemd-sysext(8): extensions add files to /usr and /opt.  What is there already stays as it is, unless an
# extension has a file of that name.
#
# Seen, of an extension that was put together with a umask of 077, by user 1000, and has a program in /usr/bin and /usr/lib/it:
#   /usr               755 of root, as before: systemd-sysext takes care of that one.
#   /usr/bin           700 of 1000, with all of the system's programs in it; user 1234 can execute none of them.
#   /usr/lib           700 of 1000, where the libraries of all programs are.
#   after unmerge      all as before.
# So it is with /etc and systemd-confext.  There is no message, and root notices nothing.
#
# Where it matters: extensions are often made of a directory (`mkdir -p`, `mktemp -d`, a build under a strict umask), of an
# archive, or of a tree that belongs to who has built it: services that run as users of their own can't be started any more.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='systemd=257.13-1~deb13u1,base-files,dash,coreutils,sed' trixie "$tree"
mkdir -p "$tree"/{dev,proc,sys,run,tmp}
ln -sfn usr/bin "$tree/bin"
for kind in extensions/it/usr confexts/it/etc; do
    top=$tree/var/lib/$kind
    (
        umask 022
        mkdir -p "${top%/*}"
        umask 077
        case $kind in
        ext*) mkdir -p "$top"/{bin,lib/it,lib/extension-release.d} && echo program >"$top/bin/it" && info=$top/lib/extension-release.d ;;
        *) mkdir -p "$top"/{default,extension-release.d} && echo it >"$top/default/it" && info=$top/extension-release.d ;;
        esac
        echo ID=_any >"$info/extension-release.it"
        chown -R 1000:1000 "${top%/*}"
    )
done

cat >"$tree/show" <<'EOP'
state() {
    echo "$1: $(stat -c '%n %a %u' /usr /usr/bin /usr/lib /usr/share /etc /etc/default | tr '\n' ',')"
    as_user=0 as_root=0
    /usr/bin/true || as_root=$?
    chroot --userspec=1234:1234 / /usr/bin/true 2>/tmp/said || as_user=$?
    echo "$1: root $as_root, user $as_user"
}
state before
systemd-sysext merge 2>/tmp/said && systemd-confext merge 2>/tmp/said || cat /tmp/said
state merged
systemd-sysext unmerge 2>/tmp/said && systemd-confext unmerge 2>/tmp/said || cat /tmp/said
state after
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && mount --make-shared "$1" && cd "$1" && mount -t proc proc proc &&
    mount -t sysfs -o ro sysfs sys && mount -t tmpfs tmpfs run && mount --rbind /dev dev && exec chroot . sh /show' - "$tree" |
    tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
before: /usr 755 0,/usr/bin 755 0,/usr/lib 755 0,/usr/share 755 0,/etc 755 0,/etc/default 755 0,
before: root 0, user 0
merged: /usr 755 0,/usr/bin 700 1000,/usr/lib 700 1000,/usr/share 755 0,/etc 755 0,/etc/default 700 1000,
merged: root 0, user 126
after: /usr 755 0,/usr/bin 755 0,/usr/lib 755 0,/usr/share 755 0,/etc 755 0,/etc/default 755 0,
after: root 0, user 0
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
