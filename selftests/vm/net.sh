#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A guest's network, on every backend there is, in one guest:
#
#	eth0  user     tap, two queue pairs    10.77.0.0/24, fd77:0::/64, VLAN 5, MTU 9000
#	eth1  user     passt                   address by DHCP, the host at its gateway;
#	                                       1 MiB both ways, down by HTTP
#	eth2  kernel   tap, two queue pairs    as eth0, with 10.77.2.0/24 (where there
#	                                       is /dev/kvhost-net)
#
# On each tap: ping of IPv4, IPv6, VLAN and jumbo packets, 1 MiB both ways with
# checksums, and traffic on both pairs. Then the guest reboots, and pings and
# transfers on the taps again.

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

need_vm
need_tun
GUEST_SECONDS=90
kernel_node=${KVHOST_NET_NODE:-/dev/kvhost-net}
taps=0
[ -c "$kernel_node" ] && taps='0 2'
plan 31
before=$(leftovers)
modprobe 8021q || exit 1

# tap N: a host's side of ethN, with its addresses
tap()
{
	ip tuntap add "kvt$1" mode tap multi_queue user nobody || exit 1
	at_exit "ip link del kvt$1"
	echo 0 >"/proc/sys/net/ipv6/conf/kvt$1/accept_dad"
	ip link set "kvt$1" mtu 9000 up
	ip link add link "kvt$1" name "kvt$1.5" type vlan id 5
	ip addr add "10.77.$1.1/24" dev "kvt$1"
	ip addr add "fd77:$1::1/64" dev "kvt$1"
	ip addr add "10.78.$1.1/24" dev "kvt$1.5"
	ip link set "kvt$1.5" up
}

for n in $taps; do
	tap "$n"
done
# What passt takes a guest's address from.
ip link add kvtdummy type dummy && ip addr add 10.79.0.5/24 dev kvtdummy &&
	ip link set kvtdummy up && ip route add default via 10.79.0.1 dev kvtdummy || exit 1
at_exit 'ip link del kvtdummy'
ip link set lo up

head -c 1M /dev/urandom >"$WORK/blob"
sum=$(md5sum <"$WORK/blob" | cut -d' ' -f1)
chmod 644 "$WORK/blob"
serve 9000 cat "$WORK/blob"
serve 9001 md5sum
mkdir "$WORK/www" && ln "$WORK/blob" "$WORK/www/blob" && chmod 755 "$WORK/www" || exit 1
busybox httpd -f -p 9004 -h "$WORK/www" >>"$WORK/serve.err" 2>&1 &
at_exit "kill $!"
serve_boots 9002

cat >"$WORK/udhcpc" <<'END'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/24" dev "$interface"
echo "$ip $router" >/tmp/lease
END

