#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# V6: a guest writes to a terminal that nobody reads. It waits for room, but the
# program does not: it answers, and it ends when it is told to.

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

need_vm
GUEST_SECONDS=60
plan 4
socket=$WORK/socket

make_initrd console <<'END'
while :; do echo 'a line that nobody will ever read, of some sixty characters'; done
END

# fills TRY: whether the guest fills its terminal before some limit
fills()
{
	local look

	"$(dirname "$0")/deaf" "$WORK/full" "$VMM" run --kernel "$GUEST_KERNEL" \
		--initrd "$initrd" --memory 256 --control "$socket" --serial stdio </dev/null &
	guest_pid=$!
	for ((look = 0; look < 400; look++)); do
		[ -e "$WORK/full" ] && return
		kill -0 "$guest_pid" 2>/dev/null || return
		sleep 0.1
	done
	echo "# try $1: the terminal is not full"
	return 1
}

# As guest_start() does: an emulated guest may be lost while its kernel boots.
fills_in_the_end()
{
	local try

	for try in 1 2 3; do
		fills "$try" && return
		guest_kill
	done
	return 1
}

answers()
{
	timeout 20 "$VMM" ctl "$socket" status >"$WORK/status" 2>&1 && return
	diagnose "$WORK/status"
	return 1
}

expect 'V6 a terminal that nobody reads is full at some time' fills_in_the_end
expect 'V6 the control socket answers meanwhile' answers
expect 'V6 quit is obeyed meanwhile' timeout 20 "$VMM" ctl "$socket" quit
guest_end
expect 'V6 the program has ended as it was told' [ "$guest_status" = 1 ]
finish
