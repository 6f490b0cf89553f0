#!/bin/bash
# crun, runc and setpriv start a program without the ambient capability that was asked for, if it is not inheritable as well
#
# Versions: crun 1.21-1, runc 1.1.15+ds1-2+b4, util-linux 2.41.5-0+deb13u1, libcap2-bin 1:2.75-10+deb13u1+b3 (Debian 13).
#
# Expected: that the kernel takes an ambient capability only if it is permitted and inheritable, is in capabilities(7).  Who
# asks for one that can't be has an error: prctl(2) gives EPERM.  The runtime specification has five lists of capabilities, and
# says nothing of one needing another.
#
# Seen, of CAP_NET_BIND_SERVICE in the lists bounding, permitted, effective and ambient, for user 1000:
#   crun, runc      the program is started, with no capability at all, exit 0; with "inheritable" too, it has it.
#   setpriv --ambient-caps +net_bind_service      the same, exit 0; with --inh-caps as well, it has it.
#   capsh --addamb=cap_net_bind_service           "failed to raise ambient [cap_net_bind_service=10]", exit 1.
#
# Where it matters: advice after CVE-2022-24769 is to take capabilities out of "inheritable"; engines do, and who writes a
# config.json by that example and adds "ambient" for a user without privileges, has a container that starts and can't
# bind to port 80.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='runc=1.1.15+ds1-2+b4,crun=1.21-1,util-linux=2.41.5-0+deb13u1,libcap2-bin=1:2.75-10+deb13u1+b3,busybox-static'
mmdebstrap --quiet --variant=extract --include="$packages,base-files,bash,dash,coreutils,grep,mount" trixie "$tree"
mkdir -p "$tree"/bundle/rootfs/{bin,dev,proc} "$tree"/{dev,proc,run,sys}
cp "$tree/usr/bin/busybox" "$tree/bundle/rootfs/bin/busybox"

cat >"$tree/show" <<'EOP'
# a cgroup of this name is made
id=finding-$(cut -c1-8 /proc/sys/kernel/random/uuid)
# show TITLE COMMAND…: its exit status, and the ambient and effective set that it has
show() {
    title=$1
    shift
    status=0; "$@" >/run/out 2>/run/err </dev/null || status=$?
    echo "$title: exit $status $(grep -hE '^Cap(Amb|Eff)' /run/out | tr '\t\n' '  ')$(grep -o 'failed to raise ambient' /run/err)"
}
one='["CAP_NET_BIND_SERVICE"]'
for inheritable in '[]' "$one"; do
    cat >/bundle/config.json <<EOC
{
  "ociVersion": "1.0.2",
  "process": {
    "args": ["/bin/busybox", "cat", "/proc/self/status"], "cwd": "/", "user": {"uid": 1000, "gid": 1000},
    "capabilities": {"bounding": $one, "permitted": $one, "effective": $one, "ambient": $one, "inheritable": $inheritable}
  },
  "root": {"path": "rootfs"},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}
  ],
  "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]}
}
EOC
    for runtime in crun runc; do show "$runtime, inheritable $inheritable" $runtime run --bundle /bundle "$id"; done
done
as='--reuid 1000 --regid 1000 --clear-groups'
# shellcheck disable=SC2086 # several words
{
    show 'setpriv' setpriv $as --ambient-caps +net_bind_service cat /proc/self/status
    show 'setpriv, inheritable' setpriv $as --inh-caps +net_bind_service --ambient-caps +net_bind_service cat /proc/self/status
}
show 'capsh' capsh --addamb=cap_net_bind_service -- -c 'cat /proc/self/status'
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup &&
    exec chroot . sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
crun, inheritable []: exit 0 CapEff: 0000000000000000 CapAmb: 0000000000000000 
runc, inheritable []: exit 0 CapEff: 0000000000000000 CapAmb: 0000000000000000 
crun, inheritable ["CAP_NET_BIND_SERVICE"]: exit 0 CapEff: 0000000000000400 CapAmb: 0000000000000400 
runc, inheritable ["CAP_NET_BIND_SERVICE"]: exit 0 CapEff: 0000000000000400 CapAmb: 0000000000000400 
setpriv: exit 0 CapEff: 0000000000000000 CapAmb: 0000000000000000 
setpriv, inheritable: exit 0 CapEff: 0000000000000400 CapAmb: 0000000000000400 
capsh: exit 1 failed to raise ambient
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
