# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# steps.sh - named steps, each with a log and a duration. Sourced.
#
#	steps_begin DIR		keep the logs in DIR
#	step NAME TITLE COMMAND...
#
# On a terminal a running step shows its title and its latest line that begins
# with "progress: "; in a pipe nothing is said unless a step fails. A failure
# names the step, shows the end of its log, says where that is, and exits 1.
# The durations stay in DIR/steps.txt.
# steps_end TEXT closes with the time that all took.

steps_begin()
{
	STEPS_DIR=$1
	STEPS_START=$SECONDS
	mkdir -p "$STEPS_DIR" || exit 1
	: >"$STEPS_DIR/steps.txt"
}

step_status()
{
	if [ -t 2 ]; then
		printf '\r\033[K%s' "$*" >&2
	fi
}

step()
{
	local name=$1 title=$2 log=$STEPS_DIR/$1.log start=$SECONDS status child

	shift 2
	step_status "... $title"
	"$@" >"$log" 2>&1 </dev/null &
	child=$!
	while kill -0 "$child" 2>/dev/null; do
		if [ -t 2 ]; then
			step_status "... $title: $(sed -n 's/^progress: //p' "$log" |
				tail -n 1 | tr -d '\r' | cut -c1-60)"
		fi
		sleep 0.2
	done
	wait "$child"
	status=$?
	step_status ""
	printf '%4d s  %s\n' $((SECONDS - start)) "$title" >>"$STEPS_DIR/steps.txt"
	if [ "$status" -ne 0 ]; then
		{
			printf 'FAILED: %s (step "%s", exit status %d after %d s)\n' \
				"$title" "$name" "$status" $((SECONDS - start))
			tail -n 20 "$log" | sed 's/^/  | /'
			printf 'log: %s\n' "$log"
		} >&2
		exit 1
	fi
	if [ -t 2 ]; then
		tail -n 1 "$STEPS_DIR/steps.txt" >&2
	fi
}

# What all steps took, for a human.
steps_end()
{
	if [ -t 2 ]; then
		printf '\n%4d s  in all; %s\n' $((SECONDS - STEPS_START)) "$*" >&2
	fi
}
