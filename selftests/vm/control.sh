#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The control socket under clients of all kinds: answers of any length arrive in
# whole, slow clients get theirs, and none holds up another.

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

need_vm
need_tools python3
plan 6
before=$(leftovers)
socket=$WORK/socket
queues=64
options=()
for n in 0 1 2 3 4 5; do
	truncate -s 1M "$WORK/disk$n"
	chmod 666 "$WORK/disk$n"
	options+=(--disk "path=$WORK/disk$n,queues=$queues,workers=1")
done
make_initrd control <<'END'
echo UP
while :; do
	sleep 100
done
END
guest_start control --initrd "$initrd" --append quiet --memory 128 --control "$socket" "${options[@]}"
expect 'a VM with 384 queues runs' guest_says UP

whole()
{
	local lines

	timeout 60 "$VMM" ctl "$socket" stats >"$WORK/stats" || return
	lines=$(wc -l <"$WORK/stats")
	echo "# $(wc -c <"$WORK/stats") bytes"
	[ "$lines" = $((6 * (queues + 1))) ] && return
	echo "# $lines lines"
	return 1
}
expect 'V9: counters of all queues arrive' whole

# slow: read a byte at first, the rest after other clients had their turn
slow()
{
	python3 - "$socket" "$VMM" "$1" <<-'END'
		import socket, subprocess, sys
		path, vmm, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
		client = socket.socket(socket.AF_UNIX)
		client.settimeout(60)
		client.connect(path)
		client.sendall(b"stats\n" * count)
		answer = client.recv(1)
		subprocess.run([vmm, "ctl", path, "status"], check=True, timeout=60,
		               stdout=subprocess.DEVNULL)
		while answer.count(b"\nok\n") < count:
		    part = client.recv(65536)
		    if not part:
		        sys.exit(f"# hung up after {len(answer)} bytes")
		    answer += part
	END
}
expect 'V9: a slow client gets its answer, and others theirs' slow 1
expect 'V9: so does one that asks four times at once' slow 4

# gone: many that ask and hang up
gone()
{
	python3 - "$socket" <<-'END'
		import socket, sys
		for _ in range(50):
		    client = socket.socket(socket.AF_UNIX)
		    client.settimeout(60)
		    client.connect(sys.argv[1])
		    client.sendall(b"stats\n")
		    client.close()
	END
	timeout 60 "$VMM" ctl "$socket" status >"$WORK/out"
}
expect 'clients that hang up leave nothing behind' gone
timeout 60 "$VMM" ctl "$socket" quit
guest_end
expect 'the VM ends, and nothing is left behind' clean_again "$before"
finish
