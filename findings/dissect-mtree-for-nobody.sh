#!/bin/bash
# What systemd-dissect --mtree writes, no mtree reads
#
# Versions: systemd-container 257.13-1~deb13u1, mtree-netbsd 20180822-9, libarchive-tools 3.7.4-4+deb13u1 (Debian 13).
#
# Expected: systemd-dissect(1) calls it a manifest that is compatible with BSD's mtree(8), for comparing contents.
#
# Seen, of a directory with a file and a directory in it, neither of them with a name out of the ordinary:
#   mtree -f:   ".: No such file or directory", at the first line: directories have a slash at the end of their names.
#   bsdtar -t:  "Unrecognized archive format", as there is no line with "#mtree"; with one, "Unrecognized key sha256sum=":
#               the format has sha256= and sha256digest=.
# A blank in a name is \x20: mtree(5) has backslash and three octal digits, and bsdtar takes \x20 for four characters.
# Turned around, with those four changed, mtree verifies the directory and bsdtar lists it.
#
# Where it matters: a manifest that is kept for the day on which an image is to be compared.  Two of systemd's can be
# compared with diff; anything else has to translate them.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='systemd-container=257.13-1~deb13u1,systemd=257.13-1~deb13u1,mtree-netbsd=20180822-9'
mmdebstrap --quiet --variant=extract \
    --include="$packages,libarchive-tools=3.7.4-4+deb13u1,base-files,base-passwd,dash,coreutils,grep,sed" trixie "$tree"
mkdir -p "$tree"/{dev,proc,it/directory}
: >"$tree/dev/null"
cp "$tree"/usr/share/base-passwd/passwd.master "$tree/etc/passwd"
cp "$tree"/usr/share/base-passwd/group.master "$tree/etc/group"
echo text >"$tree/it/directory/file"
echo text >"$tree/it/a file"
chmod -R u=rwX,go=rX "$tree/it"

cat >"$tree/show" <<'EOP'
set -eu
export LC_ALL=C
systemd-dissect --mtree /it >/from-systemd
cat /from-systemd
try() {
    what=$1; shift
    status=0; "$@" >/said 2>&1 || status=$?
    echo "$what: exit $status$([ $status = 0 ] || printf ', %s' "$(head -n 1 /said)")"
}
try "mtree" mtree -f /from-systemd -p /it
try "bsdtar" bsdtar -tf /from-systemd
(echo '#mtree'; cat /from-systemd) >/headed
status=0; bsdtar -tf /headed >/said 2>&1 || status=$?
echo "bsdtar, headed: exit $status"
grep -o 'Unrecognized key sha256sum=' /said | uniq
grep -qF './a\\x20file' /said && echo 'bsdtar, headed: a name with \x20'
sed 's/sha256sum=/sha256digest=/; s,\\x20,\\040,g; s,^\([^ ]*\)/ ,\1 ,' /headed >/translated
try "mtree, translated" mtree -f /translated -p /it
try "bsdtar, translated" bsdtar -tf /translated
grep -qx './a file' /said && echo 'bsdtar, translated: a name with a blank'
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c 'mount -t proc proc "$1/proc" &&
    mount --bind /dev/null "$1/dev/null" && exec chroot "$1" sh /show' - "$tree" | tee "$tmp/out"

digest=$(echo text | sha256sum | cut -d' ' -f1)
cat >"$tmp/expected" <<EOP
./ type=dir mode=0755 uid=0 gid=0
./a\\x20file type=file mode=0644 uid=0 gid=0 size=5 sha256sum=$digest
./directory/ type=dir mode=0755 uid=0 gid=0
./directory/file type=file mode=0644 uid=0 gid=0 size=5 sha256sum=$digest
mtree: exit 1, mtree: .: No such file or directory
bsdtar: exit 1, bsdtar: Error opening archive: Unrecognized archive format
bsdtar, headed: exit 1
Unrecognized key sha256sum=
bsdtar, headed: a name with \\x20
mtree, translated: exit 0
bsdtar, translated: exit 0
bsdtar, translated: a name with a blank
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
