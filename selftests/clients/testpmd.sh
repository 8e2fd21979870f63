#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# DPDK's virtio_user on /dev/kvhost-net, as it is used with /dev/vhost-net: frames
# sent into one tap come out of the other, all, once, in order, unchanged, and
# testpmd's own counts say the same.
#
#	relay --> tap --> kvhost-net --> testpmd --> kvhost-net --> tap --> relay
#
# Split and packed rings, both with and without IN_ORDER, both with mergeable
# buffers (even ports) and without (odd ports); each port receives and sends.

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

NODE=/dev/kvhost-net
own_netns
need_tools dpdk-testpmd
need_tun
[ -c "$NODE" ] || {
	echo "Bail out! $NODE is missing: load kvhost_net first"
	exit 1
}
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6

# name, packed_vq, in_order; ports 2N and 2N+1
modes=('split 0 0' 'packed 1 0' 'split,in-order 0 1' 'packed,in-order 1 1')
count=2000
here=$(realpath "$(dirname "$0")")
plan $((4 * ${#modes[@]} + 2))
before=$(leftovers)
WORK=$(mktemp -d /dev/shm/kvhost-dpdk.XXXXXX)
at_exit "rm -rf $WORK"

# MiB for testpmd, as huge pages
pages=$(cat /proc/sys/vm/nr_hugepages)
echo $((pages + 64)) >/proc/sys/vm/nr_hugepages
at_exit "echo $pages >/proc/sys/vm/nr_hugepages"

vdevs=()
for ((m = 0; m < ${#modes[@]}; m++)); do
	read -r _ packed in_order <<<"${modes[m]}"
	for merge in 1 0; do
		port=$((2 * m + 1 - merge))
		vdevs+=("--vdev=net_virtio_user$port,path=$NODE,iface=kvd$port,queues=1,queue_size=256,packed_vq=$packed,in_order=$in_order,mrg_rxbuf=$merge")
	done
done
mkfifo "$WORK/keys"
# Both ends, or the shell waits for the other.
exec 3<>"$WORK/keys"
stdbuf -oL dpdk-testpmd -l 0,1 --no-pci --in-memory -m 96 --no-telemetry --file-prefix=kvhost "${vdevs[@]}" -- \
	--forward-mode=io --port-topology=paired --no-flush-rx --total-num-mbufs=12000 \
	--rxd=256 --txd=256 --disable-link-check <&3 >"$WORK/out" 2>&1 &
testpmd=$!
at_exit "kill -9 $testpmd"

line_comes "$WORK/out" "$testpmd" 90 'Press enter to exit' || {
	diagnose "$WORK/out" 40
	not_ok 'testpmd starts'
	exit 1
}
for ((port = 0; port < 2 * ${#modes[@]}; port++)); do
	ip link set "kvd$port" up
done

# agreed PACKED IN-ORDER MERGEABLE: how many devices have just these of the three
agreed()
{
	local features bits n=0

	while read -r features; do
		bits="$((features >> 34 & 1)) $((features >> 35 & 1)) $((features >> 15 & 1))"
		[ "$bits" = "$1 $2 $3" ] && n=$((n + 1))
	done < <(sed -n 's/^device net .*features //p' /sys/kernel/debug/kvhost/net-*)
	echo "$n"
}
for mode in "${modes[@]}"; do
	read -r name packed in_order <<<"$mode"
	expect "$name: so it was agreed on, mergeable and not" \
		[ "$(agreed "$packed" "$in_order" 0) $(agreed "$packed" "$in_order" 1)" = '1 1' ]
done

relay()
{
	"$here/relay" "$1" "$2" "$count" 2>"$WORK/relay" && return
	diagnose "$WORK/relay"
	return 1
}
for ((m = 0; m < ${#modes[@]}; m++)); do
	name=${modes[m]%% *}
	expect "$name: received mergeable, sent: all frames of $count" \
		relay "kvd$((2 * m))" "kvd$((2 * m + 1))"
	expect "$name: received not mergeable, sent: all frames of $count" \
		relay "kvd$((2 * m + 1))" "kvd$((2 * m))"
done

echo >&3
timeout 30 tail --pid="$testpmd" -s 0.1 -f /dev/null
wait "$testpmd"
status=$?

# counted PORT: received and sent, by testpmd
counted()
{
	sed -n "/Forward statistics for port $1 /,/------\$/p" "$WORK/out" |
		sed -n 's/.*[RT]X-packets: *\([0-9]*\).*/\1/p' | paste -sd' '
}

both()
{
	[ "$(counted "$1")" = "$count $count" ] && [ "$(counted "$2")" = "$count $count" ] && return
	echo "# received and sent by port $1: $(counted "$1"); by port $2: $(counted "$2")"
	diagnose "$WORK/out" 60
	return 1
}
for ((m = 0; m < ${#modes[@]}; m++)); do
	expect "${modes[m]%% *}: testpmd has counted as many" both $((2 * m)) $((2 * m + 1))
done
expect 'testpmd ends well' [ $status = 0 ]
expect 'nothing is left behind' clean_again "$before"
finish
