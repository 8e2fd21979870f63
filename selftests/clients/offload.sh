#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Checksum and segmentation offload between a guest, kvhost_net and a tap, in all
# combinations, and what packets look like then.
#
#	guest         this namespace                         "kvofar"
#	eth0 split  - kvo0, br0, kvv0 (does no offloads)  -  kvf0    10.77.0.0/24
#	eth1 packed - kvo1, br1, kvv1 (does no offloads)  -  kvf1    10.77.1.0/24
#
# kvf hands over large packets without sums, and is handed what the host's stack
# has finished on kvv: there every sum has to be right, as on the tap where the
# guest sends, or is sent, finished packets. One combination after the other is set
# with ethtool in the guest, which is by its control queue, and on the tap
# (NET-034, NET-043 to NET-048, NET-053, NET-110).

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

NODE=/dev/kvhost-net
own_netns
need_vm
need_tools ethtool iperf3 tcpdump
need_tun
here=$(realpath "$(dirname "$0")")
GUEST_SECONDS=180
nics='0 1'
kinds=(split packed)
plan 12
before=$(leftovers)

ip netns add kvofar || exit 1
at_exit 'ip netns del kvofar'
far()
{
	ip netns exec kvofar "$@"
}

for n in $nics; do
	ip tuntap add "kvo$n" mode tap
	ip link add "br$n" type bridge forward_delay 0 mcast_snooping 0
	ip link add "kvv$n" type veth peer name "kvf$n" netns kvofar || exit 1
	ethtool -K "kvv$n" tx off sg off >"$WORK/ethtool" || exit 1
	far ethtool -K "kvf$n" gro off || exit 1
	for port in "kvo$n" "kvv$n"; do
		ip link set "$port" master "br$n" up
	done
	ip link set "br$n" up
	ip addr add "10.77.$n.1/24" dev "br$n"
	far ip addr add "10.77.$n.2/24" dev "kvf$n"
	far ip addr add "fd77:$n::2/64" dev "kvf$n" nodad
	far ip link set "kvf$n" up
	ip netns exec kvofar iperf3 -s -B "10.77.$n.2" >"$WORK/iperf.$n" 2>&1 &
	at_exit "kill $!"
done
cp "$here/bulk" "$WORK/bulk"
# Not by far(): the shell it would be in is not what has to be killed.
ip netns exec kvofar "$WORK/bulk" serve 9000 >"$WORK/serve" 2>&1 &
at_exit "kill $!"

# What the guest hands over in one piece, as ethtool has it: csum sg tso4 tso6 uso.
# What the guest takes so is decided by both: gro-hw in the guest, and the tap.
uso=0
ethtool -k kvo0 | grep -q '^tx-udp-segmentation.*fixed' || uso=1
sends=('0 0 0 0 0' '1 0 0 0 0' '1 1 0 0 0' '1 1 1 0 0' '1 1 0 1 0' '1 1 1 1 0')
[ $uso = 0 ] || sends+=('1 1 1 1 1' '1 1 0 0 1')
# gro-hw, of the tap csum tso4 tso6 uso
takes=("1 1 1 1 $uso" '1 1 1 0 0' '1 1 0 1 0' "1 1 0 0 $uso" '1 0 0 0 0' '0 1 0 0 0' '0 0 0 0 0')

