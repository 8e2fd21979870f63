#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The quick checks of tools/lint/lint, a test each.

lint=$(realpath "$(dirname "$0")/../../../..")/tools/lint/lint
number=0
failed=0

echo 'TAP version 13'
echo '1..6'
for check in checkpatch kernel-doc shellcheck codespell manual programs; do
	number=$((number + 1))
	if found=$("$lint" "$check" 2>&1); then
		echo "ok $number $check"
	else
		printf '%s\n' "$found" | tail -n 30 | sed 's/^/# /'
		echo "not ok $number $check"
		failed=1
	fi
done
exit $failed
