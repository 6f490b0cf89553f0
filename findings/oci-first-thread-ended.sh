#!/bin/bash
# A program whose first thread has ended is "stopped" for runtimes, and goes on when its container is deleted
#
# Versions: runc 1.1.15+ds1-2+b4, crun 1.21-1, Python 3.13 (Debian 13).
#
# Expected: a container is stopped when its process has exited, which is when its last thread has.  A main() that ends
# by pthread_exit(3) leaves a program that runs, as its manual page says.
#
# Seen: /proc/PID/stat has state Z then, and both runtimes take that for an exit: `state` says stopped, `kill` that
# it does not run.  `delete` cannot remove the cgroup, complains of it, exits 0 and forgets the container; the program goes
# on, in a cgroup that belongs to no container.  The number of threads in the same line of /proc, 2, would tell.
#
# Where it matters: an engine that believes `delete` gives the name, addresses and volumes of a program that goes on to the
# next container.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree
box=finding-$$

mmdebstrap --quiet --variant=extract \
    --include='runc=1.1.15+ds1-2+b4,crun=1.21-1,python3,base-files,dash,coreutils,grep,mount' trixie "$tree"
bundle=$tree/bundle
mkdir -p "$bundle"/rootfs/{dev,out,proc,sys,usr} "$tree"/{dev,out,proc,run,sys}
for name in bin lib lib64; do ln -s "usr/$name" "$bundle/rootfs/$name"; done
cat >"$tree/out/program" <<'EOP'
import ctypes, threading, time

def go_on():
    for turn in range(10_000):
        with open("/out/turns", "a") as file:
            file.write("x")
        time.sleep(0.05)

threading.Thread(target=go_on).start()
ctypes.CDLL(None).syscall(60, 0)  # exit(2) of this thread, as of pthread_exit(3)
EOP
for runtime in runc crun; do
    cat >"$bundle/$runtime" <<EOP
{
  "ociVersion": "1.0.0",
  "process": {"args": ["/usr/bin/python3", "/out/program"], "cwd": "/", "user": {"uid": 0, "gid": 0}},
  "root": {"path": "rootfs"},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]},
    {"destination": "/out", "type": "bind", "source": "/out", "options": ["rbind"]},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}
  ],
  "linux": {
    "cgroupsPath": "/$box-$runtime",
    "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}]
  }
}
EOP
done

cat >"$tree/show" <<'EOP'
# grows: whether the program writes
grows() {
    before=$(wc -c </out/turns)
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        sleep 0.2
        [ "$(wc -c </out/turns)" -gt "$before" ] && echo "goes on" && return
    done
    echo "has ended"
}
for runtime in runc crun; do
    cp /bundle/$runtime /bundle/config.json
    : >/out/turns
    $runtime create --bundle /bundle it >/dev/null 2>&1 </dev/null
    $runtime start it
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        [ -s /out/turns ] && $runtime state it | grep -q '"stopped"' && break
        sleep 0.2
    done
    $runtime state it | grep -q '"stopped"' && state=stopped || state=other
    $runtime delete it 2>/dev/null
    status=$?
    $runtime state it >/dev/null 2>&1 && known=known || known=forgotten
    echo "$runtime: $state, delete exits $status, $known, the program $(grows)"
    echo 1 >/sys/fs/cgroup/$1-$runtime/cgroup.kill
done
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup
    unshare --mount --pid --fork --kill-child sh -c "mount -t proc proc proc && exec chroot . sh /show $2"
    rmdir sys/fs/cgroup/$2-runc sys/fs/cgroup/$2-crun' - "$tree" "$box" | tee "$tmp/out"

for runtime in runc crun; do
    if ! grep -qxF "$runtime: stopped, delete exits 0, forgotten, the program goes on" "$tmp/out"; then
        echo "CHANGED: $runtime does otherwise"
        exit 1
    fi
done
echo "as described"
