#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Pid 1 of the boot initrd: loads the modules of the root disk's path, mounts
# root= (/dev/vda unless given), hands a job appended by tools/guest/job over as
# /run/kvhost, and gives way to the root's own init.

export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o mode=0755 run /run
exec </dev/console >/dev/console 2>&1
echo KVHOST-INIT

while read -r module; do
	insmod "/lib/modules/$module" || echo "init: cannot load $module"
done </etc/modules

root=/dev/vda
flags=rw
read -r cmdline </proc/cmdline
for word in $cmdline; do
	case $word in
	root=*) root=${word#root=} ;;
	ro) flags=ro ;;
	esac
done

fail()
{
	echo "init: $*"
	echo "KVHOST-EXIT 125"
	stty -echo </dev/console
	poweroff -f
}

tries=0
while [ ! -b "$root" ]; do
	tries=$((tries + 1))
	[ "$tries" -le 100 ] || fail "no root disk $root within 10 s"
	usleep 100000
done
mount -t ext4 -o "$flags" "$root" /root || fail "cannot mount $root as ext4"
if [ -d /job ]; then
	cp -a /job /run/kvhost
fi
for dir in dev proc sys run; do
	mount --move "/$dir" "/root/$dir"
done
exec switch_root /root /sbin/init
