#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `kvhost stat` tells of a VM what the guest's own kernel counted, by debugfs and
# by the control socket alike, and what to do where it cannot.
#
#	vda backend=kernel: read and written a number of times the guest knows
#	vdb backend=user: where the guest waits for a word from us

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

need_vm
GUEST_SECONDS=90
plan 16
before=$(leftovers)
for name in a b; do
	truncate -s 4M "$WORK/$name"
	chmod 666 "$WORK/$name"
done
socket=$WORK/socket

make_initrd stat <<'END'
dd if=/dev/vda of=/dev/null bs=4k count=50 iflag=direct 2>/dev/null
dd if=/dev/zero of=/dev/vda bs=8k count=30 oflag=direct 2>/dev/null
set -- $(cat /sys/block/vda/stat)
echo "COUNTED $1 $3 $5 $7"
word=
while [ "$word" != go ]; do
	word=$(dd if=/dev/vdb bs=512 count=1 iflag=direct 2>/dev/null | head -c 2)
	sleep 0.1
done
echo LOADED
while :; do dd if=/dev/vda of=/dev/null bs=4k iflag=direct 2>/dev/null; done
END
guest_start stat --initrd "$initrd" --append quiet --memory 256 --control "$socket" \
	--disk "path=$WORK/a,backend=kernel,queues=1" --disk "path=$WORK/b,backend=user,queues=1"
expect 'a guest reads and writes' guest_says '^COUNTED'
counted=$(sed -n 's/^COUNTED \([0-9 ]*\).*/\1/p' "$WORK/stat.console")
echo "# the guest counted reads, sectors, writes, sectors: $counted"

# stat_run NAME ARGUMENT...: output in $WORK/NAME.out, errors in $WORK/NAME.err
stat_run()
{
	local name=$1

	shift
	timeout 20 "$VMM" stat "$@" >"$WORK/$name.out" 2>"$WORK/$name.err" </dev/null
	stat_status=$?
}

# json NAME EXPRESSION: does it hold? d: devices by name, n: what the guest counted
json()
{
	python3 - "$WORK/$1.out" "$counted" "$2" <<'END' && return
import json, sys
docs = [json.loads(line) for line in open(sys.argv[1], encoding="ascii")]
n = [int(word) for word in sys.argv[2].split()]
dev = docs[-1]["devices"]
def queues(first):
    return next(d["queues"] for d in dev if d["name"].startswith(first))
sys.exit(0 if eval(f"({sys.argv[3]})") else 1)
END
	head -c 3000 "$WORK/$1.out"
	diagnose "$WORK/$1.err"
	return 1
}

stat_run pid --json "$guest_pid"
expect 'requests are those the guest counted' json pid \
	"[(q['in'], q['in_bytes'], q['out'], q['out_bytes']) for q in queues('blk-')] ==
	 [(n[0], n[1] * 512, n[2], n[3] * 512)]"
expect 'each of them is in the histogram' json pid \
	"all(sum(q['read_latency']) == q['in'] and sum(q['write_latency']) == q['out'] and
	     q['read_ns'] > 0 for q in queues('blk-'))"
expect 'the device is known by its owner' json pid \
	"len(dev) == 1 and dev[0]['owner'] == $guest_pid"

stat_run socket --json "$socket"
same()
{
	python3 - "$WORK/pid.out" "$WORK/socket.out" <<'END'
import json, sys
one, two = (json.loads(open(f, encoding="ascii").read())["devices"] for f in sys.argv[1:])
sys.exit(0 if one[0]["queues"] == two[0]["queues"] and two[0]["name"] == "disk0" else 1)
END
}
expect 'the control socket says the same' same
expect 'and tells of a disk with backend=user' json socket \
	"queues('disk1')[0]['chains'] > 0 and 'in' not in queues('disk1')[0]"

# shown NAME PATTERN
shown()
{
	[ "$stat_status" = 0 ] && grep -q "$2" "$WORK/$1.out" && return
	diagnose "$WORK/$1.out"
	diagnose "$WORK/$1.err"
	return 1
}

stat_run all
expect 'the table has a line a queue' shown all \
	"^blk-$guest_pid-[0-9]*  *0 running  *0  *${counted%% *}  *30  "

printf go | dd of="$WORK/b" conv=notrunc 2>/dev/null
guest_says '^LOADED' || diagnose "$WORK/stat.console"
stat_run rates --interval 1 --count 3 "$guest_pid"
# Of three reports the last two are wholly within the load.
busy()
{
	awk -v pid="$guest_pid" '$1 ~ "^blk-" pid { n++; if ($5 > 0 && $8 > 0 && $10 > 0) ok++ }
		END { exit !(n == 3 && ok >= 2) }' "$WORK/rates.out" && return
	diagnose "$WORK/rates.out"
	return 1
}
expect 'with --interval it shows rates' busy
stat_run two --interval 0.3 --count 2 --json "$socket"
expect 'each JSON report is a line with the time it took' json two \
	"len(docs) == 2 and all(0.25 < d['seconds'] < 5 for d in docs)"
expect 'counters go up' json two \
	"docs[1]['devices'][0]['queues'][0]['in'] > docs[0]['devices'][0]['queues'][0]['in']"

# refused NAME PATTERN
refused()
{
	[ "$stat_status" = 3 ] && [ "$(wc -l <"$WORK/$1.err")" = 1 ] &&
		grep -q -- "$2" "$WORK/$1.err" && return
	echo "# status $stat_status"
	diagnose "$WORK/$1.err"
	return 1
}
stat_run none $$
expect 'a process without a device is named' refused none "process $$ has no device"
real=$VMM
# The mount is taken away in a namespace of its own.
cat >"$WORK/unmounted" <<END
#!/bin/sh
exec unshare -m sh -c 'umount -l /sys/kernel/debug; exec "$real" "\$@"' stat "\$@"
END
cat >"$WORK/nobody" <<END
#!/bin/sh
exec setpriv --reuid nobody --regid nogroup --clear-groups "$real" "\$@"
END
chmod 755 "$WORK/unmounted" "$WORK/nobody"
VMM=$WORK/unmounted
stat_run unmounted
expect 'without debugfs it says how to mount it' refused unmounted 'mount -t debugfs'
VMM=$WORK/nobody
stat_run nobody
expect 'who is not root is told of the control socket' refused nobody 'control socket'
VMM=$real
stat_run gone "$WORK/nothere"
expect 'a socket that is not there is named' refused gone 'nothere'

"$VMM" ctl "$socket" quit
guest_end
expect 'the VM ends with status 1' ended stat 1
expect 'nothing is left behind' clean_again "$before"
finish
