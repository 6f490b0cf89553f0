#!/bin/bash
# To mount binfmt_misc in a user namespace takes the handlers of the machine away from it, and umount does not bring them back
#
# Versions: Linux 6.18 (the running kernel is shown).
#
# Expected: what is registered in binfmt_misc is for the machine, and a mount of the file system is to look at it; or, as of
# other file systems with an instance for each namespace, it ends with its last mount.
#
# Seen, of a file for which there is a handler outside, in a user namespace:
#   nothing is mounted                             the file is executed, by the handler outside.
#   binfmt_misc is mounted, to see what there is   the directory has no entry; the file is ENOEXEC.
#   it is unmounted, and no mount is left          ENOEXEC.
#   a user namespace that is made in this one      ENOEXEC.
#   the handler is registered in the namespace     the file is executed.
# A namespace goes by the nearest one of it and those outside that has had binfmt_misc mounted, once, and by that one's entries
# alone.  Outside nothing has changed.
#
# Where it matters: images of another architecture, by qemu-user: they run in a container with a user namespace, up to the
# moment at which a program in it mounts /proc/sys/fs/binfmt_misc, to look or to register one more; from then on it is "Exec
# format error" for all that is started in it, until the container is made anew.  Before Linux 6.7 the mount was EPERM there.
#
# Needs: root, python3, unshare, Linux 6.7 with CONFIG_BINFMT_MISC.
set -eu

tmp=$(mktemp -d)
export tmp
trap 'rm -rf "$tmp"' EXIT

echo hello >"$tmp/file.finding"
chmod 755 "$tmp/file.finding"
mkdir "$tmp/outer" "$tmp/inner"
cat >"$tmp/execute" <<'EOP'
import errno, os, sys
try:
    os.execv(sys.argv[1], sys.argv[1:])
except OSError as error:
    print(errno.errorcode[error.errno])
EOP
cat >"$tmp/show" <<'EOP'
execute() { echo "$1: $(python3 "$tmp/execute" "$tmp/file.finding")"; }
entries() { ls "$1" | grep -vxe register -e status | tr '\n' ' '; }
mount -t binfmt_misc binfmt_misc "$tmp/outer"
echo ':finding:E::finding::/bin/cat:' >"$tmp/outer/register"
execute outside
echo "outside, entries: $(entries "$tmp/outer")"
unshare --user --map-root-user --mount sh "$tmp/show-inner"
execute "outside, afterwards"
EOP
cat >"$tmp/show-inner" <<'EOP'
execute() { echo "inside, $1: $(python3 "$tmp/execute" "$tmp/file.finding")"; }
execute "nothing is mounted"
mount -t binfmt_misc binfmt_misc "$tmp/inner"
echo "inside, entries: $(ls "$tmp/inner" | grep -vxe register -e status)"
execute "it is mounted"
umount "$tmp/inner"
execute "it is unmounted"
echo "inside, mounts of its own: $(grep -c " $tmp/inner " /proc/self/mountinfo)"
unshare --user --map-root-user sh -c 'echo "a namespace in it: $(python3 "$tmp/execute" "$tmp/file.finding")"'
mount -t binfmt_misc binfmt_misc "$tmp/inner"
echo ':finding:E::finding::/bin/cat:' >"$tmp/inner/register"
execute "it is registered"
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
# "outside" is a user namespace, too, so that nothing is registered for the machine.
unshare --user --map-root-user --mount sh "$tmp/show" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
outside: hello
outside, entries: finding 
inside, nothing is mounted: hello
inside, entries: 
inside, it is mounted: ENOEXEC
inside, it is unmounted: ENOEXEC
inside, mounts of its own: 0
a namespace in it: ENOEXEC
inside, it is registered: hello
outside, afterwards: hello
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
