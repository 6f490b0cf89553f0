#!/bin/bash
# Hooks of an OCI configuration without "env" have the environment of whoever calls the runtime, but not all of them
#
# Versions: crun 1.21-1, runc 1.1.15+ds1-2+deb13u1 (Debian 13).
#
# Expected: a hook's environment is what config.json says, like that of the container's process, which has nothing of the
# caller's.  config.md: "env (array of strings, OPTIONAL) with the same semantics as IEEE Std 1003.1-2008's environ"; and a
# list that is empty means the same as one that isn't there.
#
# Seen, with CALLER=secret in the environment of `run`, of hooks with no env, with [] and with ["A=1"]:
#   env [] or ["A=1"]     that, and nothing else, in all hooks of both.
#   no env                prestart, createRuntime, poststart and poststop have CALLER and all else of the caller's;
#                         startContainer has nothing; and createContainer has all of it in crun and nothing in runc.
# For poststop the caller is who calls `delete`, some other process with other variables.
# The directory: createContainer is started in the root of the container by runc, and in the bundle by crun.
#
# Where it matters: what a hook does depends on the variables of the engine, of a shell, or of a clean-up process that nobody
# sees; tokens of a CI job come to programs of hooks.  With an empty list instead of none, or the other way round (`omitempty`
# of a JSON writer drops it), a hook finds no PATH.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='runc=1.1.15+ds1-2+deb13u1,crun=1.21-1,busybox-static,base-files,dash,coreutils,grep,mount,sed,util-linux' \
    trixie "$tree"
bundle=$tree/bundle
mkdir -p "$bundle"/rootfs/{bin,bundle,dev,proc,out} "$bundle/out" "$tree"/{dev,proc,run,sys,mnt}
cat >"$bundle/hook" <<'EOP'
#!/bundle/busybox sh
b=/bundle/busybox
echo $1: $($b env | $b grep -E "^(CALLER|A)=") $(case $1 in createContainer*) $b pwd; esac) >>/bundle/out/said
EOP
chmod 755 "$bundle/hook"
# The same files at the same place in the container, for the hook that runs there.
for place in "$bundle" "$bundle/rootfs/bundle"; do
    cp "$tree/usr/bin/busybox" "$place/"
    [ "$place" = "$bundle" ] || cp "$bundle/hook" "$place/"
    mkdir -p "$place/out"
done
cp "$tree/usr/bin/busybox" "$bundle/rootfs/bin/"

kinds="prestart createRuntime createContainer startContainer poststart poststop"
hooks=
for kind in $kinds; do
    one() { printf '{"path": "/bundle/hook", "args": ["hook", "%s %s"]%s}' "$kind" "$1" "$2"; }
    hooks="$hooks, \"$kind\": [$(one none ''), $(one empty ', "env": []'), $(one one ', "env": ["A=1"]')]"
done
cat >"$bundle/config.json" <<EOP
{
  "ociVersion": "1.0.0",
  "process": {"args": ["/bin/busybox", "true"], "cwd": "/", "user": {"uid": 0, "gid": 0}},
  "root": {"path": "rootfs"},
  "hooks": {${hooks#, }},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
    {"destination": "/bundle/out", "type": "bind", "source": "/bundle/out", "options": ["bind"]}
  ],
  "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}]}
}
EOP

cat >"$tree/show" <<'EOP'
for runtime in runc crun; do
    CALLER=secret $runtime run --bundle /bundle it
    sort /bundle/out/said | sed "s/^/$runtime /"
    rm /bundle/out/said
done
EOP
# pivot_root and not chroot: the runtimes enter the root of the mount namespace.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup && pivot_root . mnt &&
    cd / && PATH=/usr/sbin:/usr/bin:/sbin:/bin && umount -l /mnt && exec sh /show' - "$tree" | tee "$tmp/out"

for runtime in runc crun; do
    case $runtime in
    runc) directory=/bundle/rootfs ;;
    crun) directory=/bundle ;;
    esac
    for kind in $kinds; do
        where=
        [ "$kind" != createContainer ] || where=" $directory"
        case $runtime,$kind in
        *,startContainer | runc,createContainer) has= ;;
        *) has=" CALLER=secret" ;;
        esac
        echo "$runtime $kind none:$has$where"
        echo "$runtime $kind empty:$where"
        echo "$runtime $kind one: A=1$where"
    done
done | LC_ALL=C sort >"$tmp/expected"
LC_ALL=C sort -o "$tmp/out" "$tmp/out"
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
