#!/bin/bash
# netavark: the first container of podman ends other machines' connections through this one, and the last one leaves it so
#
# Versions: netavark 1.14.0-2, nftables 1.1.3-1, iproute2 6.15.0-1, busybox-static 1:1.37.0-6+b9 (Debian 13); Linux 6.18 (the
# running kernel is shown).
#
# Expected: the rules for a container's bridge are about that bridge, and are gone when its container is.
#
# Seen, on a router that sees one direction of a connection alone, as the answers take another way: before, it forwards
# all of it.  While a container has a network of netavark's, the router drops all but the first packet.  After teardown, with
# no container, bridge and network left, it still does.  The table has "ct state invalid drop" at the beginning of its forward
# chain, for all interfaces; and as the rule asks for the state, the kernel begins to track all that is forwarded.
#
# Where it matters: routers, VPN gateways and hosts of virtual machines, on which somebody once starts a container.  The
# connection is made (its first two packets pass), and then hangs.  `nft delete table inet netavark` helps until the next
# container; a forward chain of one's own that accepts can't undo a drop.
# What is known: netavark's issue 1149, open, of the interfaces; the rule is from its pull request 774.
#
# Needs: root, mmdebstrap, unshare, a kernel with veth, bridge and nf_tables.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='netavark=1.14.0-2,nftables=1.1.3-1,iproute2=6.15.0-1,busybox-static=1:1.37.0-6+b9'
mmdebstrap --quiet --variant=extract --include="$packages,base-files,dash,coreutils,grep,sed" trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,tmp}

cat >"$tree/show" <<'EOP'
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
# A client and a server with this machine between them, and a link of their own, by which the server answers.
ip link set lo up
ip netns add client
ip netns add server
ip netns add container
ip link add to-client type veth peer name eth0 netns client
ip link add to-server type veth peer name eth0 netns server
ip -n client link add direct type veth peer name direct netns server
sysctl() { for name in all default; do echo "$2" >"/proc/sys/net/ipv4/conf/$name/$1"; done; }
sysctl rp_filter 0
sysctl forwarding 1
for name in client server; do
    ip netns exec $name sh -c 'for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$file; done'
done
ip address add 192.0.2.254/24 dev to-client
ip address add 198.51.100.254/24 dev to-server
ip link set to-client up
ip link set to-server up
ip -n client address add 192.0.2.1/24 dev eth0
ip -n client address add 203.0.113.1/24 dev direct
ip -n server address add 198.51.100.1/24 dev eth0
ip -n server address add 203.0.113.2/24 dev direct
for name in client server; do
    ip -n $name link set eth0 up
    ip -n $name link set direct up
done
ip -n client route add 198.51.100.0/24 via 192.0.2.254
ip -n server route add 192.0.2.0/24 via 203.0.113.1

# sent TITLE: what of a line that the client sends comes to the server
sent() {
    {
        ip netns exec server busybox timeout 8 busybox nc -l -p 7000 >/tmp/came </dev/null & server=$!
        until ip netns exec server busybox netstat -lnt | grep -q :7000; do sleep 0.1; done
        echo text | ip netns exec client busybox timeout 5 busybox nc 198.51.100.1 7000 >/tmp/said || :
        wait $server || :
    } 2>/dev/null
    rules=$(nft list ruleset | grep -c 'ct state invalid drop' || :)
    bridges=$(ip -o link show type bridge | cut -d: -f2)
    echo "$1: $(grep . /tmp/came || echo nothing) comes to the server, $rules rules that drop, bridges:$bridges"
}
cat >/tmp/options <<'EOC'
{
  "container_id": "it", "container_name": "it",
  "networks": {"net": {"static_ips": ["10.89.0.5"], "interface_name": "eth0"}},
  "network_info": {"net": {
    "name": "net", "id": "it", "driver": "bridge", "network_interface": "podman1", "dns_enabled": false, "internal": false,
    "ipv6_enabled": false, "subnets": [{"gateway": "10.89.0.1", "subnet": "10.89.0.0/24"}]
  }}
}
EOC
sent before
/usr/lib/podman/netavark --config /run setup /run/netns/container </tmp/options >/tmp/said
sent "with a container"
/usr/lib/podman/netavark --config /run teardown /run/netns/container </tmp/options >/tmp/said
sent "without one again"
nft delete table inet netavark
sent "without the table"
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c '
    cd "$1" && mount --bind . . && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t sysfs sysfs sys && exec chroot . sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
before: text comes to the server, 0 rules that drop, bridges:
with a container: nothing comes to the server, 1 rules that drop, bridges: podman1
without one again: nothing comes to the server, 1 rules that drop, bridges:
without the table: text comes to the server, 0 rules that drop, bridges:
EOP
if ! grep -v '^Linux' "$tmp/out" | diff "$tmp/expected" -; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
