#!/bin/bash
# Quadlet: systemd expands ${...} in Environment= and Label= of a .container, and the "-" of an EnvironmentFile= is a directory
#
# Versions: podman 5.4.2+ds1-2+b2, systemd 257.13-1~deb13u1 (Debian 13).
#
# Expected: podman-systemd.unit(5): Environment= "uses the same format as services in systemd"; of which systemd.exec(5) says:
# "The dollar sign has no special meaning".  And EnvironmentFile= of a service may have a "-", for a file that need not be
# there.
#
# Seen: the generator puts the values into ExecStart=podman run --env ..., and there a dollar sign has a meaning.  Of
#     [Container]                               what podman is given
#     Environment=WORD=a${HOME}b                WORD=ab: a variable of the service, which has none
#     Environment=BOTH=x$$y                     BOTH=x$y
#     Environment="ALONE=one $HOME two"         ALONE=one $HOME two: without braces, only a word of its own is one
#     Label=template=${name}                    template=
#     EnvironmentFile=-/etc/default/it          /etc/containers/systemd/-/etc/default/it
# The same Environment= in [Service] of the same file is what it says.
#
# Where it matters: passwords, templates of configuration, format strings: the program gets another text, and there is no
# message but, at times, systemd's "Referenced but unset environment variable".  "$$" has to be written for "$" there, and
# not in a service.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='systemd=257.13-1~deb13u1,podman=5.4.2+ds1-2+b2,base-files,base-passwd,dash,coreutils,mount' trixie "$tree"
units=$tree/etc/containers/systemd
mkdir -p "$tree"/{dev,proc,run,sys,mnt,etc/systemd/system} "$units"
echo 'root:x:0:0::/:/bin/sh' >"$tree/etc/passwd"
echo 'root:x:0:' >"$tree/etc/group"
: >"$tree/etc/machine-id"
cat >"$units/it.container" <<'EOP'
[Unit]
DefaultDependencies=no
[Container]
Image=localhost/it
Environment=WORD=a${HOME}b
Environment=BOTH=x$$y
Environment="ALONE=one $HOME two"
Label=template=${name}
EnvironmentFile=-/etc/default/it
[Service]
Type=oneshot
Environment=OF_SERVICE=a${HOME}b
[Quadlet]
DefaultDependencies=false
EOP
cat >"$tree/etc/systemd/system/default.target" <<'EOP'
[Unit]
DefaultDependencies=no
Wants=end.service
EOP
cat >"$tree/etc/systemd/system/end.service" <<'EOP'
[Unit]
DefaultDependencies=no
Wants=it.service
After=it.service
SuccessAction=exit-force
[Service]
Type=oneshot
ExecStart=/bin/true
EOP
# In the place of podman, what shows what it would be given.
cat >"$tree/usr/bin/podman" <<'EOP'
#!/bin/sh
[ "$1" = run ] || exit 0
echo "OF_SERVICE=$OF_SERVICE" >/out
while [ $# -gt 0 ]; do
    case $1 in --env | --label | --env-file) echo "$1 $2" >>/out; shift ;; esac
    shift
done
EOP

# Its own systemd, in a cgroup and in namespaces that end with it.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t cgroup2 cgroup2 mnt && mkdir mnt/$2 && echo 0 >mnt/$2/cgroup.procs &&
    timeout 60 unshare --cgroup --net --ipc --uts --pid --fork --kill-child sh -c "
        umount mnt && mount -t proc proc proc && mount -t tmpfs -o mode=755 tmpfs run && mount -t sysfs -o ro sysfs sys &&
        mount -t tmpfs -o mode=755 tmpfs dev && for name in null zero; do
            touch dev/\$name && mount --bind /dev/\$name dev/\$name; done &&
        mount -t cgroup2 cgroup2 sys/fs/cgroup &&
        exec env -i container=finding PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
            chroot . /usr/lib/systemd/systemd --log-target=null" </dev/null
    mount -t cgroup2 cgroup2 mnt
    echo 0 >mnt/cgroup.procs
    find mnt/$2 -depth -type d -exec rmdir {} +' - "$tree" "finding-$$"
LC_ALL=C sort "$tree/out" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
--env ALONE=one $HOME two
--env BOTH=x$y
--env WORD=ab
--env-file /etc/containers/systemd/-/etc/default/it
--label template=
OF_SERVICE=a${HOME}b
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
