#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Disks that fail, are mended and grow under a guest that reads and writes.
#
#	vda kernel, vdb user, error=stop   --> dm linear/error --> null_blk
#	vdc kernel, vdd user, error=report --> dm linear/error --> null_blk
#	vde kernel, vdf user               --> files that grow
#
# The guest writes and reads back on all six at once and says what went wrong.
# With error=stop it notices nothing but that it has to wait, unless `kvhost ctl`
# says it shall be told; with error=report it is told at once. A disk that became
# larger has its new size in the guest, and a tail that can be used.

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

need_vm
if ! modprobe -q dm-mod || ! command -v dmsetup >/dev/null; then
	skip_all 'no device-mapper or no dmsetup'
fi
GUEST_SECONDS=100
plan 32
before=$(leftovers)
socket=$WORK/socket

# Slices of one disk, MiB apart; at first they have half of that.
slice=16
small=$((slice * 1024))
large=$((slice * 2048))
null_blk kvh_error $((4 * slice)) || exit 1
base=$disk

# linear N SECTORS: table of dm device N
linear()
{
	echo "0 $2 linear $base $(($1 * large))"
}

# table N TABLE: what is in flight is waited for
table()
{
	dmsetup load "kvh_error$1" --table "$2" && dmsetup resume --nolockfs "kvh_error$1"
}

for n in 0 1 2 3; do
	dmsetup create "kvh_error$n" --table "$(linear $n $small)" || exit 1
	at_exit "dmsetup remove --retry kvh_error$n; dmsetup mknodes"
done
dmsetup mknodes
for name in e f; do
	truncate -s $((slice / 2))M "$WORK/$name"
	chmod 666 "$WORK/$name"
done

make_initrd errors "$(dirname "$0")/churn" <<'END'
./churn vda vdb vdc vdd vde vdf
END

ctl()
{
	timeout 20 "$VMM" ctl "$socket" "$@" 2>"$WORK/ctl.err" >"$WORK/ctl.out"
}

# value DISK KEY: a line of its status
value()
{
	timeout 20 "$VMM" ctl "$socket" status |
		sed -n "/^\[$1\]/,/^\[/s/^$2=//p"
}

# tells DISK PATTERN: is that what failed last?
tells()
{
	value "$1" error | grep -q "^$2\$"
}

# becomes DISK KEY VALUE: wait for it
becomes()
{
	local try

	for try in $(seq 200); do
		[ "$(value "$1" "$2")" = "$3" ] && return
		sleep 0.1
	done
	echo "# after $try looks $1.$2 is $(value "$1" "$2"), not $3"
	diagnose "$WORK/errors.console"
	diagnose "$WORK/errors.out"
	return 1
}

# count PATTERN: lines of the guest's console
count()
{
	grep -c -- "$1" "$WORK/errors.console"
}

# more PATTERN [LOOKS]: wait for another line of it
more()
{
	local had try

	had=$(count "$1")
	for try in $(seq "${2:-300}"); do
		[ "$(count "$1")" -gt "$had" ] && return
		sleep 0.1
	done
	echo "# after $try looks there is no new line '$1'"
	diagnose "$WORK/errors.console"
	return 1
}

# never PATTERN
never()
{
	[ "$(count "$1")" = 0 ] && return
	grep -- "$1" "$WORK/errors.console" | head -n 3 | sed 's/^/# /'
	return 1
}

# refused PATTERN ARGUMENT...
refused()
{
	local pattern=$1 status

	shift
	ctl "$@"
	status=$?
	[ "$status" = 2 ] && [ "$(wc -l <"$WORK/ctl.err")" = 1 ] &&
		grep -q -- "$pattern" "$WORK/ctl.err" && return
	echo "# status $status"
	diagnose "$WORK/ctl.err"
	return 1
}

mapper=/dev/mapper/kvh_error
guest_start errors --initrd "$initrd" --append quiet --memory 256 --cpus 2 --control "$socket" \
	--disk "path=${mapper}0,backend=kernel,error=stop,queues=1" \
	--disk "path=${mapper}1,backend=user,error=stop,queues=1" \
	--disk "path=${mapper}2,backend=kernel" --disk "path=${mapper}3,backend=user,error=report" \
	--disk "path=$WORK/e,backend=kernel,direct=off" --disk "path=$WORK/f,backend=user,direct=off"
for disk in vda vdb vdc vdd vde vdf; do
	guest_says "BEAT $disk" && continue
	diagnose "$WORK/errors.console"
	diagnose "$WORK/errors.out"
	exit 1
done
expect 'with nothing wrong there is nothing to resume' refused 'nothing waits' resume disk0

for n in 0 1 2 3; do
	table $n "0 $small error"
done
for disk in 'disk0 vda kernel' 'disk1 vdb user'; do
	read -r name vd backend <<<"$disk"
	expect "backend=$backend, error=stop: a request is held" becomes "$name" held 1
	expect "backend=$backend: status says what failed" \
		tells "$name" 'a .* of 4096 bytes at sector .* in queue 0: Input/output error'
	expect "backend=$backend: so does a line on stderr" \
		grep -q "$name: a .* stands still until .kvhost ctl SOCKET resume $name" "$WORK/errors.out"
	ctl resume "$name"
	expect "backend=$backend: resumed too early it stops again" becomes "$name" errors 2
	expect "backend=$backend: the guest noticed nothing" never "FAILED $vd"
done
expect 'backend=kernel, error=report: the guest is told' guest_says 'FAILED vdc Input/output error'
expect 'backend=user, error=report: the guest is told' guest_says 'FAILED vdd Input/output error'
expect 'and there is nothing to resume' refused 'error=stop' resume disk3

for n in 0 1 2 3; do
	table $n "$(linear $n $small)"
done
for disk in 'disk0 vda kernel' 'disk1 vdb user'; do
	read -r name vd backend <<<"$disk"
	ctl resume "$name" retry
	expect "backend=$backend: mended and resumed, the guest goes on" more "BEAT $vd"
	expect "backend=$backend: without having seen an error" never "FAILED $vd"
	table "${name#disk}" "0 $small error"
	becomes "$name" held 1
	ctl resume "$name" report
	expect "backend=$backend: resumed with report, the guest sees EIO" \
		guest_says "FAILED $vd Input/output error"
	table "${name#disk}" "$(linear "${name#disk}" $small)"
	# What the guest tried in between may be on its way to be held.
	for try in 1 2 3 4; do
		ctl resume "$name"
		more "BEAT $vd" 50 >/dev/null && break
	done
	expect "backend=$backend: and goes on when that is mended" [ "$try" -lt 4 ]
done

expect 'an unknown disk is named' refused "'disk9'" resume disk9
expect 'a word that is neither retry nor report is named' refused "'now'" resume disk0 now
expect 'a size for resize is refused' refused 'takes no size' resize disk0 1G

truncate -s ${slice}M "$WORK/e" "$WORK/f"
for n in 0 1; do
	table $n "$(linear $n $large)"
done
for disk in 'disk0 vda kernel device' 'disk1 vdb user device' 'disk4 vde kernel file' 'disk5 vdf user file'; do
	read -r name vd backend kind <<<"$disk"
	ctl resize "$name"
	expect "backend=$backend: a $kind grows under a guest at work" \
		guest_says "GREW $vd $large, 1 interrupts"
done

for n in 0 1; do
	table $n "0 $large error"
done
becomes disk0 held 1 && becomes disk1 held 1
expect 'a VM with requests that wait can be ended' ctl quit
guest_end
expect 'at once' ended errors 1
expect 'nothing is left behind' clean_again "$before"
finish
