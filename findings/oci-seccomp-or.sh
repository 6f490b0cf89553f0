#!/bin/bash
# seccomp in config.json: two conditions on one argument make all conditions of the rule alternatives (crun, runc)
#
# Versions: crun 1.21-1, runc 1.1.15+ds1-2+b4, libseccomp2 2.6.0-2 (Debian 13).
#
# Expected: the conditions in `args` are to be met all.  If two on the same argument are alternatives at all (else they
# could never be met), then those two, and the ones on the other arguments still have to be met besides.
#
# Seen, of a rule that refuses kill(2), where argument 0 is the process and 1 the signal:
#   signal = USR1, process = 1: refused is USR1 to 1, not USR1 to another, nor another signal to 1.
#   signal = USR1, signal = USR2, process = 1: refused is USR1 to anybody, USR2 to anybody, and any signal to 1; one of
#       the three is enough.
# Adding one value for one argument has taken the "and" out of the whole rule.
#
# Where it matters: the runtimes turn each condition into a rule of its own as soon as an argument is there twice (meant
# for old profiles); the runtime specification is silent.  Whoever merges rules of the same system call must write one
# rule for each value, with the other conditions in each.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='runc=1.1.15+ds1-2+b4,crun=1.21-1,libseccomp2=2.6.0-2,busybox-static,base-files,dash,coreutils,grep,mount' \
    trixie "$tree"
mkdir -p "$tree"/bundle/rootfs/{bin,dev,proc} "$tree"/{dev,proc,run,sys}
cp "$tree/usr/bin/busybox" "$tree/bundle/rootfs/bin/busybox"

cat >"$tree/show" <<'EOP'
# a cgroup of this name is made
id=finding-$(cut -c1-8 /proc/sys/kernel/random/uuid)

# run NAME CONDITIONS: which signals a container can send, whose rule refuses kill(2) by these
run() {
    cat >/bundle/config.json <<EOC
{
  "ociVersion": "1.0.2",
  "process": {"args": ["/bin/busybox", "sh", "/try"], "cwd": "/", "user": {"uid": 0, "gid": 0}},
  "root": {"path": "rootfs"},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}
  ],
  "linux": {
    "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}],
    "seccomp": {
      "defaultAction": "SCMP_ACT_ALLOW",
      "syscalls": [{"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [$2]}]
    }
  }
}
EOC
    for runtime in crun runc; do
        echo "$1, $runtime refuses: $($runtime run --bundle /bundle "$id" 2>/dev/null </dev/null | tr '\n' ' ')"
        $runtime delete --force "$id" 2>/dev/null
    done
}
# The first process of a PID namespace is not touched by signals that it has no handler for; the other ignores them.
cat >/bundle/rootfs/try <<'EOT'
busybox=/bin/busybox
(trap '' USR1 USR2; exec $busybox sleep 60) &
$busybox sleep 1
for signal in 0 USR1 USR2; do
    kill -$signal 1 2>/dev/null || echo "$signal-to-1"
    kill -$signal $! 2>/dev/null || echo "$signal-to-other"
done
kill -9 $!
EOT
# 10 and 12 are USR1 and USR2.
usr1='{"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}'
usr2='{"index": 1, "value": 12, "op": "SCMP_CMP_EQ"}'
first='{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}'
run 'USR1 and 1' "$usr1, $first"
run 'USR1, USR2 and 1' "$usr1, $usr2, $first"
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup &&
    exec chroot . sh /show' - "$tree" | tee "$tmp/out"

for line in "USR1 and 1, crun refuses: USR1-to-1 " \
    "USR1 and 1, runc refuses: USR1-to-1 " \
    "USR1, USR2 and 1, crun refuses: 0-to-1 USR1-to-1 USR1-to-other USR2-to-1 USR2-to-other " \
    "USR1, USR2 and 1, runc refuses: 0-to-1 USR1-to-1 USR1-to-other USR2-to-1 USR2-to-other "; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
