#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a guest wrote is what it reads, now, after a reboot, and on the other
# backend.
#
#	fio --verify=crc32c, random read/write, 4 jobs
#	    |-- vda: null_blk ------ backend=kernel, then backend=user
#	    |-- vdb: image file ---- backend=kernel, then backend=user
#	    |-- vdc: null_blk ------ backend=user, then backend=kernel
#	    '-- vdd: image file ---- backend=user, then backend=kernel
#
# First boot: write and verify, leave a mark on vda and vdc, reboot. Second boot:
# the mark is there: verify again, power off. Then the host looks for the marks,
# flips a byte, and a guest with the backends changed over verifies once more.

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

need_vm
GUEST_SECONDS=120
plan 15
before=$(leftovers)
null_blk kvh_verify_a 64 || exit 1
a=$disk
null_blk kvh_verify_b 64 || exit 1
b=$disk
for name in a b; do
	truncate -s 64M "$WORK/$name"
	chmod 666 "$WORK/$name"
done

make_initrd verify <<'END'
mark()
{
	dd if=/dev/$1 bs=512 skip=98304 count=1 2>/dev/null | head -c 4
}

# run_fio WORD ARGUMENT...: all disks; says WORD of each that is right
run_fio()
{
	word=$1
	shift
	for disk in vda vdb vdc vdd; do
		if fio --name=$disk --filename=/dev/$disk --rw=randrw --rwmixread=30 \
			--bsrange=512-64k --size=2m --offset_increment=8m --numjobs=4 \
			--iodepth=16 --ioengine=libaio --direct=1 --randseed=77 \
			--verify=crc32c --verify_fatal=1 --verify_state_save=0 \
			--group_reporting --eta=never --output=/tmp/$disk "$@"; then
			echo "$word $disk"
		else
			echo "MISMATCH $disk"
			tail -n 15 /tmp/$disk
		fi
	done
}

if [ "$(mark vda)$(mark vdc)" = donedone ]; then
	run_fio VERIFIED-AGAIN --verify_only=1
else
	run_fio VERIFIED
	for disk in vda vdc; do
		printf 'done' | dd of=/dev/$disk bs=512 seek=98304 conv=notrunc,fsync 2>/dev/null
	done
	echo reboot >/run/after
fi
END

# verify NAME BACKEND BACKEND: those of vda and vdb, and of vdc and vdd. The block
# devices have two queues that share a worker, the files registered memory.
verify()
{
	guest "$1" --initrd "$initrd" --append quiet --memory 256 --cpus 2 \
		--disk "path=$a,backend=$2,queues=2,workers=1" \
		--disk "path=$WORK/a,backend=$2,registered=on" \
		--disk "path=$b,backend=$3,queues=2,workers=1" \
		--disk "path=$WORK/b,backend=$3,registered=on"
}

# marked DISK...
marked()
{
	local disk

	for disk; do
		[ "$(dd if="$disk" bs=512 skip=98304 count=1 iflag=direct 2>/dev/null | head -c 4)" = "done" ] ||
			return
	done
}

verify first kernel user
for disk in 'vda kernel block device' 'vdb kernel file' 'vdc user block device' 'vdd user file'; do
	read -r name backend kind <<<"$disk"
	expect "backend=$backend: random writes to a $kind verify" said first "VERIFIED $name"
	expect "backend=$backend: the $kind, after a reboot" said first "VERIFIED-AGAIN $name"
done
expect 'the guest ends with status 0' ended first 0
expect 'the marks are on the disks' marked "$a" "$b"

# A flipped byte must be noticed, or all this means nothing.
printf '\377' | dd "of=$WORK/b" bs=1 seek=2049 conv=notrunc 2>/dev/null
verify second user kernel
expect 'backend=user reads what backend=kernel wrote: block device' said second 'VERIFIED-AGAIN vda'
expect 'backend=user reads what backend=kernel wrote: file' said second 'VERIFIED-AGAIN vdb'
expect 'backend=kernel reads what backend=user wrote' said second 'VERIFIED-AGAIN vdc'
expect 'a flipped byte is noticed' said second 'MISMATCH vdd'
expect 'nothing is left behind' clean_again "$before"
finish
