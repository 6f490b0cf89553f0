#!/bin/bash
# podman: of two label!= filters, containers and volumes need to lack one of the labels, networks and images both
#
# Versions: podman 5.4.2+ds1-2+b2 (Debian 13).
#
# Expected: each --filter leaves fewer.  podman-volume-ls(1) and podman-ps(1): "Filters with the same key work inclusive, with
# the only exception being label which is exclusive"; podman-volume-prune(1): label!= "removes volumes without the
# specified labels".  Without labels a and b is without a and without b.
#
# Seen, with one of each kind that has the label a, one that has b, one that has both and one that has neither:
#                                        containers and volumes    networks and images
#   --filter label=a --filter label=b    both                      both
#   --filter label!=a                    b, neither                b, neither
#   --filter label!=a --filter label!=b  a, b, neither             neither
# The second filter brings back, of containers and volumes, those that the first one left out: it is "not (a and b)" there.
# So it is with what `container prune` and `volume prune` remove.
#
# Where it matters: `podman volume prune --filter label!=keep --filter label!=backup` deletes the volumes that have one of
# the two labels alone, with what is in them.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='podman=5.4.2+ds1-2+b2,crun=1.21-1,catatonit=0.2.1-2+b14'
mmdebstrap --quiet --variant=extract --include="$packages,base-files,dash,coreutils,grep,tar" trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,tmp,mnt,etc/containers,it}
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$tree/etc/containers/policy.json"
echo 'root:x:0:0::/root:/bin/sh' >"$tree/etc/passwd"
echo 'root:x:0:' >"$tree/etc/group"

cat >"$tree/show" <<'EOP'
set -eu
export STORAGE_DRIVER=vfs HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
tar -C /it -cf /it.tar .
# make NAME LABEL...: one of each kind
make() {
    name=$1; shift
    options= changes=
    for label in "$@"; do options="$options --label $label=1" changes="$changes --change LABEL=$label=1"; done
    podman import --quiet $changes /it.tar "localhost/$name"
    podman create --network none $options --name "$name" "localhost/$name" sh
    podman volume create $options "$name"
    podman network create $options "$name"
}
{ make a a; make b b; make both a b; make neither; } >/said
names() { sort | tr '\n' ' '; }
for filters in 'label=a label=b' 'label!=a' 'label!=a label!=b'; do
    options=
    for filter in $filters; do options="$options --filter $filter"; done
    echo "containers, $filters: $(podman ps --all $options --format '{{.Names}}' | names)"
    echo "volumes, $filters: $(podman volume ls $options --format '{{.Name}}' | names)"
    echo "networks, $filters: $(podman network ls $options --format '{{.Name}}' | grep -v podman | names)"
    echo "images, $filters: $(podman images $options --format '{{.Repository}}' | cut -d/ -f2 | names)"
done
podman container prune --force $options >/said
echo "after prune: containers $(podman ps --all --format '{{.Names}}' | names)"
podman volume prune --force $options >/said
echo "after prune: volumes $(podman volume ls --format '{{.Name}}' | names)"
EOP
cat >"$tree/start" <<'EOP'
umount mnt && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run && mount -t tmpfs tmpfs sys &&
    mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup && exec chroot . sh /show
EOP

# In a cgroup and in namespaces of its own: podman makes cgroups that it shares with others.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t cgroup2 cgroup2 mnt && mkdir -p mnt/$2/below &&
    (echo 0 >mnt/$2/cgroup.procs && exec unshare --cgroup sh -c "
        echo 0 >mnt/$2/below/cgroup.procs && exec unshare --net --pid --fork --kill-child sh start")
    mount -t cgroup2 cgroup2 mnt
    find mnt/$2 -depth -type d -exec rmdir {} +' - "$tree" "finding-$$" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
containers, label=a label=b: both 
volumes, label=a label=b: both 
networks, label=a label=b: both 
images, label=a label=b: both 
containers, label!=a: b neither 
volumes, label!=a: b neither 
networks, label!=a: b neither 
images, label!=a: b neither 
containers, label!=a label!=b: a b neither 
volumes, label!=a label!=b: a b neither 
networks, label!=a label!=b: neither 
images, label!=a label!=b: neither 
after prune: containers both 
after prune: volumes both 
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
