#!/bin/bash
# systemctl set-property: what holds when it is done is not what holds after the next daemon-reload
#
# Versions: systemd 257.13-1~deb13u1 (Debian 13).
#
# Expected: systemctl(1): the changes are applied at once and kept on disk, with --runtime until the next reboot; and as
# in unit files, an assignment to a list adds to it.  So a daemon-reload, which reads the disk, changes nothing.
#
# Seen, of a service that runs, before and after "systemctl daemon-reload":
#   CPUWeight=200, then with --runtime CPUWeight=50     50; after it 200: both are written to drop-ins of one name, of which
#                                                       that in /etc hides that in /run.
#   RestrictNetworkInterfaces=a, then =b                a and b; after it b alone: the drop-in has what was said last, while
#                                                       those for IPAddressAllow=, DeviceAllow= and SocketBindAllow=,
#                                                       set in the same way, have all.
#
# Where it matters: any package that is installed reloads systemd.  A limit that was set for the night, or for a test, is
# gone hours later, and a service that may use two interfaces, which was tried, loses the first.
# What is known: systemd's issue 16592, open since 2020, of --runtime; 34773, closed, was of IPAddressAllow= alone.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='systemd=257.13-1~deb13u1,base-files,base-passwd,dash,coreutils,mount' \
    trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,mnt,etc/systemd/system}
echo 'root:x:0:0::/:/bin/sh' >"$tree/etc/passwd"
echo 'root:x:0:' >"$tree/etc/group"
: >"$tree/etc/machine-id"
cat >"$tree/etc/systemd/system/default.target" <<'EOP'
[Unit]
DefaultDependencies=no
Wants=show.service
EOP
cat >"$tree/etc/systemd/system/it.service" <<'EOP'
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/sleep 1000
EOP
cat >"$tree/etc/systemd/system/show.service" <<'EOP'
[Unit]
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/bin/sh /show
StandardOutput=file:/out
StandardError=file:/err
TimeoutStartSec=60
EOP
cat >"$tree/show" <<'EOP'
# both PROPERTY: what the service has of it, in the order of the alphabet: a set has none
both() {
    has() { systemctl show --property="$1" it | cut -d= -f2 | tr ' ' '\n' | sort | tr '\n' ' '; }
    before=$(has "$1")
    systemctl daemon-reload
    echo "$1: $before- after daemon-reload: $(has "$1")"
}
systemctl start it
systemctl set-property it CPUWeight=200
systemctl set-property --runtime it CPUWeight=50
both CPUWeight
for item in RestrictNetworkInterfaces=a RestrictNetworkInterfaces=b IPAddressAllow=10.0.0.1 IPAddressAllow=10.0.0.2 \
    'DeviceAllow=/dev/null r' 'DeviceAllow=/dev/zero r' SocketBindAllow=tcp:80 SocketBindAllow=tcp:81; do
    systemctl set-property it "$item"
done
for property in RestrictNetworkInterfaces IPAddressAllow DeviceAllow SocketBindAllow; do both $property; done
EOP

# Its own systemd, in a cgroup and in namespaces that end with it.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t cgroup2 cgroup2 mnt && mkdir mnt/$2 && echo 0 >mnt/$2/cgroup.procs &&
    unshare --cgroup --net --ipc --uts --pid --fork --kill-child sh -c "
        umount mnt && mount -t proc proc proc && mount -t tmpfs -o mode=755 tmpfs run && mount -t sysfs -o ro sysfs sys &&
        mount -t tmpfs -o mode=755 tmpfs dev && for name in null zero; do
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
CPUWeight: 50 - after daemon-reload: 200 
RestrictNetworkInterfaces: a b - after daemon-reload: b 
IPAddressAllow: 10.0.0.1/32 10.0.0.2/32 - after daemon-reload: 10.0.0.1/32 10.0.0.2/32 
DeviceAllow: /dev/null /dev/zero r r - after daemon-reload: /dev/null /dev/zero r r 
SocketBindAllow: tcp80 tcp81 - after daemon-reload: tcp80 tcp81 
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
