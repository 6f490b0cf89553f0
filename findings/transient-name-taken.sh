#!/bin/bash
# The name of a transient unit that has ended is taken as long as what it triggered runs
#
# Versions: systemd 257.13-1~deb13u1 (Debian 13).
#
# Expected: a transient service that has ended is gone with its name, at the latest with CollectMode=inactive-or-failed,
# so that systemd-run(1) can make it again.  Its OnSuccess= is for what comes after it.
#
# Seen: while the unit of OnSuccess= (or of OnFailure=) is active, the service that has triggered it stays loaded,
# inactive, and systemd-run fails for its name: "was already loaded or has a fragment file".  `systemctl reset-failed`
# does not help, nor `systemctl stop`; it passes by itself when the other unit is over.  A transient unit without
# OnSuccess=, and one that has the other in Wants=, can be made again at once.
# And a service that ends a second time meanwhile triggers nothing: of two ends there is one run.
#
# Where it matters: a job that is run again and again under one name and has a report or a clean-up of some seconds after
# it.  With a plain unit file the first does not happen, the second does; systemd.unit(5) says of OnSuccess= that the
# units are activated when this one becomes inactive.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='systemd=257.13-1~deb13u1,base-files,base-passwd,dash,coreutils,grep,sed,mount' \
    trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,mnt,etc/systemd/system}
echo 'root:x:0:0::/:/bin/sh' >"$tree/etc/passwd"
echo 'root:x:0:' >"$tree/etc/group"
: >"$tree/etc/machine-id"
cat >"$tree/etc/systemd/system/default.target" <<'EOP'
[Unit]
DefaultDependencies=no
Wants=show.service
EOP
cat >"$tree/etc/systemd/system/show.service" <<'EOP'
[Unit]
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/bin/sh /show
StandardOutput=file:/out
StandardError=file:/err
TimeoutStartSec=60
EOP
cat >"$tree/show" <<'EOP'
cat >/run/systemd/system/after@.service <<'EOC'
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo %i >>/said; until [ -e /go-%i ]; do sleep 0.1; done'
EOC
systemctl daemon-reload

# run NAME WORDS: a service that ends at once, and its end
run() {
    name=$1; shift
    systemd-run --quiet --unit="$name" --property=DefaultDependencies=no --property=CollectMode=inactive-or-failed "$@"
}
made() { run "$@" true 2>/tmp/why && echo made || sed 's/.*: *Unit/Unit/' /tmp/why; }
until_state() { until [ "$(systemctl show --property=ActiveState --value "$1")" = "$2" ]; do sleep 0.1; done; }

systemctl --no-block start after@plain
until_state after@plain activating
run plain --property=Wants=after@plain.service true
until_state plain inactive
echo "named in Wants=: $(made plain)"
touch /go-plain

for key in OnSuccess OnFailure; do
    end=true state=inactive
    [ $key = OnSuccess ] || end=false state=failed
    run $key --property=$key=after@$key.service $end
    until_state after@$key activating
    until_state $key $state
    echo "$key: $(made $key --property=$key=after@$key.service)"
    systemctl reset-failed $key 2>/dev/null
    systemctl stop $key
    echo "$key, told to stop: $(made $key --property=$key=after@$key.service)"
    touch /go-$key
    until_state after@$key inactive
    echo "$key, after it: $(made $key)"
done

cat >/run/systemd/system/twice.service <<'EOC'
[Unit]
DefaultDependencies=no
OnSuccess=after@twice.service
[Service]
Type=oneshot
ExecStart=true
EOC
systemctl daemon-reload
systemctl start twice
until_state after@twice activating
systemctl start twice
touch /go-twice
until_state after@twice inactive
echo "ended twice: $(grep -c twice /said) run"
EOP

# Its own systemd, in a cgroup and in namespaces that end with it.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t cgroup2 cgroup2 mnt && mkdir mnt/$2 && echo 0 >mnt/$2/cgroup.procs &&
    unshare --cgroup --net --ipc --uts --pid --fork --kill-child sh -c "
        umount mnt && mount -t proc proc proc && mount -t tmpfs -o mode=755 tmpfs run && mount -t sysfs -o ro sysfs sys &&
        mount -t tmpfs -o mode=755 tmpfs dev && touch dev/null && mount --bind /dev/null dev/null &&
        mount -t cgroup2 cgroup2 sys/fs/cgroup &&
        exec env -i container=finding PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
            chroot . /usr/lib/systemd/systemd --log-target=null" </dev/null
    mount -t cgroup2 cgroup2 mnt
    echo 0 >mnt/cgroup.procs
    find mnt/$2 -depth -type d -exec rmdir {} +' - "$tree" "finding-$$"
cat "$tree/err" >&2
tee "$tmp/out" <"$tree/out"

cat >"$tmp/expected" <<'EOP'
named in Wants=: made
OnSuccess: Unit OnSuccess.service was already loaded or has a fragment file.
OnSuccess, told to stop: Unit OnSuccess.service was already loaded or has a fragment file.
OnSuccess, after it: made
OnFailure: Unit OnFailure.service was already loaded or has a fragment file.
OnFailure, told to stop: Unit OnFailure.service was already loaded or has a fragment file.
OnFailure, after it: made
ended twice: 1 run
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
