#!/bin/bash
# What docker compose makes of a command that is written as one text
#
# Versions: docker-compose 2.26.1-4 (Debian 13).
#
# Expected: the text is taken apart at its blanks, or for a shell, or what can't be read is an error.
#
# Seen, in what `docker-compose config` shows:
#   command: serve --query a&b --port 80    is  serve --query a
#   command: migrate; serve                 is  migrate
#   command: log 2>&1                       is  log
#   command: log > /dev/null                is  log
# What follows ;, &, |, < or > outside of quotes is left out without a word, and so is a word of one digit before >.
#
# Where it matters: a service starts with fewer arguments than the file has, a URL with two parameters is the usual one;
# who reads compose files anew can't tell what their writers have come to rely on. A list is taken as it stands.
#
# Needs: root, mmdebstrap.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='docker-compose=2.26.1-4,base-files,coreutils,dash' trixie "$tree"
mkdir -p "$tree/project"
cat >"$tree/project/compose.yaml" <<'YAML'
services:
  address: {image: busybox, command: "serve --query a&b --port 80"}
  shell: {image: busybox, command: "migrate; serve"}
  streams: {image: busybox, command: "log 2>&1"}
  away: {image: busybox, command: "log > /dev/null"}
YAML

chroot "$tree" /bin/sh -c 'cd /project && HOME=/project docker-compose config --format json' >"$tmp/config"
python3 - "$tmp/config" <<'PYTHON' | tee "$tmp/out"
import json, sys
for name, service in sorted(json.load(open(sys.argv[1]))["services"].items()):
    print(f"{name}: {' '.join(service['command'])}")
PYTHON

for line in "address: serve --query a" "away: log" "shell: migrate" "streams: log"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
