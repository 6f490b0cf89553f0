#!/bin/bash
# systemd-sysusers: a user gets another number than its line has, because a group has that number; exit 0
#
# Versions: systemd 257.13-1~deb13u1 (Debian 13).
#
# Expected: sysusers.d(5): `u name 500` makes a user with UID 500, if no user has it.  Numbers of users and of groups are two
# spaces: a group 500 of another name is nothing to it; or else it is an error, and the exit status says so.
#
# Seen, in an empty tree:
#   u it 500                       UID 500.
#   u it 500 and g other 500       UID 999, of the dynamic range, and "Suggested user ID 500 for it already used."; exit 0.
#                                  So it is with both orders of the lines, and with a group that was there before.
#   u it 500:other, g other 500    UID 500, with that group.
#
# Where it matters: a number that is written down, since files of an image or a volume belong to it: one package more, whose group
# happens to have that number, and a new installation has another UID, in each image perhaps another one.  The exit status
# tells nothing; a line with its group, as `500:other`, is what holds.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='systemd=257.13-1~deb13u1,base-files,dash,coreutils,grep' trixie "$tree"
mkdir -p "$tree"/{dev,proc,tmp}

cat >"$tree/show" <<'EOP'
# made TITLE GROUPS LINE...: the user of these lines, in a tree with these groups
made() {
    title=$1 groups=$2; shift 2
    rm -rf /root-tree; mkdir -p /root-tree/etc
    [ -z "$groups" ] || echo "$groups" >/root-tree/etc/group
    printf '%s\n' "$@" >/lines.conf
    status=0; systemd-sysusers --root=/root-tree /lines.conf >/said 2>&1 || status=$?
    said=; grep -q 'already used' /said && said=', already used'
    echo "$title: exit $status, $(grep '^it:' /root-tree/etc/passwd | cut -d: -f3,4)$said"
}
made "user alone" "" 'u it 500'
made "user, group" "" 'u it 500' 'g other 500'
made "group, user" "" 'g other 500' 'u it 500'
made "group that is there" "other:x:500:" 'u it 500'
made "user of the group" "" 'u it 500:other' 'g other 500'
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c 'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
    exec chroot "$1" sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
user alone: exit 0, 500:500
user, group: exit 0, 999:999, already used
group, user: exit 0, 999:999, already used
group that is there: exit 0, 999:999, already used
user of the group: exit 0, 500:500
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
