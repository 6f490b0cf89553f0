#!/bin/bash
# systemd-sysext merge: where / is not a shared mount, all is said to be merged, and nothing is there
#
# Versions: systemd 257.13-1~deb13u1, util-linux 2.41.5-0+deb13u1 (Debian 13).
#
# Expected: systemd-sysext(8): merge makes an overlay of /usr and /opt with the extensions, for who calls it, or fails.
#
# Seen, of one extension with a program, in a mount namespace, by the propagation of its /:
#   shared     "Merged extensions into '/usr'.", exit 0; the program is there, and status names the extension.
#   private    the same line, exit 0; there is no program, and status says "none".  So it is with `refresh`.
#   slave      as private.
# systemd-sysext puts the overlay together in a mount namespace of its own, whose mounts reach the caller by propagation alone.
# `systemd-confext merge` does the same with /etc.
#
# Where it matters: / is private in what unshare(1) makes, and in most containers: what merges there when it starts has its exit
# status 0, and goes on without what the extension has.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='systemd=257.13-1~deb13u1,util-linux=2.41.5-0+deb13u1,base-files,dash,coreutils,grep' trixie "$tree"
mkdir -p "$tree"/{dev,proc,sys,run,etc,tmp}
extension=$tree/var/lib/extensions/it confext=$tree/var/lib/confexts/it
mkdir -p "$extension"/usr/{bin,lib/extension-release.d} "$confext"/etc/extension-release.d
echo ID=_any | tee "$extension/usr/lib/extension-release.d/extension-release.it" >"$confext/etc/extension-release.d/extension-release.it"
echo here | tee "$extension/usr/bin/program" >"$confext/etc/program"

cat >"$tree/show" <<'EOP'
# merged TITLE TOOL VERB FILE: what it says, and whether the extension's file is there
merged() {
    $2 $3 >/said 2>&1 && status=0 || status=$?
    claim=$(grep -c '^Merged extensions' /said)
    echo "$1, $2 $3: exit $status, merged $claim, file: $(cat $4 2>/tmp/error || echo none)," \
        "status: $($2 status --no-legend --no-pager | grep -c 'it ')"
}
merged "$1" systemd-sysext merge /usr/bin/program
merged "$1" systemd-sysext refresh /usr/bin/program
merged "$1" systemd-confext merge /etc/program
EOP
for propagation in shared private slave; do
    # shellcheck disable=SC2016 # for the inner shell
    unshare --mount --pid --fork --kill-child sh -c '
        mount --bind "$1" "$1" && mount --make-shared "$1" && if [ "$2" != shared ]; then mount --make-$2 "$1"; fi && cd "$1" &&
        mount -t proc proc proc && mount -t sysfs -o ro sysfs sys && mount -t tmpfs tmpfs run && mount --rbind /dev dev &&
        exec chroot . sh /show "$2"' - "$tree" "$propagation"
done | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
shared, systemd-sysext merge: exit 0, merged 1, file: here, status: 1
shared, systemd-sysext refresh: exit 0, merged 1, file: here, status: 1
shared, systemd-confext merge: exit 0, merged 1, file: here, status: 1
private, systemd-sysext merge: exit 0, merged 1, file: none, status: 0
private, systemd-sysext refresh: exit 0, merged 1, file: none, status: 0
private, systemd-confext merge: exit 0, merged 1, file: none, status: 0
slave, systemd-sysext merge: exit 0, merged 1, file: none, status: 0
slave, systemd-sysext refresh: exit 0, merged 1, file: none, status: 0
slave, systemd-confext merge: exit 0, merged 1, file: none, status: 0
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
