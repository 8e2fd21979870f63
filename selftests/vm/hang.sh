#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# V5: a disk that hangs holds up nobody but those that need it.
#
#	vda --> dm, suspended under a guest at work
#
# The control socket answers, a reset waits without holding anything up, and quit
# and SIGTERM end the VM with a line that names the disk. Both backends.

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

need_vm
if ! modprobe -q dm-mod || ! command -v dmsetup >/dev/null; then
	skip_all 'no device-mapper or no dmsetup'
fi
plan 31
before=$(leftovers)
socket=$WORK/socket
null_blk kvh_hang 16 || exit 1
base=$disk
dmsetup create kvh_hang --table "0 32768 linear $base 0" || exit 1
at_exit "dmsetup resume kvh_hang; dmsetup remove --retry kvh_hang; dmsetup mknodes"
dmsetup mknodes
mapper=/dev/mapper/kvh_hang

make_initrd hang "$(dirname "$0")/churn" <<'END'
./churn vda
END

# ctl STATUS ARGUMENT...: does `kvhost ctl` end with it, and in time?
ctl()
{
	local status=$1 got

	shift
	timeout 60 "$VMM" ctl "$socket" "$@" >"$WORK/ctl.out" 2>"$WORK/ctl.err"
	got=$?
	[ "$got" = "$status" ] && return
	echo "# ctl $* ended with $got"
	diagnose "$WORK/ctl.out"
	diagnose "$WORK/ctl.err"
	return 1
}

answers()
{
	ctl 0 status && grep -q "$1" "$WORK/ctl.out" && return
	diagnose "$WORK/ctl.out"
	return 1
}

# held_up: wait until the reset has got as far as the disk
held_up()
{
	local try

	for try in $(seq 50); do
		timeout 60 "$VMM" ctl "$socket" status >"$WORK/ctl.out" 2>&1
		grep -q '^waits_for=disk0' "$WORK/ctl.out" && return
		sleep 0.1
	done
	echo "# after $try looks the VM does not wait for disk0"
	diagnose "$WORK/ctl.out"
	return 1
}

# in_flight: wait until the guest has something of the hanging disk
in_flight()
{
	local try

	for try in $(seq 100); do
		timeout 60 "$VMM" ctl "$socket" status >"$WORK/ctl.out" 2>&1
		grep -q '^queue0.in_flight=[1-9]' "$WORK/ctl.out" && return
		sleep 0.1
	done
	echo "# after $try looks nothing is in flight"
	diagnose "$WORK/ctl.out"
	return 1
}

named()
{
	grep -q "disk0 ('$mapper').*giving up" "$WORK/hang.out" && return
	diagnose "$WORK/hang.out"
	return 1
}

# hang BACKEND: a guest at work on a disk that hangs
hang()
{
	guest_start hang --initrd "$initrd" --append quiet --memory 128 --control "$socket" \
		--disk "path=$mapper,backend=$1,queues=1"
	expect "backend=$1: a guest uses the disk" guest_says 'BEAT vda'
	dmsetup suspend --noflush --nolockfs kvh_hang
	expect "backend=$1: requests hang" in_flight
	expect "backend=$1: status answers" answers '^\[disk0\]'
}

for backend in kernel user; do
	hang $backend
	expect "backend=$backend: a reset is taken" ctl 0 reset
	expect "backend=$backend: status tells what it waits for" held_up
	expect "backend=$backend: what needs the disk is refused in time" \
		ctl 2 limit disk0 iops=100
	expect "backend=$backend: by a line that names it" grep -q "$mapper" "$WORK/ctl.err"
	expect "backend=$backend: quit is taken" ctl 0 quit
	guest_end
	expect "backend=$backend: the VM ends" ended hang 3
	expect "backend=$backend: with a line that names the disk" named
	dmsetup resume kvh_hang

	hang $backend
	kill -TERM "$guest_pid"
	guest_end
	expect "backend=$backend: SIGTERM ends the VM" ended hang 3
	expect "backend=$backend: with a line that names the disk, too" named
	dmsetup resume kvh_hang
done
expect 'nothing is left behind' clean_again "$before"
finish
