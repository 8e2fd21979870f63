#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A malformed chain from inside a guest: the device asks for a reset, the reset
# revives it, and the other disks of the same guest do not notice.
#
#	vda backend=kernel, vdb backend=user: driven by poke, without the kernel
#	vdc backend=kernel: read by the guest's own driver all the while

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

need_vm
GUEST_SECONDS=90
plan 11
before=$(leftovers)
for name in a b c; do
	truncate -s 4M "$WORK/$name"
	chmod 666 "$WORK/$name"
done

make_initrd poke "$(dirname "$0")/poke" <<'END'
try()
{
	dev=$(readlink -f /sys/block/$1/device/..)
	virtio=$(basename "$(readlink -f /sys/block/$1/device)")
	echo "$virtio" >/sys/bus/virtio/drivers/virtio_blk/unbind
	echo "${dev##*/}" >/sys/bus/pci/drivers/virtio-pci/unbind
	./poke "$dev" 2>&1 | sed "s/^/$1 /"
}
(while [ ! -e /tmp/stop ]; do
	dd if=/dev/vdc of=/dev/null bs=64k iflag=direct 2>/tmp/dd || { cat /tmp/dd; exit 1; }
done; echo vdc UNDISTURBED) &
try vda
try vdb
: >/tmp/stop
wait
END
guest poke --initrd "$initrd" --append quiet --memory 256 --cpus 2 \
	--disk "path=$WORK/a,backend=kernel" --disk "path=$WORK/b,backend=user" \
	--disk "path=$WORK/c,backend=kernel"
for disk in 'vda kernel' 'vdb user'; do
	name=${disk% *}
	backend=${disk#* }
	expect "backend=$backend: a well-formed read works" said poke "$name GOOD"
	expect "backend=$backend: a malformed chain raises DEVICE_NEEDS_RESET" \
		said poke "$name NEEDS-RESET"
	expect "backend=$backend: nothing of that queue is used any more" \
		said poke "$name SILENT"
	expect "backend=$backend: a reset revives it" said poke "$name REVIVED"
done
expect 'the other disk was not disturbed' said poke 'vdc UNDISTURBED'
expect 'the guest ends with status 0' ended poke 0
expect 'nothing is left behind' clean_again "$before"
finish
