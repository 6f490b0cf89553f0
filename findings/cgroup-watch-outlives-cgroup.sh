#!/bin/bash
# inotify never says that a cgroup is gone, and the watch stays
#
# Versions: Linux 6.18 (the running kernel is shown), inotify-tools 4.23.9.0-2+b1 (Debian 13).
#
# Expected: watching cgroup.events is the documented way to learn that a cgroup has become empty, so a watch should
# also end as on other file systems when the cgroup is removed: IN_DELETE_SELF, then IN_IGNORED.
#
# Seen: the change of cgroup.events is reported, but rmdir of the cgroup is not, neither on its files nor on its
# directory.  The watch stays in the instance (shown by fdinfo) for a file that no longer exists, and goes on to count
# against max_user_watches; a new cgroup of the same name is another file and is not reported either.  Only a watch on
# the parent directory tells.  On tmpfs the same steps give the two events at once.
#
# Where it matters: a supervisor that waits for the end of a cgroup which somebody else removes (systemd does, as soon
# as a unit is inactive) waits for ever if the last change of cgroup.events was before its watch; one that adds a
# watch for each cgroup and relies on IN_IGNORED leaks watches.
#
# Needs: root, mmdebstrap, unshare, cgroup2 in the kernel.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='inotify-tools=4.23.9.0-2+b1,base-files,dash,coreutils,grep,mount' trixie "$tree"
mkdir -p "$tree/proc" "$tree/dev"
: >"$tree/dev/null"

cat >"$tree/show" <<'EOF'
set -eu
box=finding-$(cut -c1-8 /proc/sys/kernel/random/uuid)
mkdir /cgroups /memory
mount -t cgroup2 cgroup2 /cgroups
mount -t tmpfs tmpfs /memory
trap 'rmdir "/cgroups/$box" 2>/dev/null || :' EXIT

# watch NAME PATH…: waits for an event, of the file itself or of the watch, for 3 s
watch() {
    name=$1; shift
    inotifywait --quiet --timeout 3 --format '%e' --event modify,delete_self,move_self,unmount "$@" >"/$name" & pid=$!
    sleep 1
}
result() {
    status=0; wait $pid || status=$?
    [ $status = 2 ] && echo "$1: nothing" || echo "$1: $(head -n 1 "/$name")"
}

mkdir "/cgroups/$box"
sleep 60 & process=$!
echo $process >"/cgroups/$box/cgroup.procs"
watch a "/cgroups/$box/cgroup.events"; kill $process; result "the last process ends, cgroup.events"
wait $process || :
watch b "/cgroups/$box/cgroup.events"; rmdir "/cgroups/$box"
echo "watches after rmdir: $(grep -c ^inotify "/proc/$pid/fdinfo/3")"
result "rmdir, cgroup.events"
mkdir "/cgroups/$box"
watch c "/cgroups/$box"; rmdir "/cgroups/$box"; mkdir "/cgroups/$box"; result "rmdir and mkdir, the directory"
rmdir "/cgroups/$box"

mkdir /memory/box; : >/memory/box/file
watch d /memory/box/file; rm /memory/box/file; result "tmpfs, rm of the file"
watch e /memory/box; rmdir /memory/box; result "tmpfs, rmdir of the directory"
EOF

echo "Linux $(uname -r | cut -d. -f1,2)"
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child \
    sh -c 'mount -t proc proc "$1/proc" && mount --bind /dev/null "$1/dev/null" && chroot "$1" sh /show' - "$tree" |
    tee "$tmp/out"

for line in "the last process ends, cgroup.events: MODIFY" "watches after rmdir: 1" "rmdir, cgroup.events: nothing" \
    "rmdir and mkdir, the directory: nothing" "tmpfs, rm of the file: DELETE_SELF" \
    "tmpfs, rmdir of the directory: DELETE_SELF"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
