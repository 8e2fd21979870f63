# SPDX-License-Identifier: GPL-2.0
"""hosts.py - has the test host run suites, and gathers what "inside" says there."""

import json
import os
import re
import sys
import time
from statistics import median

import steps
from machine import TOP
from results import COUNTED, TIMED

TESTHOST = f"{TOP}/tools/testhost/testhost"
INSIDE = f"{TOP}/tools/bench/suite/inside"

# A test host, and a step, take at most that: see limit().
START_SECONDS = 300
STEP_SECONDS = 4
# An emulated machine that counts is now and then lost while a guest boots.
COUNT_TRIES = 3
COUNT_SILENCE = 150
COUNT_LIMIT = 600
COUNT_MEMORY_MIB = 4096

ENDS = {
    120: "the test host did not boot",
    121: "the test host's kernel complained or died",
    122: "the test host cannot be used here",
    124: "the test host was not done in time",
}


class Gather:
    """What has been said by one "inside"."""

    def __init__(self, mode, names, tell=None):
        """tell: is called with each row."""
        self.mode, self.names, self.tell = mode, names, tell
        self.host, self.rows, self.absent, self.failed, self.done = None, [], [], [], set()
        self.at, self.total, self.first = 0, 0, None
        self.said = ""

    def take(self, line):
        """A line of its output."""
        match = re.fullmatch(r"KVHOST-(HOST|ROW|ABSENT|FAILED|DONE) (\{.*\})", line)
        if match:
            value = json.loads(match[2])
            if match[1] == "HOST":
                self.host = value
            elif match[1] == "DONE":
                self.done.add(value["suite"])
            else:
                {"ROW": self.rows, "ABSENT": self.absent, "FAILED": self.failed}[
                    match[1]].append(value)
                if match[1] == "ROW" and self.tell:
                    self.tell(self.rows)
        elif match := re.fullmatch(r"progress: (\d+)/(\d+) (.*)", line):
            self.at, self.total, self.said = int(match[1]), int(match[2]), match[3]
            if self.first is None and self.at:
                self.first = self.at, time.monotonic()

    def status(self):
        """How far it is, and how long it may still take."""
        if not self.total:
            return "starting the test host"
        left = ""
        if self.first and self.at > self.first[0]:
            pace = (time.monotonic() - self.first[1]) / (self.at - self.first[0])
            left = f", {steps.duration(pace * (self.total - self.at))} left"
        return f"{self.at}/{self.total}{left}: {self.said}"

    def end(self, status, why, log):
        """The test host has ended: who did not get to the end has failed."""
        known = self.done | {row["suite"] for row in self.failed}
        lost = [name for name in self.names if name not in known]
        reason = why or ENDS.get(status, f"the test host ended with status {status}")
        reason += f"; log: {log}"
        for name in lost:
            self.failed.append({"suite": name, "mode": self.mode, "reason": reason})
        if status > 1 and not lost:
            self.failed.append({"suite": "testhost", "mode": self.mode, "reason": reason})


def limit(count, seconds):
    """The longest time so many measurements may take; it is to end what hangs."""
    return round(START_SECONDS + count * (STEP_SECONDS + 3 * seconds))


def arguments(names, options, counted):
    """The command line of "inside"."""
    # Counts do not vary from turn to turn.
    line = [INSIDE, "--suites", ",".join(names), "--turns", str(1 if counted else options.turns),
            "--seconds", str(options.seconds)]
    for name in ("workloads", "peers", "poll"):
        value = getattr(options, name)
        if value is not None:
            line += [f"--{name}", ",".join(value) if isinstance(value, list) else str(value)]
    line += ["--quick"] if options.quick else []
    return line + (["--counted"] if counted else [])


def on_testhost(names, options, counted, log, seconds):
    """The same on a test host, for so many seconds at most; log: of its console."""
    return [TESTHOST, *(["--icount", "--memory", str(COUNT_MEMORY_MIB)] if counted else []),
            "--timeout", str(seconds), "--log", log,
            *(["--kernel", options.kernel] if options.kernel else []), "--",
            *arguments(names, options, counted)]


def teller(work, options, plan):
    """Shows a place's median on a terminal, early."""
    rates = {(suite.name, w.name): w.rate for suite, _, _ in plan for w in suite.workloads}

    def tell(rows):
        last = rows[-1]
        if last["turn"] != min(2, options.turns):
            return
        place, key = (last["suite"], last["workload"], last["peer"]), rates[
            last["suite"], last["workload"]]
        values = [row["figures"][key] for row in rows if key in row["figures"]
                  and (row["suite"], row["workload"], row["peer"]) == place]
        if values:
            work.say(f"       {place[0]:6}{place[1]:15}{place[2]:12}{median(values):12.1f} {key}")
    return tell if work.live else None


def time_it(work, options, plan):
    """Run suites where time is time, each on a test host of its own: one that dies takes
    no other suite along. A quick run has no time to boot more than one. Yields what was
    gathered."""
    for part in [plan] if options.quick else [[one] for one in plan]:
        names = [suite.name for suite, _, _ in part]
        title = "-".join(["measure", *([] if options.quick else names)])
        gather = Gather(TIMED, names, teller(work, options, plan))
        count = sum(len(w) * len(p) * options.turns for _, w, p in part)
        log = work.fresh_log(title)
        task = steps.Task("measure", on_testhost(
            names, options, False, f"bench-{title}", limit(count, options.seconds)),
                          log, gather.take)
        work.watch(title, [task], gather.status)
        gather.end(task.status, None, log)
        yield gather


def count_tasks(work, waiting, options, tries):
    """A test host for each suite that waits: (task, what it says)."""
    pairs = []
    for name in waiting:
        gather = Gather(COUNTED, [name])
        command = on_testhost([name], options, True, f"bench-count-{name}", COUNT_LIMIT)
        # The machine lost its way in the tries before; their logs stay in front.
        log = (work.fresh_log if tries == COUNT_TRIES else work.log)(f"count-{name}")
        pairs.append((steps.Task(name, command, log, gather.take, COUNT_SILENCE), gather))
    return pairs


def count_it(work, names, options):
    """Run suites where time is instructions, side by side: what other processors do
    makes no difference there. Returns what was gathered, a suite each."""
    found = []
    waiting = list(names)
    for tries in range(COUNT_TRIES, 0, -1):
        again = []
        at_once = max(1, (os.cpu_count() or 1))
        for start in range(0, len(waiting), at_once):
            pairs = count_tasks(work, waiting[start:start + at_once], options, tries)
            work.watch("count", [task for task, _ in pairs],
                       lambda p=pairs: "; ".join(g.status() for _, g in p))
            for task, gather in pairs:
                lost = task.silent or task.status in (120, 121, 124)
                if lost and task.name not in gather.done and tries > 1:
                    print(f"the counting test host of suite {task.name} hung or died, starting it"
                          f" again; its log: {work.log(f'count-{task.name}')}", file=sys.stderr)
                    again.append(task.name)
                    continue
                why = None
                if task.silent:
                    why = (f"the counting test host fell silent for {COUNT_SILENCE} s,"
                           f" {COUNT_TRIES} times")
                gather.end(task.status, why, work.log(f"count-{task.name}"))
                found.append(gather)
        waiting = again
        if not waiting:
            break
    return found
