#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# How a guest ends is what the exit status says, with 1, 2 and 4 CPUs:
# power-off 0, a reboot under --no-reboot 5, a panic 4.

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

need_vm
GUEST_SECONDS=70
plan 9
before=$(leftovers)
truncate -s 16M "$WORK/image"
chmod 666 "$WORK/image"

make_initrd off <<'END'
echo "CPUS $(nproc)"
END
guest one --initrd "$initrd" --append quiet --memory 256
expect 'a guest with 1 CPU boots' said one 'CPUS 1'
expect 'its power-off is status 0' ended one 0

make_initrd reboot <<'END'
echo "CPUS $(nproc)"
echo "SERIAL $(cat /sys/block/vda/serial) $(cat /sys/block/vda/size)"
echo reboot >/run/after
END
guest two --initrd "$initrd" --append quiet --memory 256 --cpus 2 --no-reboot \
	--disk "path=$WORK/image,serial=first-disk"
expect 'a guest with 2 CPUs boots' said two 'CPUS 2'
expect 'the disk has its serial and size' said two 'SERIAL first-disk 32768'
expect 'its reboot under --no-reboot is status 5' ended two 5

# module NAME: a loadable copy of one of the guest kernel's modules
module()
{
	local file

	file=$(modinfo -k "$KREL" -n "$1") || exit 1
	case $file in
	*.xz) xz -dc "$file" ;;
	*.zst) zstd -dc "$file" ;;
	*) cat "$file" ;;
	esac >"$WORK/$1.ko"
}

# A guest that panics; its pvpanic driver tells us.
module pvpanic
module pvpanic-mmio
make_initrd panic "$WORK/pvpanic.ko" "$WORK/pvpanic-mmio.ko" <<'END'
echo "CPUS $(nproc)"
insmod pvpanic.ko && insmod pvpanic-mmio.ko && echo c >/proc/sysrq-trigger
END
guest four --initrd "$initrd" --append quiet --memory 512 --cpus 4
expect 'a guest with 4 CPUs boots' said four 'CPUS 4'
expect 'its panic is status 4' ended four 4
complains()
{
	grep -q 'panick' "$WORK/four.out"
}
expect 'and the reason is on stderr' complains
expect 'nothing is left behind' clean_again "$before"
finish
