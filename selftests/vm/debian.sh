#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A stock Debian boots by systemd to multi-user.target from a kvhost_blk root
# disk: once from a block device, once from an image file.

# shellcheck source=selftests/lib/lib.sh
. "$(dirname "$0")/lib.sh"

need_vm
GUEST_SECONDS=150
root=$LIB_TOP/build/guest/debian.ext4
boot=$LIB_TOP/build/guest/boot-$KREL.cpio
if ! [ -s "$root" ] || ! [ -s "$boot" ]; then
	skip_all 'no Debian root disk; tools/guest/debian makes it'
fi
plan 7
before=$(leftovers)

cat >"$WORK/job" <<'END'
echo "STATE $(systemctl is-active multi-user.target)"
echo "FAILED $(systemctl --failed --no-legend | wc -l)"
echo "ROOT $(findmnt -no SOURCE /)"
n=$(cat /var/lib/boots 2>/dev/null || echo 0)
echo $((n + 1)) >/var/lib/boots
sync
echo "BOOTS $((n + 1))"
END
"$LIB_TOP/tools/guest/job" "$boot" "$WORK/job" >"$WORK/boot.cpio" || exit 1

debian()
{
	guest "$1" --initrd "$WORK/boot.cpio" --append 'quiet' --memory 512 --cpus 2 \
		--disk "path=$2,serial=root"
}

# The image itself is left alone: a copy in memory is what the guests write to.
dd if="$root" of="$WORK/root.ext4" bs=1M conv=sparse 2>"$WORK/dd" || {
	diagnose "$WORK/dd"
	exit 1
}
chmod 666 "$WORK/root.ext4"
modprobe loop
loop=$(losetup --direct-io=off -f --show "$WORK/root.ext4") || exit 1
at_exit "losetup -d $loop"

debian device "$loop"
expect 'from a block device: multi-user.target is active' said device 'STATE active'
expect 'no unit failed' said device 'FAILED 0'
expect 'the guest ends with status 0' ended device 0
losetup -d "$loop"

debian file "$WORK/root.ext4"
expect 'from the file: multi-user.target is active' said file 'STATE active'
expect 'what the first boot wrote is there' said file 'BOOTS 2'

fsck_clean()
{
	e2fsck -fn "$WORK/root.ext4" >"$WORK/fsck" 2>&1 && return
	diagnose "$WORK/fsck"
	return 1
}
expect 'the file system is clean' fsck_clean
expect 'nothing is left behind' clean_again "$before"
finish
