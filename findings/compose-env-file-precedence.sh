#!/bin/bash
# ${BASE} in an env_file: which BASE it is depends on whether it was set in the same file or in the one before
#
# Versions: docker-compose 2.26.1-4, podman-compose 1.3.0-1 with python3-dotenv 1.0.1-1 (Debian 13).
#
# Expected: a line of an env_file sees what was set before it, by the same rule whether that was a line or a file before;
# what the container's BASE is, is what its URL is made of.
#
# Seen, of env_file: [first.env, second.env], where first.env has BASE=file and URL1=${BASE}/1, second.env has
# URL2=${BASE}/2, and the tools run with BASE=shell in their environment:
#   docker-compose: BASE=file, URL1=shell/1, URL2=file/2.  The environment is before the same file's own line, and behind
#                   the file before.  A BASE in the project's .env does the same as one of the environment.
#   podman-compose: BASE=file, URL1=file/1, URL2=shell/2.  The reverse.
#
# Where it matters: two lines below each other, BASE=… and URL=${BASE}/…, may disagree in the container, as soon as
# somebody has a variable of that name.  Whoever reads such files for others has to choose, and to say what it chose.
#
# Needs: root, mmdebstrap.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='docker-compose=2.26.1-4,podman-compose=1.3.0-1,python3-dotenv=1.0.1-1,podman,base-files,coreutils,dash' \
    trixie "$tree"
mkdir -p "$tree/project" "$tree/proc" "$tree/dev"
cat >"$tree/project/compose.yaml" <<'YAML'
services:
  it:
    image: busybox
    env_file: [first.env, second.env]
YAML
# shellcheck disable=SC2016 # texts of the files
printf '%s\n' 'BASE=file' 'URL1=${BASE}/1' >"$tree/project/first.env"
# shellcheck disable=SC2016
printf '%s\n' 'URL2=${BASE}/2' >"$tree/project/second.env"

# docker-compose shows what it has read, podman-compose the options of the podman run that it would call.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "$1" /bin/sh -c "
        cd /project && export HOME=/project PATH=/usr/sbin:/usr/bin:/sbin:/bin
        BASE=shell docker-compose config >/docker
        BASE=shell podman-compose --dry-run --verbose --podman-path /bin/true up -d 2>/podman
        echo BASE=dotenv >.env && docker-compose config >/dotenv"' - "$tree"
shown() { LC_ALL=C sort | tr '\n' ' '; }
read_by_docker() { sed -nE 's/^ +([A-Z0-9]+): "?([^"]*)"?$/\1=\2/p' "$1" | shown; }
{
    echo "docker: $(read_by_docker "$tree/docker")"
    echo "docker, .env: $(read_by_docker "$tree/dotenv")"
    echo "podman: $(grep 'true run' "$tree/podman" | grep -oE -e '-e [A-Z0-9]+=\S+' | cut -c4- | shown)"
} | tee "$tmp/out"

for line in "docker: BASE=file URL1=shell/1 URL2=file/2 " "docker, .env: BASE=file URL1=dotenv/1 URL2=file/2 " \
    "podman: BASE=file URL1=file/1 URL2=shell/2 "; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
