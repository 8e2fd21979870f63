#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Bad input gets a line that names it, and an exit status that means something:
# 2 wrong use, 3 the host cannot run it. Nothing hangs, nothing is changed.

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

need_vm
image=$WORK/image
truncate -s 4M "$image"
truncate -s 4097 "$WORK/odd"
: >"$WORK/empty"
echo 'no kernel' >"$WORK/text"
head -c 100000 "$KERNEL" >"$WORK/cut-kernel"
install -m 444 /dev/null "$WORK/readonly"
truncate -s 1M "$WORK/readonly"
mkdir "$WORK/dir"
mkfifo "$WORK/fifo"
sum=$(sha256sum "$image")

# refused STATUS PATTERN ARGUMENT...
refused()
{
	local status=$1 pattern=$2 got

	shift 2
	timeout 20 "$VMM" "$@" </dev/null >"$WORK/out" 2>"$WORK/err"
	got=$?
	if [ "$got" != "$status" ]; then
		echo "# status $got instead of $status"
	elif [ "$(wc -l <"$WORK/err")" -gt 3 ]; then
		echo '# more than three lines of complaint'
	elif ! grep -qi -- "$pattern" "$WORK/err"; then
		echo "# no word of '$pattern'"
	else
		return 0
	fi
	diagnose "$WORK/err"
	return 1
}

run=(run --kernel "$KERNEL" --serial none)

plan 61
expect 'no command is wrong use' refused 2 help
expect 'an unknown command is named' refused 2 "'start'" start
expect 'no kernel is wrong use' refused 2 '--kernel' run
expect 'an unknown option is named' refused 2 '--kernal' run --kernal x
expect 'a near miss is proposed' refused 2 '--kernel' run --kernal x
expect 'V19 the beginning of an option means that option' \
	refused 2 "'--memory'" run --kernel x --mem 5
expect 'V19 an option given twice is refused' refused 2 'twice' "${run[@]}" --cpus 1 --cpus 2
expect 'V19 a bare disk is told its key' refused 2 "path=$image" "${run[@]}" --disk "$image"
expect 'V19 a bare interface is told its key' refused 2 'tap=tap0' "${run[@]}" --net tap0
expect 'V19 help for a command that is none is wrong use' refused 2 "'start'" help start

# helps PATTERN ARGUMENT...
helps()
{
	local pattern=$1

	shift
	timeout 20 "$VMM" "$@" </dev/null >"$WORK/out" 2>"$WORK/err" &&
		grep -q -- "$pattern" "$WORK/out" && return
	diagnose "$WORK/err"
	return 1
}
expect 'V19 -h helps' helps 'Commands:' -h
expect 'V19 -h helps with a command' helps 'Options' stat -h
expect 'V19 help helps with a command' helps 'Keys of --disk' help run
expect 'V19 the help says what the limits are' helps 'virtual CPUs, 1 to 16' run -h
expect 'V19 the help has an example' helps 'Example:' run -h
expect 'a missing value is named' refused 2 '--memory' run --kernel x --memory
expect 'an argument that is no option is named' refused 2 "'stray'" "${run[@]}" stray
expect 'no CPU is refused' refused 2 "'0'" "${run[@]}" --cpus 0
expect 'too many CPUs are refused' refused 2 "'17'" "${run[@]}" --cpus 17
expect 'a CPU count that is no number is named' refused 2 "'two'" "${run[@]}" --cpus two
expect 'too little memory is refused' refused 2 "'1M'" "${run[@]}" --memory 1M
# V13: this much was taken, and the guest then died without a word.
expect 'V13 memory that the kernel cannot unpack itself in is refused' \
	refused 3 "'70M' is too little; this kernel needs [0-9]*M" "${run[@]}" --memory 70M
