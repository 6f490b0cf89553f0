#!/bin/bash
# systemd-nspawn: one option of the command line takes away all settings of its kind in the .nspawn file
#
# Versions: systemd-container 257.13-1~deb13u1 (Debian 13).
#
# Expected: systemd.nspawn(5): a command line takes precedence over the file, for a value that both have.  Options that may be given
# several times (--bind=, --setenv=, --capability=) add to what the file has, as a second line in it does.
#
# Seen, of a file with two variables, a bind mount, a tmpfs, a capability more, one less, two limits and a system call filter:
#   --setenv=C=x             both variables of the file are gone.
#   --tmpfs= or --bind=      of other places: the bind mount and the tmpfs of the file are gone, of both kinds.
#   --capability=            of another one: what the file adds is gone, and what it drops is there.
#   --system-call-filter=    of another call: the call that the file refuses is allowed.
#   --rlimit=CORE=8          the other limit of the file stays: these are one by one.
# No word is said, and the exit status is the program's.
#
# Where it matters: a container that is kept in a .nspawn file, and is once started with one more mount or variable to look at
# something: it has lost its data directory, and writes to the image below; or it is allowed what it was not.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='systemd-container=257.13-1~deb13u1,systemd=257.13-1~deb13u1,busybox-static=1:1.37.0-6+b9'
mmdebstrap --quiet --variant=extract --include="$packages,base-files,dash,coreutils,mount" trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,tmp,mnt,data,other} "$tree"/it/{bin,dev,etc,proc,run,sys,tmp,usr/lib,data,scratch,other}
cp "$tree/usr/bin/busybox" "$tree/it/bin/busybox"
echo ID=it >"$tree/it/usr/lib/os-release"
: >"$tree/data/file"
echo 'root:x:0:0::/root:/bin/sh' >"$tree/etc/passwd"
echo 'root:x:0:' >"$tree/etc/group"
echo 0123456789abcdef0123456789abcdef >"$tree/etc/machine-id"
cat >"$tree/it.nspawn" <<'EOP'
[Exec]
Environment=A=a
Environment=B=b
Capability=CAP_SYS_TIME
DropCapability=CAP_CHOWN
LimitNOFILE=99
LimitCORE=7
SystemCallFilter=~sethostname
[Files]
Bind=/data:/data
TemporaryFileSystem=/scratch
EOP
cat >"$tree/it/look" <<'EOP'
has() { busybox test $((0x$(busybox sed -n 's/^CapEff:\t//p' /proc/self/status) >> $1 & 1)) = 1; }
line="A=${A:-} B=${B:-}"
busybox test -e /data/file && line="$line data"
busybox grep -q ' /scratch ' /proc/self/mountinfo && line="$line scratch"
has 25 && line="$line SYS_TIME"
has 0 && line="$line CHOWN"
busybox hostname other 2>/dev/null && line="$line sethostname"
echo "$line nofile=$(ulimit -n)"
EOP
cat >"$tree/show" <<'EOP'
mkdir -p /run/systemd/nspawn && cp /it.nspawn /run/systemd/nspawn/
with() {
    echo "${*:-the file alone}: $(systemd-nspawn --quiet --register=no --keep-unit --as-pid2 --pipe --private-network -D /it "$@" \
        /bin/busybox sh /look 2>&1)"
}
with
with --setenv=C=x
with --tmpfs=/other
with --bind=/other:/other
with --capability=CAP_SYS_BOOT
with --system-call-filter=~swapon
with --rlimit=CORE=8
EOP
cat >"$tree/start" <<'EOP'
umount mnt && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run && mount -t sysfs sysfs sys &&
    mount -t cgroup2 cgroup2 sys/fs/cgroup && exec chroot . sh /show
EOP

# In a cgroup and in namespaces of its own: nspawn makes cgroups.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t cgroup2 cgroup2 mnt && mkdir -p mnt/$2/below &&
    (echo 0 >mnt/$2/cgroup.procs && exec unshare --cgroup sh -c "
        echo 0 >mnt/$2/below/cgroup.procs && exec unshare --mount --net --ipc --uts --pid --fork --kill-child sh start")
    find mnt/$2 -depth -type d -exec rmdir {} +' - "$tree" "finding-$$" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
the file alone: A=a B=b data scratch SYS_TIME nofile=99
--setenv=C=x: A= B= data scratch SYS_TIME nofile=99
--tmpfs=/other: A=a B=b SYS_TIME nofile=99
--bind=/other:/other: A=a B=b SYS_TIME nofile=99
--capability=CAP_SYS_BOOT: A=a B=b data scratch CHOWN nofile=99
--system-call-filter=~swapon: A=a B=b data scratch SYS_TIME sethostname nofile=99
--rlimit=CORE=8: A=a B=b data scratch SYS_TIME nofile=99
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
