# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the shell tests share. Sourced, after "plan N" one ok() or not_ok() each;
# installed beside the tests.
#
#	at_exit COMMAND...        undo something; last given, first done
#	guest NAME ARGUMENT...    run a VM to its end, within a limit
#	guest_start/guest_end     the same in two steps
#	expect NAME COMMAND...    a test: does the command succeed?
#	serve PORT COMMAND...     answer a guest's connections
#
# Every wait has a limit, and is for something that can be seen.

LIB_TOP=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
while [ ! -x "$LIB_TOP/tools/guest/job" ]; do
	[ "$LIB_TOP" != / ] || {
		echo "Bail out! ${BASH_SOURCE[0]} does not lie in the project's tree"
		exit 1
	}
	LIB_TOP=$(dirname "$LIB_TOP")
done
VMM=$LIB_TOP/build/vmm/kvhost
NODE=/dev/kvhost-blk
KREL=$(uname -r)
KERNEL=/boot/vmlinuz-$KREL
# What guests boot: the emulator's unpacked copy, where there is one, spares
# each of them the decompression, which is half of an emulated boot.
GUEST_KERNEL=$LIB_TOP/build/testhost/vmlinux-$KREL
[ -s "$GUEST_KERNEL" ] || GUEST_KERNEL=$KERNEL
# Longest life of one guest: an emulated host may be slow and shared.
GUEST_SECONDS=${GUEST_SECONDS:-150}
# And until its first process runs.
BOOT_SECONDS=45

lib_number=0
lib_failed=0
lib_undo=()
guest_pid=
guest_status=
initrd=
disk=

