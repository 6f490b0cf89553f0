#!/bin/bash
# buildah config --env: a variable that the configuration has not becomes its own name, and the exit status is 0
#
# Versions: buildah 1.39.3+ds1-1+b7 (Debian 13).
#
# Expected: buildah-config(1) says nothing of variables in a value: `--env A='$B'` is the text $B; or it is as ENV of a
# Containerfile: the value, and nothing for a variable that isn't set.
#
# Seen, of a container from scratch whose configuration has A=1, in a shell with NO=host:
#                         buildah config      ENV of a Containerfile
#   --env 'B=$A/x'        B=1/x               the same
#   --env 'P=/x:$NO'      P=/x:NO             P=/x:
#   --env 'R=${X:-def}'   R=X:-def            R=def
#   --env 'S=\$A'         S=\1                S=$A
#   --env 'U=5$1'         U=51                U=5
#   --label 'L=$A'        L=$A; so with --user and --workingdir
# With each name there is a line "error expanding variable", and the exit status is 0.  From scratch there is no PATH either:
# --env 'PATH=/x:$PATH' is /x:PATH.
#
# Where it matters: steps of a Containerfile turned into buildah commands, and values with a $ (passwords, `$1` of nginx).  In
# a script with set -e it goes on, with an image whose PATH has a directory "PATH".
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='buildah=1.39.3+ds1-1+b7,crun=1.21-1,netavark,base-files,dash,coreutils,jq' trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,tmp,etc/containers}
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$tree/etc/containers/policy.json"
echo 'root:x:0:0::/root:/bin/sh' >"$tree/etc/passwd"
echo 'root:x:0:' >"$tree/etc/group"

cat >"$tree/show" <<'EOP'
export STORAGE_DRIVER=vfs NO=host HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin BUILDAH_ISOLATION=chroot
env() { buildah inspect "$1" | jq -r '.OCIv1.config.Env // [] | map(select(test("^(A|PATH)=") | not)) | join(" ")'; }
for value in 'B=$A/x' 'P=/x:$NO' 'R=${X:-def}' 'S=\$A' 'U=5$1'; do
    container=$(buildah from scratch)
    buildah config --env A=1 "$container"
    status=0; buildah config --env "$value" "$container" 2>/said || status=$?
    printf "%s\n" "config $value: $(env "$container"), exit $status, lines of errors $(wc -l </said)"
    printf 'FROM scratch\nENV A=1\nENV %s\n' "$value" | buildah build --quiet --tag it -f - /tmp >/said 2>&1
    printf "%s\n" "ENV $value: $(env "$(buildah from --pull-never it)")"
done
buildah config --label 'L=$A' --user '$A' --workingdir '/$A' "$container"
buildah inspect "$container" | jq -r '.OCIv1.config | "others: \(.Labels.L) \(.User) \(.WorkingDir)"'
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs sys && exec chroot . sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
config B=$A/x: B=1/x, exit 0, lines of errors 0
ENV B=$A/x: B=1/x
config P=/x:$NO: P=/x:NO, exit 0, lines of errors 1
ENV P=/x:$NO: P=/x:
config R=${X:-def}: R=X:-def, exit 0, lines of errors 1
ENV R=${X:-def}: R=def
config S=\$A: S=\1, exit 0, lines of errors 0
ENV S=\$A: S=$A
config U=5$1: U=51, exit 0, lines of errors 1
ENV U=5$1: U=5
others: $A $A /$A
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
