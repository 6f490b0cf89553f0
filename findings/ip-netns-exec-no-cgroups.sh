#!/bin/bash
# A command of `ip netns exec` sees no cgroups, and its mounts are gone with it
#
# Versions: iproute2 6.15.0-1, util-linux 2.41.5-0+deb13u1, crun 1.21-1 (Debian 13).
#
# Expected: "run cmd in the named network namespace"; ip-netns(8) tells of files of /etc/netns/NAME that are put over those of
# /etc, by a mount namespace, and of nothing else that would be other than outside.
#
# Seen: ip takes /sys off in that mount namespace and mounts a new sysfs, which shows the links of the namespace.  All that was
# mounted below /sys is not there: /sys/fs/cgroup is empty, and so are /sys/fs/bpf, /sys/kernel/debug, /sys/kernel/tracing.
# `nsenter --net=/run/netns/NAME` leaves the mounts: it sees the cgroups, and the other namespace's links in /sys/class/net.
# What the command itself mounts is gone when it ends, without an error.
#
# Where it matters: container tools started by `ip netns exec` fail for a reason that is not there outside (crun, even for `spec`:
# "invalid file system type on `/sys/fs/cgroup`"); what such a command mounts, or pins in a bpf file system, is lost.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='iproute2=6.15.0-1,util-linux=2.41.5-0+deb13u1,mount=2.41.5-0+deb13u1,crun=1.21-1,base-files,dash,coreutils' \
    trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,mnt,it}

cat >"$tree/show" <<'EOP'
cat >/look <<'EOF'
[ -e /sys/fs/cgroup/cgroup.procs ] && cgroups=there || cgroups=none
echo "$1: cgroups $cgroups, links" $(ls /sys/class/net | sort)
EOF
ip link add outside type veth peer other
ip netns add it
ip -n it link add inside type veth peer another
sh /look outside
ip netns exec it sh /look 'ip netns exec'
nsenter --net=/run/netns/it sh /look nsenter
rm -f config.json; echo "outside: crun spec $(crun spec 2>&1 && echo succeeds)"
rm -f config.json; echo "ip netns exec: crun spec $(ip netns exec it crun spec 2>&1)"
ip netns exec it sh -c 'mount -t tmpfs tmpfs /it && touch /it/file && echo "mounted: $(ls /it)"'
echo "after it: $(ls /it)"
EOP
# pivot_root and not chroot: ip changes the propagation of the root.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t sysfs sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup && pivot_root . mnt &&
    cd / && PATH=/usr/sbin:/usr/bin:/sbin:/bin && umount -l /mnt && exec sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
outside: cgroups there, links lo other outside
ip netns exec: cgroups none, links another inside lo
nsenter: cgroups there, links lo other outside
outside: crun spec succeeds
ip netns exec: crun spec invalid file system type on `/sys/fs/cgroup`
mounted: file
after it: 
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
