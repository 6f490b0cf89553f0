#!/bin/bash
# mke2fs -d of a directory, and of the same as an archive: each leaves out what the other has
#
# Versions: e2fsprogs 1.47.2-3+b12, libarchive13t64 3.7.4-4+deb13u1, tar 1.35+dfsg-3.1, acl 2.3.2-2+b1, attr 1:2.5.2-3
# (Debian 13).
#
# Expected: -d copies "the contents of the given directory or tarball", says mke2fs(8), and names no difference.  GNU tar
# with --xattrs --acls has in the archive all that the directory has.
#
# Seen, of a directory of 1000:1000 with mode 0700, with files of mode 0600 and an access list of user:1500:rw:
#   from the directory   the root of the file system is 0755 and of 0:0; files have their access list, and user.it.
#   from the archive     the root is 0700 and of 1000:1000; files have neither.  One with a second name is 0660: what was
#                        the mask of the list (and stands in the archive at the second name) is now the group's.
# Of both, security.capability is kept.  Exit 0, no message.
#
# Where it matters: an image for a machine, made from a directory yesterday and from an archive (which needs no root)
# today.  What is known: of attributes, the archive's reader takes two names alone, as its author has told the list of ext4;
# -E root_owner and root_perms set the root by hand.
#
# Needs: root, mmdebstrap, access lists and user.* attributes on the file system of the temporary folder.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='e2fsprogs=1.47.2-3+b12,libarchive13t64=3.7.4-4+deb13u1,tar=1.35+dfsg-3.1,acl=2.3.2-2+b1,attr=1:2.5.2-3'
mmdebstrap --quiet --variant=extract --include="$packages,libcap2-bin=1:2.75-10+deb13u1+b3,base-files,dash,coreutils,sed,grep" \
    trixie "$tree"
mkdir -p "$tree/it"

cat >"$tree/show" <<'EOP'
set -eu
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd /it
echo text >file
echo text >program
echo text >linked
setcap cap_net_raw+ep program
chmod 600 file linked
setfattr -n user.it -v value file linked
setfacl -m user:1500:rw file linked
ln linked other-name
chown 1000:1000 . file linked
chmod 700 .
: >/etc/mtab
tar --xattrs --xattrs-include='*' --acls --numeric-owner -cf /it.tar .

# image TITLE SOURCE: what is in the image, and not what a mount makes of it
image() {
    rm -f /image
    mke2fs -q -t ext4 -d "$2" /image 4M
    echo "$1: exit $?"
    for name in / /file /linked /program; do
        debugfs -R "stat $name" /image 2>/dev/null >/said
        echo "$1, $name: $(
            sed -nE 's/.*Mode: +0*([0-7]+).*/mode \1/p; s/^User: +([0-9]+) +Group: +([0-9]+).*/of \1:\2/p' /said | tr '\n' ' ')$(
            debugfs -R "ea_list $name" /image 2>/dev/null | sed -nE 's/^  ([a-z_.]+) .*/\1/p' | sort | tr '\n' ' ')"
    done
}
image directory /it
image archive /it.tar
EOP
chroot "$tree" sh /show | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
directory: exit 0
directory, /: mode 755 of 0:0 
directory, /file: mode 660 of 1000:1000 system.posix_acl_access user.it 
directory, /linked: mode 660 of 1000:1000 system.posix_acl_access user.it 
directory, /program: mode 644 of 0:0 security.capability 
archive: exit 0
archive, /: mode 700 of 1000:1000 
archive, /file: mode 600 of 1000:1000 
archive, /linked: mode 660 of 1000:1000 
archive, /program: mode 644 of 0:0 security.capability 
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
