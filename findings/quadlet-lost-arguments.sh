#!/bin/bash
# Quadlet loses arguments where systemd's own syntax has "" or a semicolon, and says nothing
#
# Versions: podman 5.4.2+ds1-2+b2 (Debian 13), its generator for .container files.
#
# Expected: Exec= of a .container file has the format of systemd's command lines, says its manual page.  There, "" is
# an empty argument, and \; or ";" an argument that is a semicolon, which does not end the command.  Each argument
# should arrive in ExecStart=, or the file be refused.  (As ExecStart= of a service, `systemd-analyze verify` of
# systemd 252 takes all the lines below, and warns of nothing.)
#
# Seen: the generator exits 0, logs nothing but the names of the files, and writes another command.
#   - An empty argument is lost, and with it all that come after it.  The same in Environment=, Label= and
#     PodmanArgs=.
#   - \; loses *all* arguments of Exec=, those before it too: the image's own command is run.
#   - ";" loses its quotes: for systemd it now ends the command, and as a Type=notify service may have only one,
#     systemd refuses the unit.
#
# Where it matters: whoever turns a unit with ExecStart= into a .container file, or back.  `find … -exec … {} \;`
# starts whatever the image starts by default.
#
# Needs: root, mmdebstrap.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='podman=5.4.2+ds1-2+b2,base-files,dash,coreutils' trixie "$tree"
mkdir "$tree/units"

unit() { printf '[Container]\nImage=localhost/image\n%s\n' "$2" >"$tree/units/$1.container"; }
unit plain 'Exec=prog "one two" three'
unit empty 'Exec=prog "" two three'
unit semicolon 'Exec=find /srv -exec stat {} \;'
unit quoted 'Exec=prog ";" two three'
unit environment 'Environment="" A=1 B=2'
unit label 'Label=a=1 "" b=2'

status=0
chroot "$tree" env QUADLET_UNIT_DIRS=/units \
    /usr/lib/systemd/system-generators/podman-system-generator --dryrun >"$tmp/out" 2>"$tmp/err" || status=$?
echo "podman $(chroot "$tree" /usr/libexec/podman/quadlet --version), exit status $status"
echo "messages but for the names of the files: $(grep -vc 'Loading source unit file' "$tmp/err" || :)"

changed=
[ "$status" = 0 ] || changed="exit status $status"
! grep -v 'Loading source unit file' "$tmp/err" || changed="there is a message now"

# What stands in ExecStart= from the options of this unit on
check() {
    line=$(sed -n "/^---$1.service---/,/^ExecStart=/{s/^ExecStart=//p}" "$tmp/out")
    got=${line##* -d }
    printf '%-12s %-35s -> %s\n' "$1" "$(sed -n 3p "$tree/units/$1.container")" "$got"
    [ "$got" = "$2" ] || changed="$1: $got"
}
check plain 'localhost/image prog "one two" three'
check empty 'localhost/image prog'
check semicolon 'localhost/image'
check quoted 'localhost/image prog ; two three'
check environment 'localhost/image'
check label '--label a=1 localhost/image'

if [ -n "$changed" ]; then
    echo "CHANGED: $changed"
    exit 1
fi
echo "as described"
