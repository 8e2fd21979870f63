#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A guest of an unmodified QEMU behind a virtual IOMMU, its network on
# /dev/kvhost-net: every address its driver gives is one that QEMU translates by
# messages of the device IOTLB, and takes back after use (iommu.strict=1).
#
#	eth0  split ring	10.77.0.0/24, fd77:0::/64
#	eth1  packed ring	10.77.1.0/24, fd77:1::/64
#
# On each: ping, and bytes that both sides know, both ways. Then both devices are
# reset amid traffic, by their driver, and all is done once more.

# shellcheck source=selftests/clients/qemu_guest.sh
. "$(dirname "$0")/qemu_guest.sh"

NODE=/dev/kvhost-net
own_netns
need_vm
need_tools qemu-system-x86_64 busybox
need_tun
GUEST_SECONDS=280
nics='0 1'
kinds=(split packed)
plan 14
before=$(leftovers)
here=$(realpath "$(dirname "$0")")

make_initrd qemu "$here/bulk" <<'END'
# all LIFE: of both devices
all()
{
	for n in 0 1; do
		ip link set eth$n up
		ip addr add 10.77.$n.2/24 dev eth$n
		echo 0 >/proc/sys/net/ipv6/conf/eth$n/accept_dad
		ip addr add fd77:$n::2/64 dev eth$n
		# ACCESS_PLATFORM is bit 33, RING_PACKED 34
		echo "eth$n FEATURES $(cut -c 34,35 /sys/class/net/eth$n/device/features)"
		ping -c 2 -i 0.1 -W 5 10.77.$n.1 >/tmp/out 2>&1 && echo "eth$n PING $1" || cat /tmp/out
		./bulk run 9000 $((20000 + 1000 * $1)) 10.77.$n.1 fd77:$n::1 && echo "eth$n MOVED $1"
	done
}

ip link set lo up
all 1
echo READY
# until the host has looked at the counters
await nc 10.77.0.1 9003 </dev/null 2>/dev/null
pids=
for n in 0 1; do
	(for turn in $(seq 100); do
		./bulk run 9000 $((30000 + 10 * turn)) 10.77.$n.1
	done) >/dev/null 2>&1 &
	pids="$pids $!"
done
received()
{
	cat /sys/class/net/eth$n/statistics/rx_packets
}
# busy FROM
busy()
{
	[ $(($(received) - $1)) -gt 200 ]
}
for n in 0 1; do
	await busy $(received)
done
# One after the other, or the kernel may give them each other's names.
for n in 0 1; do
	device=$(basename $(readlink -f /sys/class/net/eth$n/device))
	echo $device >/sys/bus/virtio/drivers/virtio_net/unbind
	[ ! -e /sys/class/net/eth$n ] && echo "eth$n GONE"
	echo $device >/sys/bus/virtio/drivers/virtio_net/bind
done
kill $pids
all 2
END

"$here/bulk" serve 9000 2>"$WORK/serve" &
at_exit "kill $!"

args=(-M "q35,usb=off,smbus=off,sata=off" -device "intel-iommu,device-iotlb=on"
	-append 'console=ttyS0 quiet intel_iommu=on iommu.passthrough=0 iommu.strict=1')
for n in $nics; do
	# Only behind a port a device is one of PCI Express, which ATS takes.
	args+=(-device "pcie-root-port,id=port$n,chassis=$n,slot=$n"
		-netdev "tap,id=net$n,vhost=on,@kvi$n@"
		-device "virtio-net-pci,bus=port$n,netdev=net$n,packed=$([ "$n" = 1 ] && echo on || echo off),iommu_platform=on,ats=on,disable-legacy=on,romfile=")
done
qemu_start qemu kvi0=1 kvi1=1 -- "${args[@]}"
for n in $nics; do
	if ! link_up "kvi$n" || ! ip addr add "10.77.$n.1/24" dev "kvi$n" ||
		! ip addr add "fd77:$n::1/64" dev "kvi$n" nodad; then
		diagnose "$WORK/qemu.out"
		exit 1
	fi
done

# asked PACKED: translations that the queues of the device have asked for
asked()
{
	awk -v packed="$1" '
		/^device/ {
			for (i = 1; i < NF; i++)
				if ($i == "features")
					f = $(i + 1)
			# RING_PACKED is bit 34
			on = (substr(f, length(f) - 8, 1) ~ /[4567c-f]/) == packed
		}
		/^queue/ && on {
			for (i = 1; i < NF; i++)
				if ($i == "misses")
					n += $(i + 1)
		}
		END { print n + 0 }' /sys/kernel/debug/kvhost/net-*
}

if ! guest_says READY; then
	diagnose "$WORK/qemu.console"
	diagnose "$WORK/qemu.out"
fi
misses=("$(asked 0)" "$(asked 1)")
serve 9003 true
# The guest ends with a power-off, which -no-shutdown makes a pause.
guest_says KVHOST-EXIT
again=("$(asked 0)" "$(asked 1)")
malformed=$(tr : ' ' </proc/net/dev | awk '/^ *kvi/ { n += $4 + $7; d++ } END { print d == 2 ? n : "?" }')
echo quit >&4
guest_end

for n in $nics; do
	kind=${kinds[n]}
	expect "$kind: so it is in the guest, with ACCESS_PLATFORM" said qemu "^eth$n FEATURES 1$n"
	expect "$kind: ping" said qemu "^eth$n PING 1"
	expect "$kind: all bytes arrive both ways" said qemu "^eth$n MOVED 1"
	expect "$kind: ${misses[n]} translations were asked for" [ "${misses[n]}" -gt 100 ]
	expect "$kind: after the reset for $((again[n] - misses[n])) more" \
		[ "$((again[n] - misses[n]))" -gt 100 ]
done
again_moved()
{
	said qemu "^eth0 PING 2" && said qemu "^eth1 PING 2" &&
		said qemu "^eth0 MOVED 2" && said qemu "^eth1 MOVED 2"
}
reset()
{
	said qemu '^eth0 GONE' && said qemu '^eth1 GONE'
}
expect 'both devices are reset amid traffic' reset
expect 'ping and all bytes both ways after the reset' again_moved
expect "no packet with a bad header: $malformed" [ "$malformed" = 0 ]
expect 'QEMU ends well, and nothing is left behind' clean_again "$before"
finish
