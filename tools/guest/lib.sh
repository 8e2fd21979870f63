# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# lib.sh - what the guest image builders share: kernel selection, the cache key
# of an image, the module set, and small initramfs trees. Sourced, never run.
#
# Every image FILE has FILE.key beside it: a hash of all that went into it. An
# image is rebuilt when the key differs, and appears under its name only when
# it is complete.

GUEST_SRC=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
GUEST_TOP=$(cd -- "$GUEST_SRC/../.." && pwd)
GUEST_OUT=${GUEST_OUT:-$GUEST_TOP/build/guest}

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# Progress for a human; silent in a pipe.
say()
{
	if [ -t 2 ]; then
		printf '  %s\n' "$*" >&2
	fi
}

# need COMMAND PACKAGE: refuse early, naming the package that has it.
need()
{
	command -v "$1" >/dev/null ||
		die "$1 not found: install the Debian package $2 (or run tools/deps/install)"
}

# kernel_usable KREL: an image in /boot, and drivers for a guest's disk.
kernel_usable()
{
	[ -s "/boot/vmlinuz-$1" ] &&
		modprobe -qaS "$1" --show-depends virtio_pci virtio_blk ext4 >/dev/null
}

# The distribution's kernels that a guest can boot, newest first. One built by
# hand (a debug kernel, say) counts only when it is asked for by its full name.
kernel_list()
{
	local krel arch

	arch=$(dpkg --print-architecture)
	for krel in /boot/vmlinuz-*-"$arch"; do
		krel=${krel#/boot/vmlinuz-}
		if kernel_usable "$krel"; then
			printf '%s\n' "$krel"
		fi
	done | sort -rV
}

# kernel_pick 6.1 or 6.1.0-56-amd64: the newest installed release that matches.
kernel_pick()
{
	local krel

	if kernel_usable "$1"; then
		printf '%s\n' "$1"
		return 0
	fi
	for krel in $(kernel_list); do
		case $krel in
		"$1".* | "$1"-*)
			printf '%s\n' "$krel"
			return 0
			;;
		esac
	done
	die "no installed kernel matches '$1' (have: $(kernel_list | paste -sd' '))"
}

# module_files KREL NAME...: the files to load, in order, each one once. A NAME
# that ends in "?" may be missing from this kernel.
module_files()
{
	local krel=$1 name

	shift
	for name; do
		modprobe -qS "$krel" --show-depends "${name%\?}" || [[ $name = *\? ]] ||
			die "kernel $krel has no module $name"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# The identity of an installed kernel's modules: rebuilt ones change modules.dep.
module_key()
{
	sha256sum "/lib/modules/$1/modules.dep" "/lib/modules/$1/modules.builtin"
	stat -c '%s %Y' "/boot/vmlinuz-$1"
}

# image_fresh FILE KEY: true when FILE was built from KEY.
image_fresh()
{
	[ -s "$1" ] && [ "$(cat "$1.key" 2>/dev/null)" = "$2" ]
}

image_seal()
{
	mv -f -- "$1.tmp" "$1"
	printf '%s\n' "$2" >"$1.key"
}

# tree_base DIR: busybox under all its names, and the mount points.
tree_base()
{
	mkdir -p "$1"/{bin,dev,proc,sys,tmp,run,root,etc,lib/modules}
	cp /bin/busybox "$1/bin/busybox"
	/bin/busybox --list | while read -r applet; do
		[ "$applet" = busybox ] || ln -s busybox "$1/bin/$applet"
	done
	ln -s bin "$1/sbin"
}

# tree_modules DIR KREL NAME...: modules, decompressed here rather than in the
# guest, and etc/modules, their load order.
tree_modules()
{
	local dir=$1 krel=$2 file base

	shift 2
	module_files "$krel" "$@" | while read -r file; do
		base=${file##*/}
		case $base in
		*.ko.xz) base=${base%.xz}; xz -dc "$file" >"$dir/lib/modules/$base" ;;
		*.ko.zst) base=${base%.zst}; zstd -qdc "$file" >"$dir/lib/modules/$base" ;;
		*.ko.gz) base=${base%.gz}; gzip -dc "$file" >"$dir/lib/modules/$base" ;;
		*) cp "$file" "$dir/lib/modules/$base" ;;
		esac
		printf '%s\n' "$base"
	done >"$dir/etc/modules"
	# A kernel may have them all built in. Stripping drops signatures, which
	# nothing enforces.
	if [ -s "$dir/etc/modules" ]; then
		strip --strip-debug "$dir"/lib/modules/*.ko
	fi
	printf '%s\n' "$krel" >"$dir/etc/kernel-release"
}

# tree_pack DIR FILE: a cpio archive padded to 4 bytes, so that another one may
# follow it. Not compressed: a nested guest inflates slower than it copies.
tree_pack()
{
	(cd "$1" && find . -mindepth 1 | LC_ALL=C sort |
		cpio -o -H newc -R 0:0 --reproducible --quiet) >"$2" ||
		die "cannot write $2"
}
