#!/bin/bash
# systemd-vpick sees no file whose version has a "~" or a "^"
#
# Versions: systemd 257.13-1~deb13u1 (Debian 13).
#
# Expected: systemd.v(7): of the files in a .v/ directory the newest is taken, by the order of the version format specification.
# In that "~" and "^" are what the order is about: 11~rc1 is older than 11 and newer than 10, 11^1 newer than 11;
# "systemd-analyze compare-versions" says so.
#
# Seen, of x.raw.v/ with these files:
#   x_10.raw, x_11~rc1.raw     x_10.raw.        x_10.raw, x_11^1.raw     x_10.raw.
#   x_11~rc1.raw alone         "No matching version".
#   x_10.raw, x_11-1.raw       x_11-1.raw; so with 11.1 and 11_1.
# The files are passed over as if they were of another name, and there is no message.
#
# Where it matters: RootImage=, --image=, system extensions and portable services by .v directories: a release candidate, or a
# snapshot with the number of a commit behind "^", as RPM and Debian name them, is installed and never run.
# What is known: systemd's pull requests 41937 and 42815 of 2026, closed, and issue 28906, of sysupdate.
#
# Needs: root, mmdebstrap.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='systemd=257.13-1~deb13u1,base-files,dash,coreutils,grep' trixie "$tree"
mkdir -p "$tree"/{proc,work}

cat >"$tree/show" <<'EOP'
cd /work
for pair in '10 11~rc1' '11~rc1 11' '11 11^1' '10 11-1'; do
    # shellcheck disable=SC2086 # two words
    echo "versions: $(systemd-analyze compare-versions $pair)"
done
for versions in '10 11' '10 11~rc1' '11~rc1' '10 11^1' '10 11-1' '10 11.1' '10 11_1'; do
    rm -rf x.raw.v; mkdir x.raw.v
    for version in $versions; do : >"x.raw.v/x_$version.raw"; done
    echo "of $versions: $(systemd-vpick --suffix=.raw --print=path /work/x.raw.v 2>&1 | grep -oE '[^/]*\.raw$|^No matching version')"
done
EOP
chroot "$tree" sh /show | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
versions: 10 < 11~rc1
versions: 11~rc1 < 11
versions: 11 < 11^1
versions: 10 < 11-1
of 10 11: x_11.raw
of 10 11~rc1: x_10.raw
of 11~rc1: No matching version
of 10 11^1: x_10.raw
of 10 11-1: x_11-1.raw
of 10 11.1: x_11.1.raw
of 10 11_1: x_11_1.raw
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
