#!/bin/bash
# conntrack -L -o save, and -R: connections come back without their marks
#
# Versions: conntrack 1:1.4.8-2 (Debian 13); Linux 6.18 (the running kernel is shown).
#
# Expected: "-o save" shows the table in the syntax of conntrack, and -R reads it.  That syntax has an option for
# the mark (-m, of -I and -A), so what comes back is what was there, but for the time that has passed.
#
# Seen: zone, status, state, time and addresses after NAT are saved; the mark is not.  After -F and -R the connection has
# mark=0, and both commands exit 0 without a word about it.  The same line with "-m 5" put in brings the mark back.
#
# Where it matters: for whoever routes or filters by `ct mark`.  When the connections have been carried to another machine
# or another zone (an example of the manual), those that were open go the default way, and only new ones the right one.
#
# Needs: root, mmdebstrap, unshare, a kernel with nf_conntrack_netlink.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='conntrack=1:1.4.8-2,base-files,dash,coreutils,sed' trixie "$tree"

cat >"$tree/show" <<'EOP'
set -eu
# table: the connections, without the time that is left
table() { conntrack -L 2>/said | sed -E 's/ +/ /g; s/ [0-9]+ ESTABLISHED/ ESTABLISHED/; s/ use=.*//'; }
conntrack -I -p tcp -s 192.0.2.1 -d 192.0.2.2 --sport 1000 --dport 80 --state ESTABLISHED --timeout 3600 --mark 5 \
    --status SEEN_REPLY,ASSURED --zone 3 --src-nat 198.51.100.1 2>/said
echo "before: $(table)"
conntrack -L -o save >/saved 2>/said
echo "saved: $(sed -E 's/ -t [0-9]+//' /saved)"
# restore FILE: what the table is after it
restore() {
    conntrack -F 2>/said
    status=0; conntrack -R "$1" >/said 2>&1 || status=$?
    echo "restored: exit $status, $(table)"
}
restore /saved
sed 's/$/ -m 5/' /saved >/marked
restore /marked
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
unshare --net chroot "$tree" sh /show | tee "$tmp/out"

connection='tcp 6 ESTABLISHED src=192.0.2.1 dst=192.0.2.2 sport=1000 dport=80 src=192.0.2.2 dst=198.51.100.1 sport=80 dport=1000'
cat >"$tmp/expected" <<EOP
before: $connection [ASSURED] mark=5 zone=3
saved: -A -u SEEN_REPLY,ASSURED -w 3 -s 192.0.2.1 -d 192.0.2.2 -r 192.0.2.2 -n 198.51.100.1 -p tcp --sport 1000 --dport 80 \
--reply-port-src 80 --reply-port-dst 1000 --state ESTABLISHED
restored: exit 0, $connection [ASSURED] mark=0 zone=3
restored: exit 0, $connection [ASSURED] mark=5 zone=3
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
