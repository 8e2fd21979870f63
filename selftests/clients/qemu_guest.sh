# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced in place of lib.sh: a guest of an unmodified QEMU.

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# qemu_start NAME IFACE=QUEUES... -- ARGUMENT...: QEMU in the background, its taps
# and $NODE opened by with_taps, its monitor at descriptor 4. Powered off, it pauses.
qemu_start()
{
	local taps=() here

	here=$(realpath "$(dirname "$0")")
	guest_name=$1
	shift
	while [ "$1" != -- ]; do
		taps+=("$1")
		shift
	done
	shift
	mkfifo "$WORK/monitor.in" "$WORK/monitor.out"
	# Both ends, or QEMU waits for the other.
	exec 4<>"$WORK/monitor.in" 5<>"$WORK/monitor.out"
	: >"$WORK/$guest_name.console"
	"$here/with_taps" "$NODE" "${taps[@]}" -- qemu-system-x86_64 -accel kvm -cpu host \
		-M q35,usb=off -smp 2 -m 384 -nodefaults -no-user-config -display none -no-shutdown \
		-kernel "$GUEST_KERNEL" -initrd "$initrd" -append 'console=ttyS0 quiet' \
		-serial "file:$WORK/$guest_name.console" \
		-chardev "pipe,id=monitor,path=$WORK/monitor" -mon chardev=monitor "$@" \
		</dev/null >"$WORK/$guest_name.out" 2>&1 4<&- 5<&- &
	# shellcheck disable=SC2034 # lib.sh waits for it
	guest_pid=$!
}

# link_up IFACE: as soon as there is one
link_up()
{
	local try

	for ((try = 0; try < 200; try++)); do
		ip link set "$1" up 2>/dev/null && return
		sleep 0.1
	done
	return 1
}
