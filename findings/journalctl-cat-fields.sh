#!/bin/bash
# journalctl -o cat --output-fields=A,B,C: the values come in another order each time that it is run
#
# Versions: systemd 257.13-1~deb13u1 (Debian 13).
#
# Expected: `journalctl -o cat --output-fields=A,B,C` prints A, B and C of each entry, in the order in which they were asked for,
# or in that of the journal file; twice the same command, twice the same output.
#
# Seen, of one entry in one file: the values alone on their lines, in any of the six orders; 40 runs have at least three of them.
# The fields are kept in a hash table with a random key.  Of a field that the entry has twice, one value is printed, where
# -o json has both; of one that it has not, no line.
# -o verbose keeps the order of the file, and -o json has the names, in an order that changes as well.
#
# Where it matters: a script that reads two fields this way, `while read -r unit && read -r message`: it may be right for
# as long as it is tried, as all entries of one run have one order.  -o json with jq, or one field, is what works.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='systemd=257.13-1~deb13u1,systemd-journal-remote=257.13-1~deb13u1,base-files,dash,coreutils,grep' trixie "$tree"
mkdir -p "$tree"/{dev,proc,tmp}

cat >"$tree/show" <<'EOP'
set -eu
export TZ=UTC
cat >/entry <<'EOE'
__REALTIME_TIMESTAMP=1700000000000000
__MONOTONIC_TIMESTAMP=1
_BOOT_ID=0123456789abcdef0123456789abcdef
MESSAGE=text
A=a
B=b
C=c
TWICE=first
TWICE=second

EOE
/usr/lib/systemd/systemd-journal-remote -o /it.journal - </entry 2>/said
fields() { journalctl --quiet --file=/it.journal --no-pager --output-fields="$2" -o "$1"; }
for times in $(seq 40); do
    fields cat A,B,C | tr '\n' ' ' >>/orders
    echo >>/orders
done
[ "$(sort -u /orders | wc -l)" -ge 3 ] && echo "cat: another order each time"
echo "cat, all: $(fields cat C,A,B | sort | tr '\n' ' ')"
for times in $(seq 40); do fields verbose C,A,B | tail -n +2 | tr -d '\n' >>/verbose; echo >>/verbose; done
echo "verbose:$(sort -u /verbose | tr -s ' ')"
echo "cat, a field that is there twice: $(fields cat TWICE | tr '\n' ' ')"
echo "json: $(fields json TWICE | grep -o '"TWICE":[^]]*]')"
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c 'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
    exec chroot "$1" sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
cat: another order each time
cat, all: a b c 
verbose: A=a B=b C=c
cat, a field that is there twice: first 
json: "TWICE":["first","second"]
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
