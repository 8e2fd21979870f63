#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A guest discards, writes zeroes, and switches its disk's write cache, on both
# backends (BLK-031..034, BLK-037..039).
#
#	blkdiscard, blkdiscard -z, cache_type
#	    |-- vda kernel, vdb user: loop device: a write cache, no FUA, and discard
#	    '-- vdc kernel, vdd user: image file
#
# In the guest: what it gave up or zeroed reads as zeroes, the rest as written. On
# the host: the image takes less room, and the block device was flushed once for
# each write in write-through mode and not for those in write-back mode.

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

need_vm
modprobe loop || exit 1
GUEST_SECONDS=90
plan 11
before=$(leftovers)
for backend in kernel user; do
	truncate -s 16M "$WORK/loop-$backend" "$WORK/$backend"
	chmod 666 "$WORK/$backend"
	disk=$(losetup -f --show "$WORK/loop-$backend") || exit 1
	at_exit "losetup -d $disk"
	declare "$backend=$disk"
done

need=("$(command -v blkdiscard)" "$(ldconfig -p | awk '/libblkid.so.1.*x86-64/ { print $NF; exit }')")
make_initrd ranges "${need[@]}" <<'END'
discard()
{
	LD_LIBRARY_PATH=. ./blkdiscard "$@"
}

# is DISK N WHAT: its Nth 256 KiB are of "A", or zero
is()
{
	[ "$(dd if=/dev/$1 bs=256k skip=$2 count=1 iflag=direct 2>/dev/null | tr -d "$3" | wc -c)" = 0 ]
}

for disk in vda vdb vdc vdd; do
	dd if=/dev/zero bs=256k count=8 | tr '\0' A |
		dd of=/dev/$disk bs=256k oflag=direct iflag=fullblock
	discard -o 256K -l 256K /dev/$disk && discard -z -o 768K -l 512K /dev/$disk &&
	is $disk 0 A && is $disk 1 '\0' && is $disk 2 A && is $disk 3 '\0' &&
	is $disk 4 '\0' && is $disk 5 A && echo "RANGES $disk"
done

writes()
{
	dd if=/dev/zero of=/dev/$1 bs=4k count=32 oflag=direct
}

for disk in vda vdb; do
	cache=/sys/block/$disk/cache_type
	[ "$(cat $cache)" = "write back" ] && writes $disk &&
	echo "write through" >$cache && [ "$(cat $cache)" = "write through" ] && writes $disk &&
	echo "write back" >$cache && writes $disk && echo "SWITCHED $disk"
done
END

# flushes DISK
flushes()
{
	awk '{ print $16 }' "/sys/block/${1##*/}/stat"
}

# shellcheck disable=SC2154 # declare sets kernel and user
had_kernel=$(flushes "$kernel") had_user=$(flushes "$user")
guest ranges --initrd "$initrd" --append quiet --memory 256 \
	--disk "path=$kernel,backend=kernel" --disk "path=$user,backend=user" \
	--disk "path=$WORK/kernel,backend=kernel,direct=off" \
	--disk "path=$WORK/user,backend=user,direct=off"
n=$(($(flushes "$kernel") - had_kernel))
m=$(($(flushes "$user") - had_user))

# check BACKEND DEVICE FILE FLUSHES
check()
{
	local room

	# KiB that the image takes
	room=$(du -k "$WORK/$1" | cut -f 1)
	expect "backend=$1: a block device" said ranges "RANGES $2"
	expect "backend=$1: a file" said ranges "RANGES $3"
	expect "backend=$1: the cache is switched" said ranges "SWITCHED $2"
	expect "backend=$1: 32 writes of 96 are flushed: $4" test "$4" -ge 32 -a "$4" -lt 64
	expect "backend=$1: the image took 2 MiB and gave up some: $room KiB" \
		test "$room" -gt 0 -a "$room" -lt 2048
}
check kernel vda vdc "$n"
check user vdb vdd "$m"
expect 'nothing is left behind' clean_again "$before"
finish
