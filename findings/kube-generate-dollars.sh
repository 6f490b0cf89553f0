#!/bin/bash
# podman kube generate, and kube play: a command with $$ or $(…) comes back as another one
#
# Versions: podman 5.4.2+ds1-2+b2, crun 1.21-1, catatonit 0.2.1-2+b14, busybox-static 1:1.37.0-6+b9 (Debian 13).
#
# Expected: the pod that `podman kube play` makes of what `podman kube generate` wrote has the command of the container.
#
# Seen: in a pod's command and args, $(NAME) stands for a variable of the pod and $$ for one $, and kube play reads them so.
# kube generate writes the words of the container as they are, and doesn't double a $.  Of
#   sh -c 'echo $$ $(date)', with --env date=today
# the pod has sh -c 'echo $ today'; the shell never sees its $$ nor its $(date).  A $(…) that isn't the name of a variable is
# left alone, so most commands work.  Both exit 0 without a warning.
# In the values of env: neither is done by kube play: "$(NAME)/x" stays, and "$$" stays two, where Kubernetes' reference
# has the same rules for both.
#
# Where it matters: containers that are carried to another machine as a pod.  A $$ in a file name for a process id, or in a
# regular expression, is lost when they are.  What is known: podman's issue 24181 asks for the values of env.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='podman=5.4.2+ds1-2+b2,crun=1.21-1,catatonit=0.2.1-2+b14,busybox-static=1:1.37.0-6+b9'
mmdebstrap --quiet --variant=extract --include="$packages,base-files,dash,coreutils,grep,tar" trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,tmp,mnt,etc/containers,it/bin}
cp "$tree/usr/bin/busybox" "$tree/it/bin/sh"
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$tree/etc/containers/policy.json"
echo 'root:x:0:0::/root:/bin/sh' >"$tree/etc/passwd"
echo 'root:x:0:' >"$tree/etc/group"

cat >"$tree/show" <<'EOP'
set -eu
export STORAGE_DRIVER=vfs HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
tar -C /it -cf /it.tar .
podman import --quiet /it.tar localhost/it >/said
# what CONTAINER: its command and its variables of this test
what() {
    podman inspect --format '{{json .Config.Entrypoint}} {{json .Config.Cmd}}' "$1"
    podman inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$1" | grep -E '^(date|VALUE)=' | sort
}
podman create --name it --network host --env date=today --env 'VALUE=$(date) $$' --entrypoint '["sh", "-c"]' localhost/it \
    'echo $$ $(date) $(id)' >/said
what it
podman kube generate it >/it.yaml
podman rm it >/said
status=0; podman kube play --start=false /it.yaml >/said || status=$?
echo "played: exit $status"
what it-pod-it
EOP
cat >"$tree/start" <<'EOP'
umount mnt && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run && mount -t tmpfs tmpfs sys &&
    mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup && exec chroot . sh /show
EOP

# In a cgroup and in namespaces of its own: podman makes cgroups that it shares with others.  Its processes are in one below
# the namespace's, so that podman can turn on controllers there.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t cgroup2 cgroup2 mnt && mkdir -p mnt/$2/below &&
    (echo 0 >mnt/$2/cgroup.procs && exec unshare --cgroup sh -c "
        echo 0 >mnt/$2/below/cgroup.procs && exec unshare --net --pid --fork --kill-child sh start")
    mount -t cgroup2 cgroup2 mnt
    find mnt/$2 -depth -type d -exec rmdir {} +' - "$tree" "finding-$$" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
["sh","-c"] ["echo $$ $(date) $(id)"]
VALUE=$(date) $$
date=today
played: exit 0
["sh","-c"] ["echo $ today $(id)"]
VALUE=$(date) $$
date=today
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