features()
{
	local name

	for name in "$@"; do
		printf '%s %s ' "${name%=*}" "$([ "${name#*=}" = 1 ] && echo on || echo off)"
	done
}

# steps: for each step and NIC a line: what the guest sends, takes, and both for
# ethtool. The two have nothing to do with each other, so they go side by side, on
# the NICs in another order, and with them gro in the guest, first on and then off.
steps()
{
	local step n send take

	for ((step = 0; step < count; step++)); do
		for n in $nics; do
			send=${sends[(step + 3 * n) % ${#sends[@]}]}
			take="$(((step + n + 1) % 2)) ${takes[step % ${#takes[@]}]}"
			# shellcheck disable=SC2086 # a list each
			echo "$n|$step|$send|$take|$(guest_features $send $take)|$(tap_features $take)"
		done
	done
}

guest_features()
{
	features "tx-checksum-ip-generic=$1" "tx-scatter-gather=$2" \
		"tx-tcp-segmentation=$3" "tx-tcp6-segmentation=$4" "generic-receive-offload=$6" \
		"rx-gro-hw=$7"
	[ $uso = 0 ] || features "tx-udp-segmentation=$5"
}

tap_features()
{
	features "tx-checksum-ip-generic=$3" "generic-receive-offload=$1"
	[ "$2" = 0 ] || features "tx-tcp-segmentation=$4" "tx-tcp6-segmentation=$5"
	[ "$2 $uso" != '1 1' ] || features "tx-udp-segmentation=$6"
}

count=$((${#takes[@]} > ${#sends[@]} ? ${#takes[@]} : ${#sends[@]}))
steps >"$WORK/steps"
mapfile -t programs < <(with_libraries ethtool iperf3)
make_initrd offload "$WORK/steps" "$here/bulk" "${programs[@]}" <<'JOB'
export LD_LIBRARY_PATH=.
ip link set lo up
for n in 0 1; do
	ip link set eth$n up
	ip addr add 10.77.$n.3/24 dev eth$n
	echo 0 >/proc/sys/net/ipv6/conf/eth$n/accept_dad
	ip addr add fd77:$n::3/64 dev eth$n
done
failures=0
fail()
{
	echo "FAILED eth$n step $step: $*"
	tail -n 5 /tmp/out
	failures=$((failures + 1))
}

while IFS='|' read -r n step _ _ guest tap <&3; do
	./ethtool -K eth$n $guest >/tmp/out 2>&1 || fail ethtool $guest
	echo "$n $tap" | nc 10.77.$n.1 9002 >/tmp/out
	grep -q DONE /tmp/out || fail "the tap: $tap"
	first=$((20000 + 1000 * n + 10 * step))
	if ./bulk run 9000 $first 10.77.$n.2 fd77:$n::2 >/tmp/out 2>&1; then
		echo "eth$n MOVED $step"
	else
		fail bulk
	fi
	[ $failures -lt 3 ] || break
	[ $((step % 4)) = 0 ] || continue
	if timeout 20 ./iperf3 -c 10.77.$n.2 -n 256K --bidir --cport $((first + 6)) >/tmp/out 2>&1; then
		echo "eth$n IPERF $step"
	else
		fail iperf3
	fi
done 3<steps
awk '/^(Tcp|Udp): [^0-9]/ { for (i = 2; i <= NF; i++) name[i] = $i }
	/^(Tcp|Udp): [0-9]/ { for (i = 2; i <= NF; i++) if (name[i] == "InCsumErrors") n += $i }
	END { print "SUMS", n }' /proc/net/snmp
JOB

# tap_set: "N FEATURE on|off..." on stdin, from the guest
cat >"$WORK/tap-set" <<'END'
#!/bin/sh
read -r n features
ethtool -K kvo$n $features 2>&1 && echo DONE
END
chmod 755 "$WORK/tap-set"
serve 9002 "$WORK/tap-set"

# capture NAME COMMAND...: with as much of a buffer as nothing is lost
capture()
{
	"${@:2}" -Z root -n -s 0 -B 16384 --immediate-mode -U -w "$WORK/$1.pcap" 'tcp or udp' >"$WORK/$1.tcpdump" 2>&1 &
	captures+=($!)
	at_exit "kill $!"
	line_comes "$WORK/$1.tcpdump" $! 20 'listening on' || diagnose "$WORK/$1.tcpdump"
}

captures=()
nets=()
for n in $nics; do
	capture "from$n" tcpdump -i "kvo$n" -Q in
	capture "to$n" tcpdump -i "kvo$n" -Q out
	capture "far$n" ip netns exec kvofar tcpdump -i "kvf$n" -Q in
	nets+=(--net "tap=kvo$n,packed=$([ "$n" = 1 ] && echo on || echo off)")
done
guest offload --initrd "$initrd" --append quiet --memory 256 --cpus 2 "${nets[@]}"
malformed=$(tr : ' ' </proc/net/dev | awk '/^ *kvo/ { n += $4 + $7; d++ } END { print d == 2 ? n : "?" }')
# Until nothing more is written: what tcpdump has not read when it ends is lost.
written()
{
	stat -c %s "$WORK"/*.pcap | paste -sd+
}

was=
for ((try = 0; try < 50; try++)); do
	now=$(written)
	[ "$now" = "$was" ] && break
	was=$now
	sleep 0.3
done
for pid in "${captures[@]}"; do
	kill "$pid"
	wait "$pid"
done

# table CAPTURE: for each port of the guest: packets, those with a wrong sum, bytes
# of the largest, as tcpdump sees them
table()
{
	tcpdump -r "$WORK/$1.pcap" -t -n -vv 2>>"$WORK/tcpdump.err" | awk '
		function done(	port, i, n, word) {
			n = split(text, word, /[ .:,]+/)
			for (i = 1; i <= n && word[i] != ">"; i++)
				;
			port = 0
			match(text, /\.[0-9]+ > /)
			port = substr(text, RSTART + 1) + 0
			if (port < 20000 || port > 29999) {
				match(text, / > [0-9a-f.:]+: /)
				port = substr(text, RSTART, RLENGTH - 2)
				sub(/.*\./, "", port)
			}
			packets[port]++
			if (text !~ /cksum 0x[0-9a-f]+ \(correct\)|\[udp sum ok\]/ || text ~ /bad cksum/)
				wrong[port]++
			sub(/.*length /, "", text)
			if (text + 0 > largest[port])
				largest[port] = text + 0
		}
		/^IP/ { if (text) done(); text = "" }
		{ text = text " " $0 }
		END {
			if (text)
				done()
			for (port in packets)
				print port, packets[port], wrong[port] + 0, largest[port]
		}' >"$WORK/$1.table"
}
for n in $nics; do
	for at in from to far; do
		table "$at$n" &
		tables+=($!)
	done
done
wait "${tables[@]}"

# judge N WHAT: holds the tables of a NIC against the steps; WHAT is "sums" or "sizes"
judge()
{
	awk -v n="$1" -v what="$2" -v work="$WORK" '
		function load(at,	file, row) {
			file = work "/" at n ".table"
			while ((getline row < file) > 0) {
				split(row, word, " ")
				packets[at, word[1]] = word[2]
				wrong[at, word[1]] = word[3]
				largest[at, word[1]] = word[4]
			}
		}
		function bad(at, port, why) {
			printf "# eth%d step %d, sends %s, takes %s: %s, flow %d: %s;", n, step, $3, $4, at, port - first, why
			printf " %d packets, %d wrong sums, largest %d\n", packets[at, port], wrong[at, port], largest[at, port]
			failed = 1
		}
		# On this side there are sums still to fill in, if and only if @open.
		function sums(at, port, open) {
			if (!packets[at, port])
				bad(at, port, "nothing came")
			else if (!open && wrong[at, port])
				bad(at, port, "wrong sums")
			else if (open && !wrong[at, port])
				bad(at, port, "offload was not used")
		}
		# More than an MTU in one piece, if and only if @large.
		function sizes(at, port, large) {
			if (large != (largest[at, port] > 1472))
				bad(at, port, large ? "nothing large" : "large")
		}
		BEGIN { FS = "|"; load("from"); load("to"); load("far") }
		$1 != n { next }
		{
			step = $2
			first = 20000 + 1000 * n + 10 * step
			# csum sg tso4 tso6 uso; gro gro-hw csum tso4 tso6 uso
			split($3, send, " ")
			split($4, take, " ")
			for (i = 0; i < 6 && what == "sums"; i++) {
				sums("far", first + i, 0)
				# Datagrams cut by software are finished by it, too.
				if (i % 3 != 2 || !send[1])
					sums("from", first + i, send[1])
				if (i % 3 != 2 || !take[3])
					sums("to", first + i, take[3])
			}
			for (i = 0; i < 6 && what == "sizes"; i += 3) {
				sizes("from", first + i, send[3 + i / 3])
				sizes("from", first + i + 2, send[5])
				sizes("to", first + i + 1, take[2] && take[4 + i / 3])
				sizes("to", first + i + 2, take[2] && take[6])
				sizes("far", first + i, 0)
				sizes("far", first + i + 2, 0)
			}
			steps++
		}
		END { exit failed || !steps }' "$WORK/steps" && return
	return 1
}

# times COUNT PATTERN: that many lines of the console
times()
{
	[ "$(grep -c -- "$2" "$WORK/offload.console")" = "$1" ] && return
	said offload "$2"
	diagnose "$WORK/offload.console" 40
	return 1
}

echo "# ${#takes[@]} ways to take, ${#sends[@]} ways to send; packets on the taps: $(cat "$WORK"/{from,to}*.table |
	awk '{ n += $2 } END { print n }'), behind them: $(cat "$WORK"/far*.table | awk '{ n += $2 } END { print n }')"
expect 'the guest ends with status 0' ended offload 0
for n in $nics; do
	kind=${kinds[n]}
	expect "$kind: all bytes arrive, both ways, IPv4 and IPv6, TCP and UDP" \
		times "$count" "^eth$n MOVED"
	expect "$kind: iperf3 both ways" times 2 "^eth$n IPERF"
	expect "$kind: right checksums wherever they are not left to somebody else" judge "$n" sums
	expect "$kind: large packets where they were asked for, nowhere else" judge "$n" sizes
done
expect 'no packet with a bad checksum in the guest' said offload '^SUMS 0'
expect "no packet with a bad header: $malformed" [ "$malformed" = 0 ]
expect 'nothing is left behind' clean_again "$before"
finish
