# SPDX-License-Identifier: GPL-2.0
"""Reads what kselftest's runner prints and counts the test cases in it.

The runner reports one result per program, at depth 0, and prefixes what the
program itself says with "# ": sub-tests are results at depth 1, their own
sub-tests at depth 2 and so on. A result with sub-tests stands for them and is
not counted itself, unless it failed where none of them did (crash, time-out).
"""

import re

RESULT = re.compile(r"(not )?ok (\d+)\b(?: -)?\s*(.*)")
PLAN = re.compile(r"1\.\.(\d+)\s*(# *SKIP.*)?$", re.IGNORECASE)
SKIP = re.compile(r"# *SKIP\b", re.IGNORECASE)
PROGRAM = re.compile(r"# selftests: (\S+): (\S+)$")

# Lines of a failed sub-test's output that are shown, at most.
CONTEXT = 40


class Level:
    """The results seen at one depth since the last one above it."""

    def __init__(self):
        self.announced = False
        self.plan = None
        self.seen = 0
        self.failed = 0

    def clear(self):
        self.__init__()


class Parser:
    """Feed it lines; it calls report(program, counts, failures) by program.

    counts are passed, failed and skipped of that program; a failure is a pair
    of a name and the lines that led to it.
    """

    def __init__(self, report, begin=lambda program: None):
        self.report = report
        self.begin = begin
        self.passed = self.failed = self.skipped = 0
        self.programs = 0
        self.program = None
        self.levels = []
        self.start_program(None)

    def start_program(self, name):
        self.program = name
        self.counts = [0, 0, 0]
        self.failures = []
        self.recent = []
        self.levels = [Level()]

    def level(self, depth):
        while len(self.levels) <= depth:
            self.levels.append(Level())
        return self.levels[depth]

    def line(self, line):
        line = line.rstrip("\r\n")
        program = PROGRAM.match(line)
        if program:
            self.start_program(f"{program[1]}/{program[2]}")
            self.begin(self.program)
            return
        depth = 0
        rest = line
        while rest.startswith("# "):
            depth += 1
            rest = rest[2:]
        if not self.result(depth, rest):
            self.recent.append(rest if depth < 2 else line[2:])
            del self.recent[:-CONTEXT]

    def result(self, depth, text):
        """Whether the text was a plan or a result."""
        if text.startswith(("TAP version", "KTAP version")):
            self.level(depth).announced = True
            return True
        plan = PLAN.match(text)
        if plan and (depth == 0 or self.program):
            self.planned(depth, plan)
            return True
        result = RESULT.match(text)
        if not result or not self.program:
            return False
        if depth != 1 and depth and not self.level(depth).announced:
            return False
        self.resulted(depth, bool(result[1]), result[3])
        return True

    def planned(self, depth, plan):
        level = self.level(depth)
        level.announced = True
        level.plan = int(plan[1])
        if plan[2] and depth:
            self.count(2)
            level.seen = level.plan = 1

    def count(self, what):
        self.counts[what] += 1

    def fail(self, name):
        self.count(1)
        self.failures.append((name, self.recent))
        self.recent = []

    def resulted(self, depth, failed, text):
        below = self.levels[depth + 1] if len(self.levels) > depth + 1 \
            else Level()
        name = text or "(no name)"
        if below.seen or below.plan:
            self.sum_up(below, failed, name)
        elif failed:
            self.fail(name)
        else:
            self.count(2 if SKIP.search(text) else 0)
            self.recent = []
        failed = failed or below.failed > 0
        for level in self.levels[depth + 1:]:
            level.clear()
        level = self.level(depth)
        level.seen += 1
        level.failed += failed
        if depth == 0:
            self.end_program()

    def sum_up(self, below, failed, name):
        """The sub-tests are counted; what else went wrong is one failure."""
        if below.plan is not None and below.plan != below.seen:
            self.fail(f"{name}: planned {below.plan} tests, ran {below.seen}")
            below.failed += 1
        elif failed and not below.failed:
            self.fail(f"{name}: failed though its tests did not")

    def end_program(self):
        self.passed += self.counts[0]
        self.failed += self.counts[1]
        self.skipped += self.counts[2]
        self.programs += 1
        self.report(self.program, self.counts, self.failures)
        self.start_program(None)

    def close(self):
        """The input is over; a program without a result was cut off."""
        if self.program:
            self.fail("cut off before its end")
            self.end_program()
