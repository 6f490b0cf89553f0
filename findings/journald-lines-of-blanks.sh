#!/bin/bash
# journald drops the empty lines of a program, and the blanks at a line's end; a line that has blanks alone stays as it is
#
# Versions: systemd 257.13-1~deb13u1 (Debian 13).
#
# Expected: systemd.exec(5) and journald.conf(5) say that a line of standard output becomes an entry, that LineMax= and NUL
# split, and that <N> is a level; so the messages, one a line, are what the program has written.
#
# Seen, of what systemd-cat carries:
#   "", and "<3>"             no entry.
#   "text   ", "text\t\r"     "text".
#   "   "                     an entry with three blanks; and a tab alone one with the tab.
#   "  text"                  as it is.
#   "a\0b"                    two entries, as documented; "\0\0" none.
#
# Where it matters: who takes a program's output back out of the journal (tests, `logs`, tools that compare or parse it):
# paragraphs of YAML, Markdown or a mail run together, a patch can't be applied, and a table by tabs lacks its last,
# empty columns.  StandardOutput=file: keeps all.
# What is known: systemd's pull request 1460, of 2015, where trailing blanks and empty lines were held to be noise; no page of
# the manual says it.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='systemd=257.13-1~deb13u1,jq,base-files,bash,dash,coreutils,grep,mount' trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,tmp}
printf 'root:x:0:0::/:/bin/sh\n' >"$tree/etc/passwd"
printf 'root:x:0:\n' >"$tree/etc/group"
echo 0123456789abcdef0123456789abcdef >"$tree/etc/machine-id"
mkdir -p "$tree/etc/systemd"
printf '[Journal]\nAudit=\n' >"$tree/etc/systemd/journald.conf"

cat >"$tree/show" <<'EOP'
mkdir -p /run/log/journal /run/systemd/journal
/usr/lib/systemd/systemd-journald 2>/run/log/said &
for _ in $(seq 30); do systemd-cat true 2>/run/log/said && break; sleep 0.1; done
number=0
# entries TEXT: what messages come of it, as JSON
entries() {
    number=$((number + 1))
    # shellcheck disable=SC2059 # with its escapes
    printf "$1" | systemd-cat --identifier="it$number" cat
    printf 'end\n' | systemd-cat --identifier="it$number" cat
    for _ in $(seq 30); do journalctl --identifier="it$number" --output=cat | grep -q '^end$' && break; sleep 0.1; done
    echo "$1: $(journalctl --identifier="it$number" --output=json | jq -c .MESSAGE | head -n -1 | tr '\n' ' ')"
}
entries 'a\n\nb\n'
entries '<3>\n<3>c\n'
entries 'text   \n'
entries 'text\t\r\n'
entries '   \n'
entries '\t\n'
entries '  text\n'
entries 'a\0b\n'
entries '\0\0\n'
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t sysfs sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup &&
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . bash /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
a\n\nb\n: "a" "b" 
<3>\n<3>c\n: "c" 
text   \n: "text" 
text\t\r\n: "text" 
   \n: "   " 
\t\n: "\t" 
  text\n: "  text" 
a\0b\n: "a" "b" 
\0\0\n: 
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
