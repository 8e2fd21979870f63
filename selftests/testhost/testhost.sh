#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The promises of tools/testhost/testhost: what the command says and how it
# ends arrives unchanged, and nothing the kernel complains of is overlooked.
#
#   testhost.sh --- testhost --- QEMU --- L1: command, kernel
#       ^               ^                       |       |
#       |               +---- verdict, klog ----+-------+
#       +---- status, output

top=$(realpath "$(dirname "$0")/../../../..")
testhost=$top/tools/testhost/testhost
warn=$top/build/selftests/testhost/warn/warn.ko
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A panic is not for the machine itself, whatever it is capable of.
export TESTHOST=qemu
number=0
failed=0

check()
{
	local name=$1

	shift
	number=$((number + 1))
	if "$@"; then
		echo "ok $number $name"
	else
		sed 's/^/# /' "$work/err" | tail -n 20
		echo "not ok $number $name"
		failed=1
	fi
}

# on EXPECTED-STATUS COMMAND...: output in $work/out and $work/err
on()
{
	local expected=$1 status

	shift
	"$testhost" "${options[@]}" -- "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	[ "$status" -eq "$expected" ] && return
	echo "# status $status instead of $expected"
	return 1
}

said()
{
	grep -q -- "$1" "$work/err" && return
	echo "# '$1' is not in the error output"
	return 1
}

options=()
echo 'TAP version 13'
echo '1..13'

# A line of 2 MB, bytes that are no text, and no newline at the end.
noise='seq 300000 | tr "\n" " "; printf "\0\1\377\n\r\nend"'
echo data >"$work/disk"
truncate -s 1M "$work/disk"
options=(--disk "$work/disk,serial=some-disk" --cpus 2)
# shellcheck disable=SC2016 # expanded on the test host
check 'the exit status is that of the command' on 7 sh -c "$noise"'
	{ insmod "$1"	# taints as any out-of-tree module does: no failure
	  nproc
	  head -n 1 /dev/disk/by-id/virtio-some-disk
	  cmp /dev/disk/by-id/virtio-some-disk "$KVHOST_DISK_SOME_DISK" && echo same
	  cat /sys/module/kvm_amd/parameters/npt
	  test -c /dev/kvm && echo kvm
	  pwd
	  touch /usr/kvhost-was-here build/testhost/kvhost-was-here
	} >&2; exit 7' sh "$warn"
check 'long lines and binary output arrive unchanged' \
	cmp "$work/out" <(sh -c "$noise")
printf '2\ndata\nsame\nN\nkvm\n%s\n' "$top" >"$work/expected"
check 'processors, disk, KVM and tree are there' cmp "$work/expected" "$work/err"
check 'only build/ is written to' test -e "$top/build/testhost/kvhost-was-here" \
	-a ! -e /usr/kvhost-was-here
rm -f "$top/build/testhost/kvhost-was-here"

options=(--log selftest)
check 'a kernel warning is a failure' on 121 insmod "$warn" warn=1
check 'the warning is shown' said 'the test host has to notice this'
check 'a panic is a failure' on 121 sh -c 'echo c >/proc/sysrq-trigger; sleep 60'
check 'the panic is shown' said 'Kernel panic'
check 'a new taint is a failure' on 121 sh -c 'echo 64 >/proc/sys/kernel/tainted'

options=(--log selftest --timeout 2)
check 'a command that does not end is ended' on 124 sleep 600

options=(--memory 1)
check 'a wrong option is explained' on 122 true
options=(--kernel 5.5)
check 'a kernel that is not installed is explained' on 122 true
check 'and named' said 'no kernel 5.5 is installed'
rm -f "$top/build/testhost/console-selftest.log"
exit $failed
