#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What selftests/run counts: sub-tests rather than programs, and everything
# that keeps a test from having been run as a failure.

top=$(realpath "$(dirname "$0")/../../../..")
number=0
failed=0

# counts NAME PASSED FAILED SKIPPED: reads the runner's output on stdin
counts()
{
	local found

	number=$((number + 1))
	found=$(PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$top/selftests python3 -c '
import sys
import ktap
parser = ktap.Parser(lambda *args: None)
for line in sys.stdin:
    parser.line(line)
parser.close()
print(parser.passed, parser.failed, parser.skipped)')
	if [ "$found" = "$2 $3 $4" ]; then
		echo "ok $number $1"
	else
		echo "# counted $found instead of $2 $3 $4"
		echo "not ok $number $1"
		failed=1
	fi
}

echo 'TAP version 13'
echo '1..9'
counts 'sub-tests are counted, not the program' 2 0 1 <<'END'
TAP version 13
1..1
# selftests: a: b
# TAP version 13
# 1..3
# # Starting 3 tests from 1 test cases.
# ok 1 global.x
# ok 2 global.y
# ok 3 global.z # SKIP not here
ok 1 selftests: a: b
END
counts 'a program without sub-tests is one test' 1 1 1 <<'END'
TAP version 13
1..3
# selftests: a: b
# hello
ok 1 selftests: a: b
# selftests: a: c
not ok 2 selftests: a: c # exit=1
# selftests: a: d
ok 3 selftests: a: d # SKIP
END
counts 'a failed sub-test fails once' 1 1 0 <<'END'
# selftests: a: b
# TAP version 13
# 1..2
# not ok 1 x
# ok 2 y
not ok 1 selftests: a: b # exit=1
END
counts 'a crash after the last sub-test is a failure' 1 1 0 <<'END'
# selftests: a: b
# TAP version 13
# 1..1
# ok 1 x
not ok 1 selftests: a: b # exit=139
END
counts 'a plan that is not kept is a failure' 1 1 0 <<'END'
# selftests: a: b
# TAP version 13
# 1..2
# ok 1 x
ok 1 selftests: a: b
END
counts 'a program that runs none of its tests fails' 0 1 0 <<'END'
# selftests: a: b
# TAP version 13
# 1..4
not ok 1 selftests: a: b # TIMEOUT 45 seconds
END
counts 'a program without a result fails' 1 1 0 <<'END'
# selftests: a: b
# TAP version 13
# 1..2
# ok 1 x
END
counts 'nested sub-tests count in place of their parent' 3 0 0 <<'END'
# selftests: a: b
# TAP version 13
# 1..2
# # TAP version 13
# # 1..2
# # ok 1 p
# # ok 2 q
# ok 1 x
# # ok, this is only talk
# # ok 5 as is this
# ok 2 y
ok 1 selftests: a: b
END
counts 'a skipped plan is one skip' 0 0 1 <<'END'
# selftests: a: b
# TAP version 13
# 1..0 # SKIP no device
ok 1 selftests: a: b # SKIP
END
exit $failed
