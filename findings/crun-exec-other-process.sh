#!/bin/bash
# crun exec: with one --env, the whole environment of the container is gone; limits and directory are so anyhow
#
# Versions: crun 1.21-1, runc 1.1.15+ds1-2+deb13u1 (Debian 13).
#
# Expected: a command of `exec` is run as config.json has the container's process, but for what the options say: its
# environment and one more variable for --env (crun(1): "Specify an environment variable").
#
# Seen, of a container whose process has PATH=/bin, NAME=value, the directory /work, at most 100 open files, oomScoreAdj
# 123 and additional groups 5 and 6:
#   runc exec                    all of it.
#   runc exec --env MORE=x       all of it, and MORE.
#   crun exec                    environment and groups; but the directory /, and the limits and the oom_score_adj of
#                                whoever calls crun.
#   crun exec --env MORE=x       besides, of the environment MORE alone: no PATH either, and HOME as always.
#   crun exec --user 1000:1000   besides, without the groups; runc exec has them then, too.
# Engines don't see it: they give the whole process to both (--process).
#
# Where it matters: a look into a container, by hand or of a script, shows limits and variables that its programs don't
# have, and a program started so isn't held by the limits that were set for it.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='runc=1.1.15+ds1-2+deb13u1,crun=1.21-1,busybox-static,base-files,dash,coreutils,grep,mount,sed,util-linux' \
    trixie "$tree"
bundle=$tree/bundle
mkdir -p "$bundle"/rootfs/{bin,dev,proc,sys,work} "$tree"/{dev,proc,run,sys,mnt}
cp "$tree/usr/bin/busybox" "$bundle/rootfs/bin/busybox"
cat >"$bundle/config.json" <<'EOP'
{
  "ociVersion": "1.0.0",
  "process": {
    "args": ["/bin/busybox", "sleep", "1000"], "cwd": "/work", "env": ["PATH=/bin", "NAME=value"], "oomScoreAdj": 123,
    "user": {"uid": 0, "gid": 0, "additionalGids": [5, 6]},
    "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 100}]
  },
  "root": {"path": "rootfs"},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}
  ],
  "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}]}
}
EOP
# A shell would make variables of its own.
cat >"$bundle/rootfs/bin/look" <<'EOP'
#!/bin/busybox sh
b=/bin/busybox
environment=$($b tr '\0' '\n' </proc/$$/environ | $b grep -v ^HOME= | $b sort)
groups=$($b sed -n 's/^Groups:\t//p' /proc/$$/status)
echo $environment, $($b pwd), files $(ulimit -n), oom $($b cat /proc/$$/oom_score_adj), groups $groups
EOP
chmod 755 "$bundle/rootfs/bin/look"

cat >"$tree/show" <<'EOP'
ulimit -n 1000
echo 0 >/proc/self/oom_score_adj
for runtime in runc crun; do
    $runtime run --detach --bundle /bundle it </dev/null >/said 2>&1
    for options in '' '--env MORE=x' '--user 1000:1000'; do
        echo "$runtime exec $options: $($runtime exec $options it /bin/look)"
    done
    $runtime delete --force it
done
EOP
# pivot_root and not chroot: the runtimes enter the root of the mount namespace.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup && pivot_root . mnt &&
    cd / && PATH=/usr/sbin:/usr/bin:/sbin:/bin && umount -l /mnt && exec sh /show' - "$tree" | tee "$tmp/out"

all="NAME=value PATH=/bin, /work, files 100, oom 123, groups 5 6"
for line in "runc exec : $all" "runc exec --env MORE=x: MORE=x $all" "runc exec --user 1000:1000: $all" \
    "crun exec : NAME=value PATH=/bin, /, files 1000, oom 0, groups 5 6" \
    "crun exec --env MORE=x: MORE=x, /, files 1000, oom 0, groups 5 6" \
    "crun exec --user 1000:1000: NAME=value PATH=/bin, /, files 1000, oom 0, groups"; do
    if ! grep -qxF -- "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
