#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Data through kvhost_blk is right: raw, and under file systems that order their
# writes by flushes, seen from the guest and from the host.
#
#	vda  null_blk          split             ext4
#	vdb  null_blk          packed            xfs
#	vdc  file, direct      packed, in order  ext4
#	vdd  file, buffered    split             xfs
#
# The host makes the file systems on the first part of each disk. The guest runs
# fio --verify with four shapes at once on what lies behind, then two fsmix and a
# fio that syncs in each file system, and unmounts. The host checks the file
# systems and looks for the same data.

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

need_vm
need_tools mkfs.xfs xfs_repair mkfs.ext4
GUEST_SECONDS=150
plan 23
before=$(leftovers)
modprobe xfs || exit 1

# xfs takes no less than this; the guest's job knows it too.
fs_mib=300
size=$((fs_mib + 16))
here=$(dirname "$0")

# The modules a guest needs for xfs, beyond those it has anyway.
modprobe -S "$KREL" --show-depends xfs | awk '$1 == "insmod" { print $2 }' |
	while read -r file; do
		name=${file##*/}
		case $name in
		*.xz) xz -dc "$file" >"$WORK/${name%.xz}" ;;
		*) cp "$file" "$WORK/$name" ;;
		esac
		echo "${name%.xz}"
	done >"$WORK/modules"

null_blk kvh_integrity_a $size || exit 1
a=$disk
null_blk kvh_integrity_b $size || exit 1
b=$disk

# Direct I/O needs a file system that has it.
truncate -s 800M "$WORK/host.ext4"
mkfs.ext4 -q -O ^has_journal "$WORK/host.ext4" && mkdir "$WORK/host" "$WORK/mnt" &&
	modprobe loop && mount -o loop "$WORK/host.ext4" "$WORK/host" || exit 1
at_exit "umount $WORK/host"
at_exit "umount $WORK/mnt"
c=$WORK/host/c
d=$WORK/host/d
truncate -s ${size}M "$c" "$d"
chmod 755 "$WORK/host"
chmod 666 "$c" "$d"

mkfs.ext4 -q "$a" ${fs_mib}M && mkfs.ext4 -q "$c" ${fs_mib}M &&
	mkfs.xfs -q -d size=${fs_mib}m "$b" && mkfs.xfs -q -f -d size=${fs_mib}m "$d" || exit 1
sync

mapfile -t modules <"$WORK/modules"
make_initrd integrity "$here/fsmix" "$WORK/modules" "${modules[@]/#/$WORK/}" <<'END'
raw=300
for module in $(cat modules); do
	insmod ./$module 2>/dev/null
done

echo READY
cat >/tmp/raw.fio <<FIO
[global]
ioengine=libaio
direct=1
rw=randwrite
verify=crc32c
verify_fatal=1
group_reporting
FIO
for disk in vda vdb vdc vdd; do
	n=0
	for shape in bs=512,depth=32 bs=4k,depth=1 bs=128k,depth=8 bsrange=512-1m,depth=16; do
		size=1m
		case $shape in
		bs=512*) size=256k ;;
		esac
		cat >>/tmp/raw.fio <<FIO
[$disk-$n]
filename=/dev/$disk
${shape%,*}
iodepth=${shape#*,depth=}
offset=$((raw + 4 * n))m
size=$size
FIO
		n=$((n + 1))
	done
done
fio --eta=never --output=/tmp/raw.out /tmp/raw.fio && echo RAW-VERIFIED || tail -n 20 /tmp/raw.out

# mix DISK TYPE SEED
mix()
{
	echo MIX $1
	mkdir -p /mnt/$1
	mount -t $2 /dev/$1 /mnt/$1 || return
	./fsmix /mnt/$1/mix1 1$3 120 >/tmp/$1.mix1 &
	./fsmix /mnt/$1/mix2 2$3 120 >/tmp/$1.mix2 &
	fio --name=$1 --directory=/mnt/$1 --rw=randrw --bsrange=512-64k --size=512k --numjobs=1 \
		--fsync=16 --overwrite=0 --fallocate=none --verify=crc32c --verify_fatal=1 \
		--verify_state_save=0 --eta=never --output=/tmp/$1.fio && echo FIO-VERIFIED $1
	wait
	sed "s/^/$1 /" /tmp/$1.mix1 /tmp/$1.mix2
	# with nothing cached
	umount /mnt/$1 && mount -t $2 /dev/$1 /mnt/$1 || return
	for f in mix1 mix2; do
		./fsmix --sum /mnt/$1/$f | sed "s/^/$1 AGAIN /"
	done
	umount /mnt/$1 && echo UNMOUNTED $1
}
mix vda ext4 1 &
mix vdb xfs 2 &
mix vdc ext4 3 &
mix vdd xfs 4 &
wait
END

guest integrity --initrd "$initrd" --append quiet --memory 384 --cpus 2 \
	--disk "path=$a" --disk "path=$b,packed=on" \
	--disk "path=$c,packed=on,in_order=on" --disk "path=$d,direct=off"
expect 'the guest ends with status 0' ended integrity 0
expect 'fio verifies all disks, four shapes at once' said integrity RAW-VERIFIED

# sums DISK WORDS: what fsmix said of it
sums()
{
	tr -d '\r' <"$WORK/integrity.console" |
		sed -n "s/^$1 ${2}FSMIX \([0-9a-f]* mix[12]\)\$/\1/p" | sort -k 2
}

# The same files as on the host; two of them, or something is missing.
host_sums()
{
	mount -o "ro$4" -t "$2" "$3" "$WORK/mnt" || return
	for f in mix1 mix2; do
		"$here/fsmix" --sum "$WORK/mnt/$f" | sed 's/^FSMIX //'
	done >"$WORK/$1.sums"
	umount "$WORK/mnt"
}

same()
{
	[ "$(sums "$1" '' | wc -l)" = 2 ] && [ "$(sums "$1" '')" = "$2" ] && return
	echo "# $1: in the guest $(sums "$1" '' | paste -sd' '), then $2"
	diagnose "$WORK/integrity.console"
	return 1
}

clean_ext4()
{
	e2fsck -fn "$1" >"$WORK/fsck" 2>&1 && return
	diagnose "$WORK/fsck"
	return 1
}

# The disk is larger than the file system, and xfs_repair wants to know of a file.
clean_xfs()
{
	local options=(-n)

	[ -b "$1" ] || options+=(-f)
	xfs_repair "${options[@]}" "$1" >"$WORK/fsck" 2>&1 && return
	diagnose "$WORK/fsck"
	return 1
}

# check DISK TYPE PATH
check()
{
	expect "$1 ($2): what fio wrote and synced verifies" said integrity "FIO-VERIFIED $1"
	expect "$1 ($2): the same after a mount" same "$1" "$(sums "$1" 'AGAIN ')"
	expect "$1 ($2): the guest unmounts it" said integrity "UNMOUNTED $1"
	expect "$1 ($2): the file system is clean" "clean_$2" "$3"
	if [ -b "$3" ]; then
		blockdev --flushbufs "$3"
		host_sums "$1" "$2" "$3" ''
	else
		host_sums "$1" "$2" "$3" ',loop'
	fi
	expect "$1 ($2): the host reads the same" same "$1" "$(cat "$WORK/$1.sums")"
}

check vda ext4 "$a"
check vdb xfs "$b"
check vdc ext4 "$c"
check vdd xfs "$d"
expect 'nothing is left behind' clean_again "$before"
finish
