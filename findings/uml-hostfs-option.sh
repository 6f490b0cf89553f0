#!/bin/bash
# hostfs takes its directory in one of two ways, and which one depends on the system call that mount(8) happens to use
#
# Versions: Linux 6.12.113 (user-mode-linux 6.12um1+b22), util-linux 2.41.5-0+deb13u1 and 2.38.1-5+deb12u3.
#
# Expected: what `mount -t hostfs -o OPTIONS` takes is a matter of the file system, not of the version of mount(8).
#
# Seen, in a user-mode kernel, for the host's directory /shared:
#   mount(8) 2.41, by fsconfig(2): `-o hostfs=/shared` works, `-o /shared` (as the kernel's own document has it) is an
#     unknown parameter.
#   mount(8) 2.38, by mount(2): `-o /shared` works, `-o hostfs=/shared` fails, as it is taken for a path as a whole.
#
# Where it matters: a guest of an older release and one of a newer one have no line of fstab in common.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

guest=$tree/guest
mmdebstrap --quiet --variant=extract --include='user-mode-linux=6.12um1+b22,busybox-static' trixie "$tree"
mkdir -p "$tree"/{shared,dev,proc,tmp} "$guest"/{bin,dev,proc}
cp "$tree/usr/bin/busybox" "$guest/bin"
mmdebstrap --quiet --variant=extract --include='mount=2.41.5-0+deb13u1' trixie "$guest/new"
mmdebstrap --quiet --variant=extract --include='mount=2.38.1-5+deb12u3' bookworm "$guest/old"
for top in "$tree" "$guest"/{new,old}; do
    for name in bin lib lib64; do
        [ -e "$top/$name" ] || ln -s "usr/$name" "$top/$name"
    done
    mkdir -p "$top/mnt"
done
echo shared >"$tree/shared/file"

cat >"$guest/init.sh" <<'EOP'
#!/bin/busybox sh
try() { # TITLE ROOT OPTIONS
    if busybox chroot "$2" mount -t hostfs -o "$3" none /mnt 2>/dev/null; then
        echo "seen: $1 -o $3: $(busybox cat "$2/mnt/file")"
        busybox umount "$2/mnt"
    else
        echo "seen: $1 -o $3: refused"
    fi
}
busybox mount -t proc proc /proc
echo "seen: Linux $(busybox uname -r)"
for options in hostfs=/shared /shared; do
    try new /new "$options"
    try old /old "$options"
done
busybox poweroff -f
EOP
chmod +x "$guest/init.sh"

# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && mount -t tmpfs tmpfs "$1/tmp" &&
    env -i PATH=/usr/sbin:/usr/bin HOME=/tmp TMPDIR=/tmp chroot "$1" /usr/bin/linux.uml mem=128M uml_dir=/tmp \
        rootfstype=hostfs rootflags=/guest rw init=/init.sh con=null con0=null,fd:1 quiet
' sh "$tree" </dev/null >"$tmp/console" 2>&1 || true
sed -n 's/^seen: //p' "$tmp/console" | tr -d '\r' | tee "$tmp/seen"

cat >"$tmp/expected" <<'EOP'
Linux 6.12.113
new -o hostfs=/shared: shared
old -o hostfs=/shared: refused
new -o /shared: refused
old -o /shared: shared
EOP
diff "$tmp/expected" "$tmp/seen"
