#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# An unmodified QEMU with its network on /dev/kvhost-net (vhost=on,vhostfds=):
#
#	eth0  split ring, one queue pair, tap by name	10.77.0.0/24
#	eth1  packed ring, one queue pair	10.77.1.0/24
#	eth2  split ring, two queue pairs	10.77.2.0/24
#	eth3  packed ring, two queue pairs	10.77.3.0/24
#
# On each: ping, iperf3 both ways, 1 MiB both ways with checksums. Then the
# machine is reset amid traffic, and all but iperf3 is done once more.

# shellcheck source=selftests/clients/qemu_guest.sh
. "$(dirname "$0")/qemu_guest.sh"

NODE=/dev/kvhost-net
own_netns
need_vm
need_tools qemu-system-x86_64 iperf3 busybox
need_tun
GUEST_SECONDS=120
nics='0 1 2 3'
plan $((6 + 6 * 4))
before=$(leftovers)

mapfile -t iperf3 < <(with_libraries iperf3)
make_initrd qemu "${iperf3[@]}" <<'END'
# try WORD COMMAND...
try()
{
	word=$1
	shift
	"$@" >/tmp/try 2>&1 && echo "eth$n $word $life" || {
		echo "eth$n FAILED $word $life"
		tail -n 5 /tmp/try
	}
}

iperf()
{
	LD_LIBRARY_PATH=. timeout 30 ./iperf3 -c 10.77.$n.1 -P 2 "$@"
}

ip link set lo up
for n in 0 1 2 3; do
	ip link set eth$n up
	ip addr add 10.77.$n.2/24 dev eth$n
done
life=$(nc 10.77.0.1 9002 </dev/null)
echo "BOOT $life"
for n in 0 1 2 3; do
	# RING_PACKED is bit 34
	echo "eth$n PACKED $(cut -c 35 /sys/class/net/eth$n/device/features)"
	echo "eth$n PAIRS $(ls -d /sys/class/net/eth$n/queues/rx-* | wc -l)"
	try PING ping -c 2 -i 0.1 -W 5 10.77.$n.1
	if [ "$life" = 1 ]; then
		try SENDS iperf -t 1
		try RECEIVES iperf -t 1 -R
	fi
	nc 10.77.$n.1 9000 </dev/null >/tmp/blob
	echo "eth$n GOT $life $(md5sum </tmp/blob | cut -d' ' -f1)"
	echo "eth$n PUT $life $(nc 10.77.$n.1 9001 </tmp/blob | cut -d' ' -f1)"
done
[ "$life" = 1 ] || exit 0
# Traffic both ways on all of them, until the reset.
for n in 0 1 2 3; do
	iperf -t 100 --bidir >/dev/null &
done
busy()
{
	[ "$(cat /sys/class/net/eth3/statistics/rx_packets)" -ge 5000 ]
}

await busy
echo "BUSY"
wait
END

head -c 1M /dev/urandom >"$WORK/blob"
sum=$(md5sum <"$WORK/blob" | cut -d' ' -f1)
serve 9000 cat "$WORK/blob"
serve 9001 md5sum
serve_boots 9002

args=()
exec 6<>$NODE
for n in $nics; do
	if [ "$n" = 0 ]; then
		args+=(-netdev "tap,id=net$n,ifname=kvq$n,script=no,downscript=no,vhost=on,vhostfd=6")
	else
		args+=(-netdev "tap,id=net$n,vhost=on,@kvq$n@")
	fi
	packed=$((n % 2))
	pairs=$((n / 2 + 1))
	args+=(-device "virtio-net-pci,netdev=net$n,packed=$([ $packed = 1 ] && echo on || echo off),mq=$([ $pairs = 2 ] && echo on || echo off),vectors=$((2 * pairs + 2)),disable-legacy=on,romfile=")
done
qemu_start qemu kvq1=1 kvq2=2 kvq3=2 -- "${args[@]}"
exec 6<&-

for n in $nics; do
	if ! link_up "kvq$n" || ! ip addr add "10.77.$n.1/24" dev "kvq$n"; then
		diagnose "$WORK/qemu.out"
		exit 1
	fi
	iperf3 -s -B "10.77.$n.1" >"$WORK/iperf.$n" 2>&1 &
	at_exit "kill $!"
done

guest_says BUSY || {
	diagnose "$WORK/qemu.console"
	diagnose "$WORK/qemu.out"
}
references=$(cat /sys/module/kvhost_net/refcnt)
echo system_reset >&4
# The second life ends with a power-off, which -no-shutdown makes a pause.
guest_says 'KVHOST-EXIT'
# errors of reception: errs and frame
malformed=$(tr : ' ' </proc/net/dev | awk '/^ *kvq/ { n += $4 + $7; d++ } END { print d == 4 ? n : "?" }')
checksums=$(awk '/^(Tcp|Udp): [^0-9]/ { for (i = 2; i <= NF; i++) name[i] = $i }
	/^(Tcp|Udp): [0-9]/ { for (i = 2; i <= NF; i++) if (name[i] == "InCsumErrors") n += $i }
	END { print n }' /proc/net/snmp)
echo quit >&4
guest_end

# did NIC WORD: in both lives
did()
{
	local life

	for life in 1 2; do
		said qemu "^eth$1 $2 $life" || return
	done
}

moved()
{
	did "$1" "GOT" && did "$1" "PUT" &&
		[ "$(grep -c "^eth$1 [GP][UO]T [12] $sum" "$WORK/qemu.console")" = 4 ] && return
	diagnose "$WORK/qemu.console"
	return 1
}

expect 'the devices are served by kvhost_net' [ "$references" -ge 6 ]
expect 'a reset amid traffic: the guest boots again' said qemu '^BOOT 2'
for n in $nics; do
	kind="$([ $((n % 2)) = 1 ] && echo packed || echo split), $((n / 2 + 1)) queue pairs"
	expect "$kind: so it is in the guest" said qemu "^eth$n PACKED $((n % 2))"
	expect "$kind: as many in the guest" said qemu "^eth$n PAIRS $((n / 2 + 1))"
	expect "$kind: ping" did "$n" PING
	expect "$kind: iperf3 from the guest" said qemu "^eth$n SENDS"
	expect "$kind: iperf3 to the guest" said qemu "^eth$n RECEIVES"
	expect "$kind: 1 MiB both ways" moved "$n"
done
expect "no packet with a bad header: $malformed" [ "$malformed" = 0 ]
expect "no packet with a bad checksum: $checksums" [ "$checksums" = 0 ]
expect 'QEMU ends well' ended qemu 0
expect 'nothing is left behind' clean_again "$before"
finish
