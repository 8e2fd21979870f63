#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Programs of this folder once more, on registered guest memory: each is one
# result here, and what it said when it failed the diagnosis. Pinning all memory
# for each of their tests takes time, so by default this is only one;
# KVHOST_PROGRAMS names others, or "all".

programs=${KVHOST_PROGRAMS:-packed}
if [ "$programs" = all ]; then
	programs="data requests framing packed queues workers ranges hostile kill"
fi

cd "$(dirname "$0")" || exit 1
export KVHOST_REGISTERED=1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # words
set -- $programs
echo "TAP version 13"
echo "1..$#"
n=0
failed=0
for program; do
	n=$((n + 1))
	if timeout 120 "./$program" >"$log" 2>&1; then
		echo "ok $n $program in registered memory: $(grep -c '^ok' "$log") tests"
	else
		sed 's/^/# /' "$log"
		echo "not ok $n $program in registered memory"
		failed=1
	fi
done
exit $failed
