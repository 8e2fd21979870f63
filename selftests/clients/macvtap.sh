#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Guests on macvtaps and an ipvtap, their queues on /dev/kvhost-net: first one of
# our VMM, then, on the same interfaces, one of an unmodified QEMU.
#
#	guest               this namespace     "kvmfar"
#	eth0 split  - kmt0  macvtap on kml0 -  kmf0    10.77.0.0/24, fd77:0::/64
#	eth1 packed - kmt1  macvtap on kml0 -  kmf0    10.77.1.0/24, fd77:1::/64
#	eth2 packed - kit2  ipvtap on kml1  -  kmf1    10.77.2.0/24, fd77:2::/64
#
# On each: ping, and bytes that both sides know, both ways.

# shellcheck source=selftests/clients/qemu_guest.sh
. "$(dirname "$0")/qemu_guest.sh"

NODE=/dev/kvhost-net
own_netns
need_vm
need_tools qemu-system-x86_64 busybox
modprobe -a macvtap ipvtap || skip_all 'no macvtap or ipvtap'
GUEST_SECONDS=90
names=(kmt0 kmt1 kit2)
kinds=('macvtap, split' 'macvtap, packed' 'ipvtap, packed')
plan 17
before=$(leftovers)
here=$(realpath "$(dirname "$0")")

ip netns add kvmfar || exit 1
at_exit 'ip netns del kvmfar'
far()
{
	ip netns exec kvmfar "$@"
}

for n in 0 1; do
	ip link add "kml$n" type veth peer name "kmf$n" netns kvmfar || exit 1
	ip link set "kml$n" up
	far ip link set "kmf$n" up
done
ip link add link kml0 name kmt0 type macvtap mode bridge &&
	ip link add link kml0 name kmt1 type macvtap mode bridge &&
	ip link add link kml1 name kit2 type ipvtap mode l2 || exit 1
for n in 0 1 2; do
	far ip addr add "10.77.$n.1/24" dev "kmf$((n / 2))"
	far ip addr add "fd77:$n::1/64" dev "kmf$((n / 2))" nodad
	ip link set "${names[n]}" up
done
# An ipvtap hands on what is for the addresses it has.
ip addr add 10.77.2.2/24 dev kit2
ip addr add fd77:2::2/64 dev kit2 nodad

make_initrd macvtap "$here/bulk" <<'END'
ip link set lo up
for n in 0 1 2; do
	ip link set eth$n up
	ip addr add 10.77.$n.2/24 dev eth$n
	echo 0 >/proc/sys/net/ipv6/conf/eth$n/accept_dad
	ip addr add fd77:$n::2/64 dev eth$n
done
for n in 0 1 2; do
	# RING_PACKED is bit 34
	echo "eth$n PACKED $(cut -c 35 /sys/class/net/eth$n/device/features)"
	ping -c 2 -i 0.1 -W 5 10.77.$n.1 >/tmp/out 2>&1 && echo "eth$n PING" || cat /tmp/out
	./bulk run 9000 20000 10.77.$n.1 fd77:$n::1 && echo "eth$n MOVED"
done
echo READY
await nc 10.77.0.1 9003 </dev/null 2>/dev/null
END

# Not by far(): the shell it would be in is not what has to be killed.
ip netns exec kvmfar "$here/bulk" serve 9000 >"$WORK/serve" 2>&1 &
at_exit "kill $!"

# look: what the module has open when the guest is READY; then the guest may end
look()
{
	guest_says READY || {
		diagnose "$WORK/$guest_name.console"
		guest_kill
		return
	}
	devices=$(find /sys/kernel/debug/kvhost -name 'net-*' | wc -l)
	ip netns exec kvmfar busybox nc -ll -p 9003 -e true >>"$WORK/serve" 2>&1 &
	door=$!
	guest_says KVHOST-EXIT
	kill $door 2>/dev/null
}

# judge WHO GUEST
judge()
{
	local n

	expect "$1: its three devices are served by kvhost_net" [ "$devices" = 3 ]
	for n in 0 1 2; do
		expect "$1: ${kinds[n]}: ping" said "$2" "^eth$n PING"
		expect "$1: ${kinds[n]}: all bytes arrive both ways" said "$2" "^eth$n MOVED"
	done
	expect "$1: packed where it was asked for" packed "$2"
}

packed()
{
	said "$1" '^eth0 PACKED 0' && said "$1" '^eth1 PACKED 1' && said "$1" '^eth2 PACKED 1'
}

guest_start macvtap --initrd "$initrd" --append quiet --memory 256 --cpus 2 \
	--net macvtap=kmt0 --net macvtap=kmt1,packed=on --net macvtap=kit2,packed=on
look
guest_end
judge VMM macvtap

args=()
for n in 0 1 2; do
	mac=$(ip -br link show "${names[n]}" | awk '{ print $3 }')
	args+=(-netdev "tap,id=net$n,vhost=on,@${names[n]}@"
		-device "virtio-net-pci,netdev=net$n,mac=$mac,packed=$([ "$n" = 0 ] && echo off || echo on),disable-legacy=on,romfile=")
done
qemu_start qemu kmt0=macvtap kmt1=macvtap kit2=macvtap -- "${args[@]}"
look
echo quit >&4
guest_end
judge QEMU qemu
expect 'nothing is left behind' clean_again "$before"
finish
