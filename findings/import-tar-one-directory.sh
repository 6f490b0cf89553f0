#!/bin/bash
# systemd-import tar: an archive's only directory becomes the image, or is in it, depending on a file in it
#
# Versions: systemd-container 257.13-1~deb13u1 (Debian 13).
#
# Expected: `importctl import-tar` (machinectl import-tar) unpacks an archive as it is: app/file is app/file in the image.
#
# Seen, by the program that both start, of four archives:
#   app/ with etc/os-release                  what is in app/ is the image; app/ itself is gone.
#   app/ with other files                     app/ is in the image.
#   app/ with etc/os-release, and a file beside it   app/ is in the image.
#   etc/os-release                            as it is.
# It says "Successfully rearranged OS tree", at the level of the journal; the exit status is 0
# for all.
#
# Where it matters: an archive of a directory of root file systems, or of a bundle (rootfs/ and config.json): with the second
# file it is kept, with the first one alone it's not; and an image that is exported again has other paths.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='systemd-container=257.13-1~deb13u1,systemd=257.13-1~deb13u1'
mmdebstrap --quiet --variant=extract --include="$packages,base-files,base-passwd,dash,coreutils,findutils,grep,tar" \
    trixie "$tree"
mkdir -p "$tree"/{dev,proc,tmp,source,images,var/lib/machines}
cp "$tree"/usr/share/base-passwd/passwd.master "$tree/etc/passwd"
cp "$tree"/usr/share/base-passwd/group.master "$tree/etc/group"

cat >"$tree/show" <<'EOP'
set -eu
cd /source
for name in os other beside plain; do mkdir $name; done
mkdir -p os/app/etc other/app/etc beside/app/etc plain/etc
for file in os/app/etc/os-release other/app/etc/file beside/app/etc/os-release beside/config.json plain/etc/os-release; do
    echo ID=it >$file
done
for name in os other beside plain; do
    tar -C $name -cf $name.tar .
    status=0; /usr/lib/systemd/systemd-import tar --image-root=/images /source/$name.tar $name >/said 2>&1 || status=$?
    said=; grep -q 'rearranged OS tree' /said && said=', rearranged'
    echo "$name: exit $status$said: $(cd /images/$name && find . -type f | sort | tr '\n' ' ')"
done
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c 'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
    exec chroot "$1" sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
os: exit 0, rearranged: ./etc/os-release 
other: exit 0: ./app/etc/file 
beside: exit 0: ./app/etc/os-release ./config.json 
plain: exit 0: ./etc/os-release 
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
