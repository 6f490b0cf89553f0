#!/bin/bash
# podman import --change and podman commit --change read one and the same instruction differently
#
# Versions: podman 5.4.2+ds1-2+b2 (Debian 13).
#
# Expected: podman-import(1) and podman-commit(1) have the option --change for instructions of a Containerfile, with the
# same list of names; so each means what it means in a Containerfile.
#
# Seen: true of commit, which reads them as podman build does.  import takes what is behind the name as one value:
#   ENV A=1 B=2         one variable, "1 B=2"               commit, build: two variables
#   ENV A 1 2           a variable by the name "A 1 2"      A is "1 2"
#   ENV A='1 2'         the value has the quotes            it has none, of either kind; double ones import takes off too
#   ENV A=$HOME         a dollar sign and four letters      nothing, as no variable of that name is in the image
#   LABEL a=1 b=2       one label, "1 b=2"                  two labels
#   WORKDIR d           d                                   /d
# Each time the exit status is 0.  EXPOSE with two ports or a range import refuses.
#
# Where it matters: an image made of a tree (debootstrap, buildroot) with the lines of an old Containerfile, or of a
# container that was exported and is flattened that way.  B is not set, or the working directory is none.  One --change for
# each variable and label, written A=1 without single quotes, is read alike by both.
# What is known: containers/common's issue 1289, open, of import and a blank behind "ENV=".
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='podman=5.4.2+ds1-2+b2,base-files,dash,coreutils,sed,tar,jq' trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,tmp,work,root,etc/containers}
echo 'root:x:0:0::/root:/bin/sh' >"$tree/etc/passwd"
echo 'root:x:0:' >"$tree/etc/group"
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$tree/etc/containers/policy.json"
printf '[storage]\ndriver = "vfs"\nrunroot = "/work/run"\ngraphroot = "/work/graph"\n' >"$tree/etc/containers/storage.conf"
printf '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n' >"$tree/etc/containers/containers.conf"

cat >"$tree/show" <<'EOP'
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
cd /work
mkdir tree
tar -C tree -cf tree.tar .
podman import --quiet tree.tar base:1 >/said
podman create --quiet --name it base:1 /program >/said
# has IMAGE: the variables (but those that podman sets in all containers), labels and directory of an image
has() {
    podman image inspect "$1" | jq -c '.[0].Config |
        [(.Env // [])[] | select(startswith("PATH=") or startswith("container=") | not)],
        ((.Labels // {}) | del(."io.buildah.version")), .WorkingDir // "" ' | tr '\n' ' '
}
number=0
while read -r line; do
    number=$((number + 1))
    podman import --quiet --change "$line" tree.tar "imported:$number" >/said
    podman commit --quiet --change "$line" it "committed:$number" >/said
    printf 'FROM base:1\n%s\n' "$line" >Containerfile
    podman build --quiet --isolation chroot --file Containerfile --tag "built:$number" tree >/said
    for how in imported committed built; do echo "$line, $how: $(has "$how:$number")"; done
done <<'EOI'
ENV A=1 B=2
ENV A 1 2
ENV A='1 2'
ENV A="1 2"
ENV A=$HOME
LABEL a=1 b=2
WORKDIR d
EOI
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c '
    cd "$1" && mount --bind . . && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs tmp && mount -t tmpfs tmpfs work && mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup &&
    mount -t cgroup2 cgroup2 sys/fs/cgroup && exec chroot . sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
ENV A=1 B=2, imported: ["A=1 B=2"] {} "" 
ENV A=1 B=2, committed: ["A=1","B=2"] {} "/" 
ENV A=1 B=2, built: ["A=1","B=2"] {} "" 
ENV A 1 2, imported: ["A 1 2="] {} "" 
ENV A 1 2, committed: ["A=1 2"] {} "/" 
ENV A 1 2, built: ["A=1 2"] {} "" 
ENV A='1 2', imported: ["A='1 2'"] {} "" 
ENV A='1 2', committed: ["A=1 2"] {} "/" 
ENV A='1 2', built: ["A=1 2"] {} "" 
ENV A="1 2", imported: ["A=1 2"] {} "" 
ENV A="1 2", committed: ["A=1 2"] {} "/" 
ENV A="1 2", built: ["A=1 2"] {} "" 
ENV A=$HOME, imported: ["A=$HOME"] {} "" 
ENV A=$HOME, committed: ["A="] {} "/" 
ENV A=$HOME, built: ["A="] {} "" 
LABEL a=1 b=2, imported: [] {"a":"1 b=2"} "" 
LABEL a=1 b=2, committed: [] {"a":"1","b":"2"} "/" 
LABEL a=1 b=2, built: [] {"a":"1","b":"2"} "" 
WORKDIR d, imported: [] {} "d" 
WORKDIR d, committed: [] {} "/d" 
WORKDIR d, built: [] {} "/d" 
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
