#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A guest writes and syncs numbered files, and says so; then the power goes.
#
#	vda (ext4) --------------------> dm log-writes --> null_blk
#	vdb (ext4) --> file on ext4 ---> dm log-writes --> null_blk
#
# The test host's power: its disks are replayed up to some moments, marked while
# the guest was at work, with nothing but what was durable by then. The VMM's:
# kill -9. Each time both file systems have to mount, be clean, and hold every
# file that the guest had called durable.

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

need_vm
if ! modprobe -a loop dm-log-writes || ! command -v dmsetup >/dev/null; then
	skip_all 'no dm-log-writes or no dmsetup'
fi
GUEST_SECONDS=90
moments=2
plan $((2 * moments + 4))
before=$(leftovers)
here=$(dirname "$0")
mkdir "$WORK/outer" "$WORK/inner"
at_exit "umount $WORK/outer"
at_exit "umount $WORK/inner"

# logged NAME MIB: a disk that logs; its path in $disk
logged()
{
	local data log

	null_blk "$1" "$2" && data=$disk && null_blk "$1_log" 256 && log=$disk || return
	dmsetup create "$1" --table "0 $(($2 * 2048)) log-writes $data $log" &&
		dmsetup mknodes || return
	at_exit "dmsetup remove --retry $1; dmsetup mknodes"
	disk=/dev/mapper/$1
	eval "log_of_$1=$log"
}

logged kvh_cut_a 32 || exit 1
a=$disk
logged kvh_cut_b 64 || exit 1
b=$disk
null_blk kvh_cut_after 64 discard=1 || exit 1
after=$disk

mkdir "$WORK/live"
mkfs.ext4 -q "$a" 32M && mkfs.ext4 -q "$b" && mount "$b" "$WORK/live" || exit 1
at_exit "umount $WORK/live"
truncate -s 32M "$WORK/live/image"
mkfs.ext4 -q -F "$WORK/live/image" || exit 1
chmod 666 "$WORK/live/image"
chmod 755 "$WORK/live"
sync

make_initrd cut <<'END'
# numbered DIR DISK: file N holds its number, over and over
numbered()
{
	mkdir /mnt$1
	mount -t ext4 /dev/$1 /mnt$1 || return
	n=0
	while [ $n -lt 400 ]; do
		n=$((n + 1))
		yes $n | head -c $((n * 7919 % 30000 + 1)) >/mnt$1/$n
		sync /mnt$1/$n /mnt$1
		[ $((n % 5)) = 0 ] && rm /mnt$1/$((n - 2))
		echo "DURABLE $1 $n"
	done
}
numbered vda &
numbered vdb &
wait
END

# durable DISK: the last file the guest has called durable
durable()
{
	tr -d '\r' <"$WORK/cut.console" | sed -n "s/^DURABLE $1 \([0-9]*\)\$/\1/p" |
		tail -n 1
}

# all_there DIR LAST: files 1 to LAST, without those the guest removes
all_there()
{
	local n lost=0

	[ "${2:-0}" -gt 0 ] || return
	for ((n = 1; n <= $2; n++)); do
		# Every third of five may be gone.
		[ $((n % 5)) = 3 ] && continue
		yes "$n" | head -c $((n * 7919 % 30000 + 1)) | cmp -s - "$1/$n" && continue
		echo "# file $n of $2 is lost or wrong"
		lost=1
	done
	return "$lost"
}

clean()
{
	e2fsck -fn "$1" >"$WORK/fsck" 2>&1 && return
	diagnose "$WORK/fsck"
	return 1
}

# survived LAST PATH [OPTION]: mounts, holds the files, and is clean
survived()
{
	local status

	mount -t ext4 -o "rw${3:-}" "$2" "$WORK/inner" || return
	all_there "$WORK/inner" "$1"
	status=$?
	umount "$WORK/inner" && clean "$2" && return "$status"
}

# in_file LAST PATH: the same of the image in the file system at PATH
in_file()
{
	local status

	mount -t ext4 "$2" "$WORK/outer" || return
	survived "$1" "$WORK/outer/image" ,loop
	status=$?
	umount "$WORK/outer" && clean "$2" && return "$status"
}

guest_start cut --initrd "$initrd" --append quiet --memory 256 --cpus 2 \
	--disk "path=$a" --disk "path=$WORK/live/image,direct=off"

# Moments a few files apart. What is read here was durable before the mark.
last_a=()
last_b=()
for ((m = 1; m <= moments; m++)); do
	for name in vda vdb; do
		guest_says "DURABLE $name $((m * 6))\\b" && continue
		diagnose "$WORK/cut.console"
		exit 1
	done
	last_a[m]=$(durable vda)
	last_b[m]=$(durable vdb)
	dmsetup message kvh_cut_a 0 mark "moment$m"
	dmsetup message kvh_cut_b 0 mark "moment$m"
done
guest_kill
end_a=$(durable vda)
end_b=$(durable vdb)

expect "kill -9: vda holds all $end_a files" survived "$end_a" "$a"
expect "kill -9: vdb holds all $end_b files" survived "$end_b" "$WORK/live/image" ,loop
expect 'the disks are let go' eval "umount $WORK/live && dmsetup remove --retry kvh_cut_a &&
	dmsetup remove --retry kvh_cut_b && dmsetup mknodes"

for ((m = 1; m <= moments; m++)); do
	# shellcheck disable=SC2154 # logged() sets them
	"$here/logreplay" "$log_of_kvh_cut_a" "$after" "moment$m"
	expect "power cut $m: vda holds all ${last_a[m]} files" \
		survived "${last_a[m]}" "$after"
	# shellcheck disable=SC2154
	"$here/logreplay" "$log_of_kvh_cut_b" "$after" "moment$m"
	expect "power cut $m: vdb holds all ${last_b[m]} files" in_file "${last_b[m]}" "$after"
done
expect 'nothing is left behind' clean_again "$before"
finish
