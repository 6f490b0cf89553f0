#!/bin/bash
# Root of a user namespace loses a file's set-user-ID bit by writing to it, with CAP_FSETID
#
# Versions: Linux 6.18 (the running kernel is shown), coreutils 9.7-3 (Debian 13).
#
# Expected: capabilities(7) has CAP_FSETID for "don't clear set-user-ID and set-group-ID mode bits when a file is
# modified", and user_namespaces(7) that capabilities hold over what the namespace governs, as files whose owners it
# maps.  Root of a user namespace, with all capabilities there, keeps them then, as the host's root does.
#
# Seen: the host's root keeps the bit when it writes.  Root of a user namespace does not, on its own file, though the
# kernel shows CAP_FSETID as effective.
#
# Where it matters: whoever fills files after their modes are set (rsync --inplace, a restore, deltas) has other modes
# without root than with it, and no error says so.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree
chmod 755 "$tmp"

mmdebstrap --quiet --variant=extract --include='coreutils=9.7-3,base-files,dash,grep' trixie "$tree"

cat >"$tree/show" <<'END'
cd /tmp
rm -f own
echo before >own; chmod 4755 own; echo more >>own
echo "$1: $(grep CapEff /status | cut -f2) written $(stat -c %a own)"
END

cat >"$tmp/run" <<'END'
grep CapEff /proc/self/status >"$1/status"
chroot "$1" sh /show "$2"
END

uname -r
sh "$tmp/run" "$tree" host | tee "$tmp/said"
unshare --map-root-user sh "$tmp/run" "$tree" namespace | tee -a "$tmp/said"

grep -q '^host: .* written 4755$' "$tmp/said"
# CAP_FSETID is bit 4.
grep -q "^namespace: [0-9a-f]*[13579bdf][0-9a-f] written 755\$" "$tmp/said"