expect 'a memory size that is none is named' refused 2 "'lots'" "${run[@]}" --memory lots
expect 'a kernel that is not there is named' refused 3 'nothere' run --kernel "$WORK/nothere"
expect 'a kernel that is none is refused' refused 3 'bzImage' run --kernel "$WORK/text" --serial none
expect 'an empty kernel is refused' refused 3 'bzImage' run --kernel "$WORK/empty" --serial none
expect 'a kernel cut short is refused' refused 3 'cut-kernel' run --kernel "$WORK/cut-kernel" --serial none
expect 'a directory is no kernel' refused 3 'not a regular file' run --kernel "$WORK/dir" --serial none
expect 'an initrd that is not there is named' refused 3 'nothere' "${run[@]}" --initrd "$WORK/nothere"
expect 'a disk without a path is refused' refused 2 'path' "${run[@]}" --disk backend=kernel
expect 'a disk that is not there is named' refused 3 'nothere' "${run[@]}" --disk "path=$WORK/nothere"
expect 'an unknown disk key is named' refused 2 "'speed'" "${run[@]}" --disk "path=$image,speed=9"
expect 'K2 K4 K12: polled I/O is gone, and told so' \
	refused 2 "'poll_queues' was removed" "${run[@]}" --disk "path=$image,poll_queues=on"
expect 'an unknown backend is named' refused 2 "'qemu'" "${run[@]}" --disk "path=$image,backend=qemu"
expect 'a directory is no disk' refused 3 'directory' "${run[@]}" --disk "path=$WORK/dir"
expect 'a pipe is no disk' refused 3 'fifo' "${run[@]}" --disk "path=$WORK/fifo"
expect 'an empty file is no disk' refused 3 'empty' "${run[@]}" --disk "path=$WORK/empty"
expect 'half a sector is no disk' refused 3 '4097' "${run[@]}" --disk "path=$WORK/odd"
expect 'a queue size that is no power of two is refused' \
	refused 2 "'100'" "${run[@]}" --disk "path=$image,queue_size=100"
expect 'an offset beyond the disk is refused' \
	refused 3 'image' "${run[@]}" --disk "path=$image,offset=8M"
expect 'a node that is none is refused' \
	refused 3 '/dev/null' "${run[@]}" --disk "path=$image,node=/dev/null"
expect 'V18: more shared workers than queues are wrong use' \
	refused 2 'workers=3' "${run[@]}" --disk "path=$image,queues=2,workers=3"

# V12: more devices than slots, more descriptors than the soft limit.
many=()
for ((n = 0; n < 24; n++)); do
	many+=(--disk "path=$image,readonly=on")
done
for ((n = 0; n < 8; n++)); do
	many+=(--net user)
done
expect 'V12 more devices than slots are refused' refused 2 "'32'.* 31 " "${run[@]}" "${many[@]}"
truncate -s 1M "$WORK/wide"
prlimit --nofile=64:4096 "$VMM" "${run[@]}" --control "$WORK/wide.ctl" \
	--disk "path=$WORK/wide,queues=64,backend=kernel" </dev/null >"$WORK/wide.out" 2>&1 &
guest_pid=$!
for ((try = 0; try < 200; try++)); do
	"$VMM" ctl "$WORK/wide.ctl" status >"$WORK/out" 2>&1 && break
	sleep 0.1
done
expect 'V12 a low soft limit of files is raised' [ "$try" -lt 200 ]
guest_kill

# V20: what an ordinary user may not do is told with its reason. as_user PATTERN ARGUMENT...
as_user()
{
	local pattern=$1

	shift
	setpriv --reuid 65534 --regid 65534 --clear-groups timeout 20 "$VMM" "${run[@]}" "$@" \
		</dev/null >"$WORK/out" 2>"$WORK/err"
	[ $? = 3 ] && grep -q -- "$pattern" "$WORK/err" && return
	diagnose "$WORK/err"
	return 1
}
need_tun
chmod 666 /dev/kvm
install -m 200 /dev/null "$WORK/unreadable"
truncate -s 1M "$WORK/unreadable"
chown nobody "$WORK/unreadable"
expect 'V20 a disk that cannot be read is told so' as_user 'account read it' \
	--disk "path=$WORK/unreadable"
