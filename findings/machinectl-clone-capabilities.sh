#!/bin/bash
# machinectl clone: programs of the copy have lost their file capabilities
#
# Versions: systemd and systemd-container 257.13-1~deb13u1 (Debian 13).
#
# Expected: machinectl(1) clones an image; where the file system has no snapshots it is copied, as systemd-nspawn does for
# --template= and --ephemeral, and importctl for import-fs: with access lists and all extended attributes.
#
# Seen, of a directory in /var/lib/machines on ext4 or tmpfs: exit 0, owners, modes, access lists and other attributes are
# there, and no file has security.capability.  importctl import-fs of the same directory has it.
# The copy is made by systemd-machined, whose unit leaves CAP_SETFCAP out of CapabilityBoundingSet=, and that an attribute
# can't be set is nothing to complain of.  With it in a drop-in, the clone has them all.
#
# Where it matters: in the clone ping, mtr or a web server on port 80 get "Operation not permitted" unless root starts
# them, and in the original they work.  On btrfs, where it is a snapshot, all is well.  Copy it by import-fs, or add the
# drop-in.
# What is known: systemd's issue 17178 was about access lists of import-fs; since then all attributes are copied, by whoever
# may.
#
# Needs: root, mmdebstrap, unshare, cgroup2, a temporary folder on a file system without snapshots.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='systemd=257.13-1~deb13u1,systemd-container=257.13-1~deb13u1,dbus=1.16.2-2'
packages="$packages,libcap2-bin=1:2.75-10+deb13u1+b3,acl=2.3.2-2+b1,attr"
mmdebstrap --quiet --variant=extract --include="$packages,base-files,dash,coreutils,grep,sed,mount" trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,mnt,tmp,etc/systemd/system,var/lib/machines/it/{bin,usr/lib}}
printf 'root:x:0:0::/:/bin/sh\nmessagebus:x:100:100::/:/bin/sh\n' >"$tree/etc/passwd"
printf 'root:x:0:\nmessagebus:x:100:\n' >"$tree/etc/group"
: >"$tree/etc/machine-id"
echo 'ID=it' >"$tree/var/lib/machines/it/usr/lib/os-release"
cat >"$tree/etc/systemd/system/default.target" <<'EOP'
[Unit]
DefaultDependencies=no
Wants=show.service
EOP
cat >"$tree/etc/systemd/system/show.service" <<'EOP'
[Unit]
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force
Wants=dbus.socket
After=dbus.socket
[Service]
Type=oneshot
ExecStart=/bin/sh /show
StandardOutput=file:/out
StandardError=file:/err
TimeoutStartSec=60
EOP
cat >"$tree/show" <<'EOP'
cd /var/lib/machines
: >it/bin/program
setfattr -n user.of -v it it/bin/program
setfacl -m u:5:x it/bin/program
setcap cap_net_raw=ep it/bin/program
# has NAME: what the program of an image has
has() {
    attributes=$(getfattr --absolute-names --match=- "$1/bin/program" | grep -v '^#' | grep . | sort | tr '\n' ' ')
    echo "$2: $attributes"
}
has it "the original"
machinectl clone it copy; echo "exit $?"
has copy "machinectl clone"
importctl --quiet --class=machine import-fs it imported >/said 2>&1
has imported "importctl import-fs"
mkdir -p /etc/systemd/system/systemd-machined.service.d
printf '[Service]\nCapabilityBoundingSet=CAP_SETFCAP\n' >/etc/systemd/system/systemd-machined.service.d/it.conf
systemctl daemon-reload
systemctl restart systemd-machined
machinectl clone it again
has again "machinectl clone with CAP_SETFCAP"
EOP

# Its own systemd, in a cgroup and in namespaces that end with it.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t cgroup2 cgroup2 mnt && mkdir mnt/$2 && echo 0 >mnt/$2/cgroup.procs &&
    unshare --cgroup --net --ipc --uts --pid --fork --kill-child sh -c "
        umount mnt && mount -t proc proc proc && mount -t tmpfs -o mode=755 tmpfs run && mount -t sysfs -o ro sysfs sys &&
        mount -t tmpfs -o mode=755 tmpfs dev && for name in null zero urandom random; do
            touch dev/\$name && mount --bind /dev/\$name dev/\$name; done &&
        mount -t cgroup2 cgroup2 sys/fs/cgroup &&
        exec env -i container=finding PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
            chroot . /usr/lib/systemd/systemd --log-target=null" </dev/null
    mount -t cgroup2 cgroup2 mnt
    echo 0 >mnt/cgroup.procs
    find mnt/$2 -depth -type d -exec rmdir {} +' - "$tree" "finding-$$"
cat "$tree/err" >&2
tee "$tmp/out" <"$tree/out"

cat >"$tmp/expected" <<'EOP'
the original: security.capability system.posix_acl_access user.of 
exit 0
machinectl clone: system.posix_acl_access user.of 
importctl import-fs: security.capability system.posix_acl_access user.of 
machinectl clone with CAP_SETFCAP: security.capability system.posix_acl_access user.of 
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
