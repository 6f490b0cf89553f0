#!/bin/bash
# systemd-tmpfiles --root: a line's owner is looked up in the tree, the names of its access list on the host
#
# Versions: systemd 257.13-1~deb13u1, acl 2.3.2-2+b1 (Debian 13).
#
# Expected: with --root=, users and groups are those of the /etc/passwd and /etc/group "inside the alternate root", says
# systemd-tmpfiles(8), and nothing else is asked.
#
# Seen: true of the columns for user and group.  The names in a line of type a or A are looked up by libacl, with the
# databases of the system that runs systemd-tmpfiles.  Of a user "app" who is 1500 in the tree:
#   the host has an "app", of 1700   the directory belongs to 1500, and the access list has 1700, who is somebody else there.
#   the host has none                "Failed to parse ACL ..., ignoring", no access list, and exit status 0.
# With the number in the place of the name, it is right in both.
#
# Where it matters: images that are built on another system than the one they are for, with packages whose lines have
# access lists (the journal's own are for the group adm).  The image boots, and lacks the access, or gives it to another.
# What is known: systemd's issue 31865, open.
#
# Needs: root, mmdebstrap, access lists on the file system of the temporary folder.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
host=$tmp/host

mmdebstrap --quiet --variant=extract \
    --include='systemd=257.13-1~deb13u1,acl=2.3.2-2+b1,base-files,dash,coreutils,grep' trixie "$host"
mkdir -p "$host"/image/etc/tmpfiles.d "$host"/{dev,proc}
: >"$host/dev/null"
printf 'root:x:0:0::/:/bin/sh\napp:x:1500:1500::/:/bin/sh\n' >"$host/image/etc/passwd"
printf 'root:x:0:\napp:x:1500:\n' >"$host/image/etc/group"
cat >"$host/image/etc/tmpfiles.d/it.conf" <<'EOP'
d /srv/it 0750 app app
a /srv/it - - - - user:app:rwx
d /srv/number 0750 app app
a /srv/number - - - - user:1500:rwx
EOP

cat >"$host/show" <<'EOP'
# create TITLE [LINE]: what the image gets on a host with this line in its passwd
create() {
    rm -rf /image/srv
    printf 'root:x:0:0::/:/bin/sh\n%s\n' "$2" >/etc/passwd
    echo 'root:x:0:' >/etc/group
    status=0; systemd-tmpfiles --root=/image --create 2>/said || status=$?
    echo "$1: exit $status"
    grep 'parse ACL' /said
    for name in it number; do
        list=$(getfacl --numeric --omit-header --absolute-names /image/srv/$name | grep '^user:[0-9]' || echo none)
        echo "$1, $name: owner $(stat -c %u /image/srv/$name), access list $list"
    done
}
create "host has another app" 'app:x:1700:1700::/:/bin/sh'
create "host has none" ''
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c 'mount -t proc proc "$1/proc" &&
    mount --bind /dev/null "$1/dev/null" && exec chroot "$1" sh /show' - "$host" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
host has another app: exit 0
host has another app, it: owner 1500, access list user:1700:rwx
host has another app, number: owner 1500, access list user:1500:rwx
host has none: exit 0
Failed to parse ACL "user:app:rwx", ignoring: Invalid argument
host has none, it: owner 1500, access list none
host has none, number: owner 1500, access list user:1500:rwx
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
