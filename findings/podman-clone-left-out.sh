#!/bin/bash
# podman container clone: the copy runs as another user, in another directory, with other capabilities and limits
#
# Versions: podman 5.4.2+ds1-2+b2, crun 1.21-1 (Debian 13).
#
# Expected: podman-container-clone(1): it creates a copy of a container, recreated with an identical configuration; the options
# are for what shall differ.
#
# Seen, of one container and its clone, by `podman inspect`:
#   kept        environment that was set, command, entrypoint, labels, the limit of memory, what is mounted.
#   not kept    user, directory, capabilities, a root file system that is read-only, limits of resources (ulimit), umask,
#               stop signal and time, annotations, health check, name servers, hosts, --init, and the OOM score; each of them is
#               the image's, or podman's default.
#   --unsetenv  the variable of the image is there again.
# The exit status is 0, and nothing is said.
#
# Where it matters: podman has clone for "the same with another limit", as a container can't be changed.  Of a service that
# runs as a user, what the clone writes into the volume belongs to root, and at the next change the old one can't read it.
# What is known: podman's issues 15242, of variables, and 21630, of the health check, both open.
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
export STORAGE_DRIVER=vfs TMPDIR=/tmp HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
tar -C /it -cf /it.tar .
{
    podman import --quiet --change 'ENV OF_IMAGE=1' /it.tar localhost/it
    podman create --name one --network none --user 3:4 --workdir /tmp --cap-drop all --cap-add chown --read-only \
        --ulimit nofile=10:20 --umask 0077 --stop-signal USR1 --stop-timeout 7 --annotation noted=1 --health-cmd true \
        --oom-score-adj 5 --env A=1 --unsetenv OF_IMAGE --label l=1 --memory 100m --tmpfs /t:size=1m \
        --init --entrypoint '["echo"]' localhost/it text
    podman container clone one two
} >/said
# both TITLE FORMAT: of the container and of its clone
both() {
    one=$(podman inspect --format "$2" one) two=$(podman inspect --format "$2" two)
    if [ "$one" = "$two" ]; then echo "$1: $one, kept"; else echo "$1: $one, clone: $two"; fi
}
both user '{{.Config.User}}'
both directory '{{.Config.WorkingDir}}'
both capabilities '{{len .EffectiveCaps}} {{len .BoundingCaps}}'
both read-only '{{.HostConfig.ReadonlyRootfs}}'
both ulimits '{{len .HostConfig.Ulimits}}'
both umask '{{.Config.Umask}}'
both "stop" '{{.Config.StopSignal}} {{.Config.StopTimeout}}'
both annotation '{{index .Config.Annotations "noted"}}'
both "health check" '{{if .Config.Healthcheck}}yes{{else}}no{{end}}'
both "OOM score" '{{.HostConfig.OomScoreAdj}}'
both init '{{.HostConfig.Init}}'
both "A" '{{range .Config.Env}}{{if eq . "A=1"}}{{.}}{{end}}{{end}}'
both "of the image" '{{range .Config.Env}}{{if eq . "OF_IMAGE=1"}}{{.}}{{end}}{{end}}'
both label '{{index .Config.Labels "l"}}'
both memory '{{.HostConfig.Memory}}'
both tmpfs '{{len .HostConfig.Tmpfs}}'
both entrypoint '{{.Config.Entrypoint}}'
both command '{{.Config.Cmd}}'
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
user: 3:4, clone: 
directory: /tmp, clone: /
capabilities: 1 1, clone: 11 11
read-only: true, clone: false
ulimits: 1, clone: 0
umask: 0077, clone: 0022
stop: SIGUSR1 7, clone: SIGTERM 10
annotation: 1, clone: 
health check: yes, clone: no
OOM score: 5, clone: 0
init: true, clone: false
A: A=1, kept
of the image: , clone: OF_IMAGE=1
label: 1, kept
memory: 104857600, kept
tmpfs: 1, kept
entrypoint: [echo], kept
command: [text], kept
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
