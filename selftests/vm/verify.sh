#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a guest wrote is what it reads, now and after a reboot.
#
#	fio --verify=crc32c, random read/write, 4 jobs
#	    |-- vda: null_blk ------ backend=kernel, then backend=user
#	    '-- vdb: image file ---- backend=kernel, then backend=user
#
# First boot: write and verify, leave a mark on vda, reboot. Second boot: the
# mark is there: verify again, power off. Then the host looks for the mark, and
# the other backend verifies what the first one wrote.

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

need_vm
GUEST_SECONDS=90
plan 12
before=$(leftovers)
null_blk kvh_verify 64 || exit 1
image=$WORK/image
truncate -s 64M "$image"
chmod 666 "$image"

make_initrd verify <<'END'
mark()
{
	dd if=/dev/vda bs=512 skip=98304 count=1 2>/dev/null | head -c 4
}

# run_fio WORD ARGUMENT...: both disks; says WORD of each that is right
run_fio()
{
	word=$1
	shift
	for disk in vda vdb; do
		if fio --name=$disk --filename=/dev/$disk --rw=randrw --rwmixread=30 \
			--bsrange=512-64k --size=4m --offset_increment=8m --numjobs=4 \
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

if grep -q stage=again /proc/cmdline || [ "$(mark)" = done ]; then
	run_fio VERIFIED-AGAIN --verify_only=1
else
	run_fio VERIFIED
	printf 'done' | dd of=/dev/vda bs=512 seek=98304 conv=notrunc,fsync 2>/dev/null
	echo reboot >/run/after
fi
END

# verify NAME BACKEND [APPEND]; vda has two queues that share a worker, vdb
# registered memory
verify()
{
	guest "$1" --initrd "$initrd" --append "quiet $3" --memory 256 --cpus 2 \
		--disk "path=$disk,backend=$2,queues=2,workers=1" --disk "path=$image,backend=$2,registered=on"
}

marked()
{
	[ "$(dd if="$disk" bs=512 skip=98304 count=1 iflag=direct 2>/dev/null | head -c 4)" = "done" ]
}

verify kernel kernel
expect 'backend=kernel: random writes to the block device verify' said kernel 'VERIFIED vda'
expect 'backend=kernel: random writes to the file verify' said kernel 'VERIFIED vdb'
expect 'backend=kernel: the block device, after a reboot' said kernel 'VERIFIED-AGAIN vda'
expect 'backend=kernel: the file, after a reboot' said kernel 'VERIFIED-AGAIN vdb'
expect 'the guest ends with status 0' ended kernel 0
expect 'the mark is on the disk' marked
verify user-again user stage=again
expect 'backend=user reads what backend=kernel wrote' said user-again 'VERIFIED-AGAIN vda'

# Nothing shall verify that was not written anew.
dd if=/dev/zero "of=$disk" bs=1M count=64 conv=fsync 2>/dev/null
dd if=/dev/zero "of=$image" bs=1M count=64 conv=notrunc 2>/dev/null
verify user user
expect 'backend=user: random writes verify' said user 'VERIFIED vda'
expect 'backend=user: and again after a reboot' said user 'VERIFIED-AGAIN vda'

# A flipped byte must be noticed, or all this means nothing.
printf '\377' | dd "of=$image" bs=1 seek=2049 conv=notrunc 2>/dev/null
verify kernel-again kernel stage=again
expect 'backend=kernel reads what backend=user wrote' said kernel-again 'VERIFIED-AGAIN vda'
expect 'a flipped byte is noticed' said kernel-again 'MISMATCH vdb'
expect 'nothing is left behind' clean_again "$before"
finish
