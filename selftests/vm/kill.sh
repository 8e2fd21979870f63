#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kill -9 of the VMM while its guest does I/O leaves no thread, no pinned page
# and no reference; the modules unload and load again, and the disk works. (The
# many random moments are those of blk/kill, which needs no guest to boot.)

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

need_vm
GUEST_SECONDS=70
# KVHOST_KILLS: how many times; a guest's boot each
kills=${KVHOST_KILLS:-1}
plan $((4 + kills))
modules=$LIB_TOP/build/kmod/$KREL
before=$(leftovers)
null_blk kvh_vmkill 64 || exit 1
truncate -s 64M "$WORK/image"
chmod 666 "$WORK/image"

make_initrd busy <<'END'
fio --name=x --filename=/dev/vda:/dev/vdb --rw=randrw --bsrange=4k-128k --iodepth=32 \
	--numjobs=2 --ioengine=libaio --direct=1 --time_based=1 --runtime=600 \
	--eta=never >/tmp/out 2>&1 &
while [ "$(awk '{ n = $1 + $5 } END { print (n > 200) }' /sys/block/vda/stat)" = 0 ]; do
	usleep 50000
done
echo BUSY
wait
END

kill_one()
{
	guest_start "kill$1" --initrd "$initrd" --append quiet --memory 256 --cpus 2 \
		--disk "path=$disk" --disk "path=$WORK/image"
	guest_says BUSY || {
		diagnose "$WORK/kill$1.console"
		diagnose "$WORK/kill$1.out"
		return 1
	}
	# a random moment; nothing is waited for
	sleep "0.$((RANDOM % 400 + 100))"
	guest_kill || return 1
	clean_again "$before"
}

for i in $(seq "$kills"); do
	expect "kill $i of $kills leaves nothing behind" kill_one "$i"
done
expect 'the modules unload' "$LIB_TOP/tools/kmod/load" out "$modules"
expect 'and load again' "$LIB_TOP/tools/kmod/load" in "$modules"

make_initrd after <<'END'
dd if=/dev/vda of=/dev/null bs=64k && dd if=/dev/vdb of=/dev/null bs=64k && echo READ-ALL
END
guest after --initrd "$initrd" --append quiet --memory 256 \
	--disk "path=$disk" --disk "path=$WORK/image"
expect 'the disks work as before' said after READ-ALL
expect 'nothing is left behind' clean_again "$before"
finish
