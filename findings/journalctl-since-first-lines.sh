#!/bin/bash
# journalctl -n 2 shows the first two lines where there is --since, and not the last ones
#
# Versions: systemd 252.39-1~deb12u2 (Debian 12), 257.13-1~deb13u1 (Debian 13).
#
# Expected: -n, --lines: "Show the most recent journal events and limit the number of events shown".
#
# Seen, of five lines that are all later than --since: systemd 252 begins at the time of --since and counts from there, so
# -n 2 shows lines 1 and 2.  Without --since it shows 4 and 5, and with --reverse 5 and 4.  systemd 257 shows the last
# ones in all cases.
#
# Where it matters: "the last errors of this day" are the first ones, of which one does not see that they are; the same
# command shows other lines after an upgrade.  With --reverse they are the last ones in both.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/show" <<'EOF'
set -eu
for number in 1 2 3 4 5; do
    printf '__REALTIME_TIMESTAMP=170000000%s000000\n__MONOTONIC_TIMESTAMP=%s\n' $number $number
    printf '_BOOT_ID=00000000000000000000000000000001\n_MACHINE_ID=00000000000000000000000000000002\nMESSAGE=%s\n\n' $number
done | /lib/systemd/systemd-journal-remote --output=/it.journal - 2>/dev/null
lines() {
    what=$1; shift
    echo "$what: $(journalctl --file=/it.journal --output=cat --quiet --lines=2 "$@" | tr '\n' ' ')"
}
lines "all"
lines "since" --since=@1700000000
lines "since, reverse" --since=@1700000000 --reverse
EOF

for release in "bookworm 252.39-1~deb12u2" "trixie 257.13-1~deb13u1"; do
    name=${release% *} version=${release#* } tree=$tmp/${release% *}
    mmdebstrap --quiet --variant=extract \
        --include="systemd=$version,systemd-journal-remote=$version,base-files,dash,coreutils" "$name" "$tree"
    mkdir -p "$tree"/{dev,proc}
    : >"$tree/dev/null"
    cp "$tmp/show" "$tree/show"
    # shellcheck disable=SC2016 # for the inner shell
    unshare --mount --pid --fork --kill-child sh -c 'mount -t proc proc "$1/proc" &&
        mount --bind /dev/null "$1/dev/null" && chroot "$1" sh /show' - "$tree" | sed "s/^/${version%%.*}, /"
done | tee "$tmp/out"

for line in "252, all: 4 5 " "252, since: 1 2 " "252, since, reverse: 5 4 " \
    "257, all: 4 5 " "257, since: 4 5 " "257, since, reverse: 5 4 "; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