ip link add kvhbr0 type bridge || exit 1
at_exit ip link del kvhbr0
ip tuntap add kvhtap0 mode tap user nobody || exit 1
at_exit ip link del kvhtap0
ip link add link kvhtap0 name kvhmv0 type macvtap || exit 1
chmod 666 /dev/net/tun
expect 'V20 a bridge names no template' as_user 'cannot make a tap.*root' --net bridge=kvhbr0
expect 'V20 a macvtap names its node' \
	as_user "'/dev/tap$(cat /sys/class/net/kvhmv0/ifindex)' for 'kvhmv0'" --net macvtap=kvhmv0
chmod 600 /dev/net/tun
expect 'V20 a tap of its own without the node is told of the node' \
	as_user "'/dev/net/tun' for 'kvhtap0'.*read and write" --net tap=kvhtap0
chmod 666 /dev/net/tun

# V8: a disk that somebody else uses. Two VMs, then one and a mount.
"$VMM" "${run[@]}" --control "$WORK/first" --disk "path=$image,length=1M,backend=user" \
	--disk "path=$image,offset=1M,length=1M,backend=kernel" </dev/null >"$WORK/first.out" 2>&1 &
guest_pid=$!
for try in $(seq 200); do
	"$VMM" ctl "$WORK/first" status >"$WORK/out" 2>&1 && break
	sleep 0.1
done
expect 'V8: a VM runs on two ranges of a file' [ "$try" -lt 200 ]
for backend in kernel user; do
	expect "V8: backend=$backend: a file that another VM writes to is refused" \
		refused 3 "image.*in use by another VM.*readonly=on" \
		"${run[@]}" --disk "path=$image,backend=$backend"
done
expect 'V8: so is a range of it that overlaps' \
	refused 3 'do not overlap' "${run[@]}" --disk "path=$image,offset=512K,length=1M"
guest_kill
null_blk kvh_mounted 16 || exit 1
mkdir "$WORK/mounted"
mkfs.ext4 -q "$disk" && mount "$disk" "$WORK/mounted" || exit 1
at_exit "umount $WORK/mounted"
for backend in kernel user; do
	expect "V8: backend=$backend: a device that is mounted is refused" \
		refused 3 "$disk.*is mounted" "${run[@]}" --disk "path=$disk,backend=$backend"
done
# Once more with nobody else, wrong in a way that shows after the disk was opened.
expect 'V8: a VM that was killed has let go of its disks' \
	refused 3 '/dev/null' "${run[@]}" --disk "path=$image,node=/dev/null"

# V10: whoever starts it, a guest does not run as root.
expect 'V10: an unknown account is wrong use' \
	refused 2 "'nosuch'" "${run[@]}" --user nosuch --disk "path=$WORK/nothere"
expect 'V10: with --sandbox off, too' \
	refused 2 "'nosuch'" "${run[@]}" --user nosuch --sandbox off --control "$WORK/nosocket"
expect 'V10: before anything is made' [ ! -e "$WORK/nosocket" ]
expect 'V10: root is no account for a guest' refused 2 "'root'" "${run[@]}" --user root
"$VMM" "${run[@]}" --sandbox off --control "$WORK/off" </dev/null >"$WORK/off.out" 2>&1 &
guest_pid=$!
for try in $(seq 200); do
	"$VMM" ctl "$WORK/off" status >"$WORK/out" 2>&1 && break
	sleep 0.1
done
expect 'V10: --sandbox off keeps no root' \
	[ "$(awk '/^Uid:/ { print $3 }' "/proc/$guest_pid/status")" = "$(id -u nobody)" ]
guest_kill

unchanged()
{
	[ "$(sha256sum "$image")" = "$sum" ]
}
expect 'the disk image is as it was' unchanged
finish