echo "taps='$taps'" >"$WORK/taps"
make_initrd net "$WORK/udhcpc" "$WORK/taps" <<'END'
. ./taps
up()
{
	for f in /proc/sys/net/ipv6/conf/*/accept_dad; do
		echo 0 >$f
	done
	ip link set eth$1 up
	ip addr add 10.77.$1.2/24 dev eth$1
	ip addr add fd77:$1::2/64 dev eth$1
	ip link add link eth$1 name vlan$1 type vlan id 5
	ip addr add 10.78.$1.2/24 dev vlan$1
	ip link set vlan$1 up
}

# try WORD COMMAND...
try()
{
	word=$1
	shift
	"$@" >/tmp/try 2>&1 && echo "eth$n $word" || { echo "eth$n FAILED $word"; tail -n 5 /tmp/try; }
}

get()
{
	echo "eth$n GOT $(nc $1 9000 </dev/null | md5sum | cut -d' ' -f1)"
}

put()
{
	echo "eth$n PUT $(nc $1 9001 </tmp/blob | cut -d' ' -f1)"
}

ip link set lo up
for n in $taps; do
	up $n
done
boots=$(nc 10.77.0.1 9002 </dev/null)
echo "BOOT $boots"
nc 10.77.0.1 9000 </dev/null >/tmp/blob
for n in $taps; do
	try PING$boots ping -c 2 -i 0.1 -W 5 10.77.$n.1
	put 10.77.$n.1
	get 10.77.$n.1
	[ "$boots" = 1 ] || continue
	echo "eth$n MTU $(cat /sys/class/net/eth$n/mtu)"
	try JUMBO ping -c 2 -i 0.1 -W 5 -s 8900 10.77.$n.1
	try IPV6 ping6 -c 2 -i 0.1 -W 5 fd77:$n::1
	try VLAN ping -c 2 -i 0.1 -W 5 10.78.$n.1
	(taskset 1 nc 10.77.$n.1 9001 </tmp/blob >/tmp/a &
	taskset 2 nc 10.77.$n.1 9001 </tmp/blob >/tmp/b
	wait)
	echo "eth$n TWO $(cut -d' ' -f1 /tmp/a /tmp/b | uniq | tr '\n' ' ')"
done
[ "$boots" = 1 ] || exit 0
n=1
ip link set eth1 up
chmod 755 ./udhcpc
try DHCP udhcpc -f -n -q -t 8 -T 1 -i eth1 -s ./udhcpc
read -r address router </tmp/lease
echo "eth1 LEASE $address $router"
# Debian 12's passt does not hand on that one side has finished: the host is to
# close first, and the answer of nc is all there is to wait for.
echo "eth1 GOT $(wget -q -O - http://$router:9004/blob | md5sum | cut -d' ' -f1)"
nc $router 9001 </tmp/blob >/tmp/answer &
nc=$!
await [ -s /tmp/answer ]
kill $nc
echo "eth1 PUT $(cut -d' ' -f1 /tmp/answer)"
echo READY
echo reboot >/run/after
# until the host has looked at the counters
await nc 10.77.0.1 9003 </dev/null 2>/dev/null
END

nets=(--net "tap=kvt0,backend=user,queues=2" --net user)
[ "$taps" = 0 ] || nets+=(--net "tap=kvt2,backend=kernel,node=$kernel_node,queues=2")
guest_start net --initrd "$initrd" --append quiet --memory 256 --cpus 2 \
	--control "$WORK/control" "${nets[@]}"
guest_says READY || diagnose "$WORK/net.console"
timeout 20 "$VMM" ctl "$WORK/control" status >"$WORK/status" 2>&1
serve 9003 true
guest_end

# used DEVICE QUEUE: it has moved packets
used()
{
	awk -v dev="[$1]" -v key="queue$2.chains" -F= '
		/^\[/ { on = $0 == dev }
		on && $1 == key { found = $2 > 5 }
		END { exit !found }' "$WORK/status" && return
	diagnose "$WORK/status" 200
	return 1
}

both_pairs()
{
	used "$1" 0 && used "$1" 1 && used "$1" 2 && used "$1" 3
}

# times COUNT PATTERN: that many lines of the console
times()
{
	[ "$(grep -c -- "$2" "$WORK/net.console")" = "$1" ] && return
	said net "$2"
	return 1
}

expect 'the guest boots, and once more after its reboot' said net 'BOOT 2'
expect 'it ends with status 0' ended net 0
for n in 0 2; do
	backend=user
	dev=net0
	if [ $n = 2 ]; then
		backend=kernel
		dev=net2
		if [ "$taps" = 0 ]; then
			for promise in ping put get mtu jumbo ipv6 vlan two again; do
				skip "backend=kernel: $promise" "no $kernel_node"
			done
			skip 'backend=kernel: pairs' "no $kernel_node"
			continue
		fi
	fi
	expect "backend=$backend: ping" said net "eth$n PING1"
	expect "backend=$backend: what the guest sends arrives, in both lives" \
		times 2 "eth$n PUT $sum"
	expect "backend=$backend: what the host sends arrives, in both lives" \
		times 2 "eth$n GOT $sum"
	expect "backend=$backend: the guest has the interface's MTU" said net "eth$n MTU 9000"
	expect "backend=$backend: jumbo packets" said net "eth$n JUMBO"
	expect "backend=$backend: IPv6" said net "eth$n IPV6"
	expect "backend=$backend: VLAN" said net "eth$n VLAN"
	expect "backend=$backend: two streams at once" said net "eth$n TWO $sum"
	if [ $backend = kernel ] && ! grep -q kvhost <<<"$kernel_node"; then
		skip "backend=$backend: both pairs are used" 'no counters'
	else
		expect "backend=$backend: both pairs are used" both_pairs $dev
	fi
	expect "backend=$backend: ping after the reboot" said net "eth$n PING2"
done
expect 'passt: DHCP' said net 'eth1 LEASE 10.79.0.5 10.79.0.1'
expect 'passt: what the guest sends arrives' said net "eth1 PUT $sum"
expect 'passt: what the host sends arrives' said net "eth1 GOT $sum"
expect 'nothing is left behind' clean_again "$before"

gone()
{
	local try

	for try in $(seq 100); do
		pgrep -x 'passt(\.avx2)?' >/dev/null || return 0
		sleep 0.1
	done
	echo "# passt still runs after $try looks"
	return 1
}
expect 'passt ends with the VM' gone

# refused PATTERN NET: a --net that cannot work gets a line, and no VM
refused()
{
	timeout 20 "$VMM" run --kernel "$KERNEL" --serial none --net "$2" </dev/null \
		>"$WORK/refused" 2>&1
	grep -q -- "$1" "$WORK/refused" && return
	diagnose "$WORK/refused"
	return 1
}
expect 'a tap that is not there is refused' refused "no interface 'kvt9'" tap=kvt9

network()
{
	ip -br link
	nft list tables
	cat /proc/sys/net/ipv4/ip_forward
}

# tools/net, down to the last rule.
made()
{
	"$LIB_TOP/tools/net" up kvtnat --owner nobody --address 10.80.0.1/24 >"$WORK/made" 2>&1 &&
		ip -br addr show br-kvtnat | grep -q 10.80.0.1/24 &&
		nft list table ip kvhost-kvtnat | grep -q masquerade && return
	diagnose "$WORK/made"
	return 1
}

unmade()
{
	"$LIB_TOP/tools/net" down kvtnat >"$WORK/unmade" 2>&1 && [ "$(network)" = "$1" ] && return
	diagnose "$WORK/unmade"
	network | sed 's/^/# /'
	return 1
}

was=$(network)
at_exit "$LIB_TOP/tools/net down kvtnat"
expect 'tools/net up makes tap, bridge, address and NAT' made
twice()
{
	! "$LIB_TOP/tools/net" up kvtnat >"$WORK/twice" 2>&1 && grep -q already "$WORK/twice"
}
expect 'but not twice' twice
expect 'tools/net down removes it all' unmade "$was"
finish
