#!/bin/bash
# One compose file, two environments: what a plain value of environment: becomes
#
# Versions: docker-compose 2.26.1-4, podman-compose 1.3.0-1 (Debian 13).
#
# Expected: a value without quotes reaches the program as it is written, or is refused; at least the two tools agree.
#
# Seen, of environment: {EXPONENT: 1e3, CLOCK: 12:30:45, OCTAL: 010, ANSWER: yes, PLUS: "${NAME:+set}"} with NAME set:
#   docker-compose: EXPONENT=1000, CLOCK=12:30:45, OCTAL=8, ANSWER=yes, PLUS=set.
#   podman-compose: EXPONENT=1e3, CLOCK=45045, OCTAL=8, ANSWER=True, PLUS=${NAME:+set}.
# docker-compose takes 1e3 for a number of YAML 1.2 and writes it anew; podman-compose takes a time of day for a number
# to the base of 60 and yes for a boolean, as YAML 1.1 has them, and leaves the form ${NAME:+…} as it is.
#
# Where it matters: whoever reads compose files can't take YAML's types for values of environment; their text has to be
# quoted by who writes them, and a build identifier like 1e3 or 12e4 is the one that is met in practice.
#
# Needs: root, mmdebstrap.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='docker-compose=2.26.1-4,podman-compose=1.3.0-1,podman,base-files,coreutils,dash' trixie "$tree"
mkdir -p "$tree/project" "$tree/proc" "$tree/dev"
cat >"$tree/project/compose.yaml" <<'YAML'
services:
  it:
    image: busybox
    environment: {EXPONENT: 1e3, CLOCK: 12:30:45, OCTAL: 010, ANSWER: yes, PLUS: "${NAME:+set}"}
YAML

# docker-compose shows what it has read, podman-compose the options of the podman run that it would call.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "$1" /bin/sh -c "
        cd /project && export NAME=x HOME=/project PATH=/usr/sbin:/usr/bin:/sbin:/bin
        docker-compose config >/docker; podman-compose --dry-run --verbose --podman-path /bin/true up -d 2>/podman"' - "$tree"
shown() { LC_ALL=C sort | tr '\n' ' '; }
{
    echo "docker: $(sed -nE 's/^ +([A-Z]+): "?([^"]*)"?$/\1=\2/p' "$tree/docker" | shown)"
    echo "podman: $(grep 'true run' "$tree/podman" | grep -oE -e '-e [A-Z]+=\S+' | cut -c4- | shown)"
} | tee "$tmp/out"

# shellcheck disable=SC2016 # a text of the file
for line in "docker: ANSWER=yes CLOCK=12:30:45 EXPONENT=1000 OCTAL=8 PLUS=set " \
    'podman: ANSWER=True CLOCK=45045 EXPONENT=1e3 OCTAL=8 PLUS=${NAME:+set} '; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