lib_cleanup()
{
	local i

	for ((i = ${#lib_undo[@]} - 1; i >= 0; i--)); do
		eval "${lib_undo[i]}" >/dev/null 2>&1
	done
}
trap lib_cleanup EXIT
trap 'exit 143' TERM INT

at_exit()
{
	lib_undo+=("$*")
}

plan()
{
	echo 'TAP version 13'
	echo "1..$1"
	lib_plan=$1
}

skip_all()
{
	echo 'TAP version 13'
	echo "1..0 # SKIP $*"
	exit 4
}

ok()
{
	lib_number=$((lib_number + 1))
	echo "ok $lib_number $*"
}

skip()
{
	lib_number=$((lib_number + 1))
	echo "ok $lib_number $1 # SKIP $2"
}

not_ok()
{
	lib_number=$((lib_number + 1))
	lib_failed=1
	echo "not ok $lib_number $*"
}

# expect PROMISE COMMAND...
expect()
{
	local promise=$1

	shift
	if "$@"; then
		ok "$promise"
	else
		not_ok "$promise"
	fi
}

# finish: the last line of a test
finish()
{
	[ "$lib_number" = "$lib_plan" ] || {
		echo "# $lib_number of $lib_plan tests were run"
		exit 1
	}
	exit $lib_failed
}

# diagnose FILE: its end, for whoever reads the log
diagnose()
{
	echo "# end of ${1##*/}:"
	tail -n "${2:-25}" "$1" | tr -cd '[:print:]\n' | sed 's/^/# | /'
}

# own_netns: a network namespace for the test, for taps of its own without
# anybody else's packets. It starts the script again: to be called at once.
own_netns()
{
	[ "$(id -u)" = 0 ] || skip_all 'not root'
	[ -n "$KVHOST_NETNS" ] || exec unshare --net env KVHOST_NETNS=1 "$0"
	ip link set lo up
}

need_vm()
{
	[ "$(id -u)" = 0 ] || skip_all 'not root'
	[ -c /dev/kvm ] || skip_all 'no /dev/kvm'
	[ -r "$KERNEL" ] || skip_all "no kernel image $KERNEL for a guest"
	[ -x "$VMM" ] || {
		echo "Bail out! $VMM is not built"
		exit 1
	}
	[ -c "$NODE" ] || {
		echo "Bail out! $NODE is missing: load kvhost_blk first"
		exit 1
	}
	WORK=$(mktemp -d /dev/shm/kvhost-vm.XXXXXX)
	chmod 755 "$WORK"
	at_exit "rm -rf $WORK"
	at_exit guest_kill
	# In an emulated host the tree is on a slow file system.
	cp "$VMM" "$WORK/kvhost" && VMM=$WORK/kvhost
}

# need_tools TOOL...
need_tools()
{
	local tool

	for tool; do
		command -v "$tool" >/dev/null || skip_all "no $tool: run tools/deps/install"
	done
}

need_tun()
{
	[ -c /dev/net/tun ] || modprobe tun || skip_all 'no tun'
}

# lib_job: what a guest's job may call
lib_job()
{
	cat <<-'END'
		# await COMMAND...: until it succeeds, or does not within some 20 s
		await()
		{
			tries=0
			until "$@" || [ $tries = 200 ]; do
				tries=$((tries + 1))
				usleep 100000
			done
		}
	END
}

# make_initrd NAME [FILE...]: a test initramfs whose job is on stdin, with await() from
# the start; its path in $initrd
make_initrd()
{
	local name=$1 base

	shift
	base=$("$LIB_TOP/tools/guest/initramfs" "$KREL" 2>"$WORK/initramfs.err") || {
		diagnose "$WORK/initramfs.err"
		echo 'Bail out! cannot build the guest initramfs'
		exit 1
	}
	{
		lib_job
		cat
	} >"$WORK/$name.job"
	initrd=$WORK/$name.cpio
	"$LIB_TOP/tools/guest/job" "$base" "$WORK/$name.job" "$@" >"$initrd" || exit 1
}

# null_blk NAME MIB [ATTRIBUTE=VALUE...]: a disk that remembers; its path in $disk
null_blk()
{
	local dir=/sys/kernel/config/nullb/$1 try attribute

	[ -d /sys/kernel/config/nullb ] || {
		modprobe null_blk nr_devices=0
		mountpoint -q /sys/kernel/config ||
			mount -t configfs none /sys/kernel/config
	}
	mkdir "$dir" || return 1
	at_exit "echo 0 >$dir/power; rmdir $dir"
	echo "$2" >"$dir/size"
	echo 1 >"$dir/memory_backed"
	for attribute in "${@:3}"; do
		echo "${attribute#*=}" >"$dir/${attribute%%=*}" || return 1
	done
	echo 1 >"$dir/power"
	for try in $(seq 100); do
		for disk in "/dev/$1" "/dev/nullb$(cat "$dir/index")"; do
			[ -b "$disk" ] && return 0
		done
		sleep 0.05
	done
	echo "# null_blk $1 has no device node after $try looks"
	return 1
}

# guest_try NAME ARGUMENT...: start a VM, and wait for its first process
guest_try()
{
	guest_name=$1
	shift
	: >"$WORK/$guest_name.console"
	chmod 666 "$WORK/$guest_name.console"
	"$VMM" run --kernel "$GUEST_KERNEL" --serial "file=$WORK/$guest_name.console" "$@" \
		</dev/null >"$WORK/$guest_name.out" 2>&1 &
	guest_pid=$!
	guest_says KVHOST-INIT $BOOT_SECONDS || ! kill -0 "$guest_pid" 2>/dev/null
}

# guest_start NAME ARGUMENT...: a VM in the background, console in $WORK/NAME.console.
# An emulated processor may lose its way in a guest's kernel; where that happens
# before the first process, and so before any driver of ours, it is tried again.
guest_start()
{
	local try

	for try in 1 2 3; do
		guest_try "$@" && return
		grep -q 'QEMU TCG' /proc/cpuinfo && [ "$try" -lt 3 ] || return
		echo "# the kernel of guest $1 hung before its first process; starting it again"
		diagnose "$WORK/$1.out"
		guest_kill
	done
}

# guest_kill: end the guest that runs, if any, as a power cut would
guest_kill()
{
	[ -n "$guest_pid" ] || return 0
	kill -9 "$guest_pid"
	wait "$guest_pid" 2>/dev/null
	guest_pid=
}

# guest_end: wait for the VM; its exit status in $guest_status, 124 after the limit
guest_end()
{
	[ -n "$guest_pid" ] || {
		guest_status=124
		return
	}
	timeout "$GUEST_SECONDS" tail --pid="$guest_pid" -s 0.1 -f /dev/null
	if kill -0 "$guest_pid" 2>/dev/null; then
		echo "# guest $guest_name did not end within $GUEST_SECONDS s"
		guest_kill
		guest_status=124
		return
	fi
	wait "$guest_pid"
	guest_status=$?
	guest_pid=
}

guest()
{
	guest_start "$@"
	guest_end
}

# line_comes FILE PID SECONDS PATTERN: wait for a line while the process runs
line_comes()
{
	timeout "$3" tail --pid="$2" -s 0.1 -n +1 -f "$1" | grep -q -m 1 -- "$4"
}

# guest_says PATTERN [SECONDS]: wait for a line of the running guest's console
guest_says()
{
	line_comes "$WORK/$guest_name.console" "$guest_pid" "${2:-$GUEST_SECONDS}" "$1"
}

# said NAME PATTERN: is the line on the console of a guest that has ended?
said()
{
	grep -q -- "$2" "$WORK/$1.console" && return
	echo "# '$2' is not on the console of guest $1"
	diagnose "$WORK/$1.console"
	diagnose "$WORK/$1.out"
	return 1
}

# ended NAME STATUS
ended()
{
	[ "$guest_status" = "$2" ] && return
	echo "# guest $1 ended with status $guest_status instead of $2"
	diagnose "$WORK/$1.console"
	diagnose "$WORK/$1.out"
	return 1
}

# with_libraries PROGRAM...: their files and those of the libraries they need,
# for a guest that starts them with LD_LIBRARY_PATH=.
with_libraries()
{
	local program

	for program; do
		command -v "$program" || return
		ldd "$(command -v "$program")" | awk '/=> \// { print $3 }'
	done | sort -u
}

# serve PORT COMMAND...: run the command for each connection, on IPv4 and IPv6
serve()
{
	local port=$1

	shift
	busybox nc -ll -p "$port" -e "$@" >>"$WORK/serve.err" 2>&1 &
	at_exit "kill $!"
}

# serve_boots PORT: answer the first connection with 1, the next with 2: a guest
# that asks once learns how often it has booted
serve_boots()
{
	echo 0 >"$WORK/boots"
	cat >"$WORK/boot-count" <<-'END'
		#!/bin/sh
		n=$(($(cat "$1") + 1))
		echo $n >"$1"
		echo $n
	END
	chmod 755 "$WORK/boot-count"
	serve "$1" "$WORK/boot-count" "$WORK/boots"
}

# leftovers: threads, references, pinned pages of kvhost, as one line
leftovers()
{
	: "$(cat /proc/sys/vm/stat_refresh)"
	printf '%s threads, %s references, %s pins\n' \
		"$(ps -eLo comm= | awk '/^kvhost-[0-9]*\./ { n++ } END { print n + 0 }')" \
		"$(cat /sys/module/kvhost_{blk,net}/refcnt 2>/dev/null | paste -sd+)" \
		"$(awk '$1 == "nr_foll_pin_acquired" { a = $2 }
			$1 == "nr_foll_pin_released" { r = $2 }
			END { print a - r }' /proc/vmstat)"
}

# clean_again BEFORE: wait for leftovers to be as they were
clean_again()
{
	local try

	for try in $(seq 200); do
		[ "$(leftovers)" = "$1" ] && return
		sleep 0.1
	done
	echo "# after $try looks: $(leftovers); before: $1"
	return 1
}
