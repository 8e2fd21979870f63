#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What kvhost-bench makes of rows: verdicts, tables, comparisons, charts; that its
file has the documented shape; that a suite which fails costs no more than its own
rows; and that wrong use is told.
"""

import contextlib
import copy
import glob
import importlib.machinery
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
import traceback
from types import SimpleNamespace

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.realpath(f"{HERE}/../../../..")
BENCH = f"{TOP}/tools/bench"
sys.path[1:1] = [f"{BENCH}/front", f"{BENCH}/suite", BENCH]

# pylint: disable=wrong-import-position
import blk  # noqa: E402
import charts  # noqa: E402
import compare  # noqa: E402
import fio  # noqa: E402
import fixture  # noqa: E402
import hosts  # noqa: E402
import registry  # noqa: E402
import results  # noqa: E402
import steps  # noqa: E402
import table  # noqa: E402
from fixture import OTHER, OURS, THEIRS, row, turns  # noqa: E402

TESTS = []


def test(function):
    """A test, its docstring is its name."""
    TESTS.append(function)
    return function


def expect(found, wanted):
    """They have to be equal."""
    if found != wanted:
        raise AssertionError(f"found {found!r} instead of {wanted!r}")


def contains(text, *words):
    """All words have to be in it."""
    for word in words:
        if word not in text:
            raise AssertionError(f"no '{word}' in: {text}")


def verdict(rows, key, mode="timed", **changes):
    """The verdict on a target of the fake suite, by its title and mode."""
    found = [v for v in fixture.data(registry, results, rows, **changes)["verdicts"]
             if v["workload"] == "read" and v["title"] == key and v["mode"] == mode]
    return found[0]["verdict"] if found else None


def inside():
    """The program as a module."""
    loader = importlib.machinery.SourceFileLoader("inside", f"{BENCH}/suite/inside")
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("inside", loader))
    loader.exec_module(module)
    return module


def bench(*words):
    """Run the program: (status, stdout, stderr)."""
    done = subprocess.run([f"{BENCH}/kvhost-bench", *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=30, check=False, text=True)
    return done.returncode, done.stdout, done.stderr


@test
def ratios():
    """a ratio is the median of the turns' own, to the best rival"""
    ours, theirs = turns(OURS, "iops", 200, 220, 210), turns(THEIRS, "iops", 100, 105, 101)
    expect(verdict(ours + theirs, "the others"), "reached")
    other = turns(OTHER, "iops", 140, 141, 139)
    expect(verdict(ours + theirs + other, "the others"), "missed by 24 %")
    # The machine is slow at first, for both; and one of them fails in a turn.
    ours, theirs = turns(OURS, "iops", 100, 200, 420), turns(THEIRS, "iops", 45, 95, 200)
    expect(verdict(ours + theirs, "the others"), "reached")
    expect(verdict(ours[1:] + theirs[:2], "the others"), "reached")
    expect(verdict(ours[2:] + theirs[:2], "the others"), "not measured: no rows of it")


@test
def bounds():
    """a figure is below its bound, or above by so much"""
    for value, wanted in ((0.1, "reached"), (0.15, "missed by 50 %"),
                          (0.35, "missed, 3.5 times as many")):
        expect(verdict(turns(OURS, "exits_per_unit", value), "exits per I/O"), wanted)


@test
def less_is_better():
    """of latency the least rival counts, and less is reached"""
    theirs = turns(THEIRS, "p50_us", 100, 100, 100) + turns(OTHER, "p50_us", 300, 300, 300)
    expect(verdict(turns(OURS, "p50_us", 50, 50, 50) + theirs, "them"), "reached")
    expect(verdict(turns(OURS, "p50_us", 60, 60, 60) + theirs, "them"), "missed by 20 %")


@test
def undecided():
    """turns that spread and disagree decide nothing; a spread alone does not matter"""
    theirs = turns(THEIRS, "iops", 100, 100, 100)
    found = verdict(turns(OURS, "iops", 150, 210, 220) + theirs, "the others")
    contains(found, "undecided", "1.5 to 2.2")
    expect(verdict(turns(OURS, "iops", 300, 400, 500) + theirs, "the others"), "reached")
    expect(verdict(turns(OURS, "iops", 100, 120, 140) + theirs, "the others"), "missed by 40 %")
    # Turns that disagree, but are close together.
    expect(verdict(turns(OURS, "iops", 195, 205, 210) + theirs, "the others"), "reached")
    found = verdict(turns(OURS, "exits_per_unit", 0.05, 0.09, 0.12), "exits per I/O")
    contains(found, "undecided")


@test
def counted():
    """throughput is judged by instructions too, where they were counted"""
    rows = turns(OURS, "iops", 300) + turns(THEIRS, "iops", 100)
    expect(verdict(rows, "the others", "counted"), None)
    rows += turns(OURS, "cpu_ns_per_unit", 10000, mode="counted")
    expect(verdict(rows, "the others", "counted"), None)
    rows += turns(THEIRS, "cpu_ns_per_unit", 30000, mode="counted")
    expect(verdict(rows, "the others", "counted"), "reached")
    rows += turns(OTHER, "cpu_ns_per_unit", 15000, mode="counted")
    expect(verdict(rows, "the others", "counted"), "missed by 25 %")
    expect(verdict(rows, "the others"), "reached")


@test
def not_measured():
    """a target without rows has a reason"""
    rows = turns(OURS, "iops", 100)
    absent = [{"suite": "fake", "peer": THEIRS, "mode": "timed", "reason": "it is too hot"}]
    expect(verdict(rows, "the others", absent=absent), "not measured: theirs is absent")
    expect(verdict(rows, "the others"), "not measured: no rows of it")
    quick = {**fixture.data(registry, results, [])["options"], "quick": True}
    expect(verdict(rows, "the others", options=quick), "not measured: not part of this run")
    failed = [{"suite": "fake", "mode": "timed", "reason": "it fell over"}]
    expect(verdict(rows, "the others", failed=failed), "not measured: the suite failed")
    data = fixture.data(registry, results, rows)
    found = [v["verdict"] for v in data["verdicts"] if v["workload"] == "write"]
    expect(found, ["not measured: not part of this run"])
    *told, tally = table.verdict_lines(data)
    expect([line for line in told if "write" in line], [])
    expect("1 not part of this run" in tally, True)


@test
def tables():
    """the table has all peers, who is absent, what failed, and the verdicts"""
    rows = (turns(OURS, "iops", 200, 220, 210) + turns(THEIRS, "iops", 100, 105, 101)
            + turns(OURS, "cpu_ns_per_unit", 1000, mode="counted")
            + [row(OTHER, iops=50, p50_us=None)])
    data = fixture.data(
        registry, results, rows,
        absent=[{"suite": "fake", "peer": OTHER, "mode": "timed", "reason": "it is too hot"}],
        failed=[{"suite": "fake", "mode": "timed", "reason": "it fell over"}])
    text = "\n".join(table.lines(data))
    contains(text, "their way", "another way", "2.08 x", "it is too hot", "it fell over",
             "counts in a boot", "1 reached", "at least 2 x")
    if "p50 us" in text:
        raise AssertionError("an empty column is shown")
    data["options"]["turns"] = 1
    contains("\n".join(table.lines(data)), "spread is not known")
    contains(table.where(data["host"]), "emulated test host", "6.1.0-1-amd64")


@test
def comparison():
    """compare marks what is outside of both spreads, and counts that differ by 1 %"""
    rows = (turns(OURS, "iops", 100, 101, 99) + turns(THEIRS, "iops", 100, 130, 90)
            + turns(OTHER, "iops", 100) + turns(OURS, "cpu_ns_per_unit", 1000, mode="counted")
            + turns(OURS, "exits_per_unit", 0.5, mode="counted"))
    before = fixture.data(registry, results, rows)
    after = copy.deepcopy(before)
    for item in after["rows"]:
        for key, factor in (("iops", 1.2), ("cpu_ns_per_unit", 1.009), ("exits_per_unit", 1.02)):
            if key in item["figures"]:
                item["figures"][key] *= factor
    lines = list(compare.lines(before, after))
    marks = {line.split()[2]: line.endswith("*") for line in lines
             if line.startswith("fake  read") and "iops" not in line and line.split()[3] != "exits"}
    # Of a single turn nothing can be said.
    expect(marks, {OURS: True, THEIRS: False, OTHER: False})
    text = "\n".join(lines)
    contains(text, "1.20", "exits", "+2.0 %")
    if "cpu_ns" in text:
        raise AssertionError("0.9 % are told")
    contains("\n".join(compare.lines(before, before)), "none")


@test
def schema():
    """results.json is read back; what lacks something is refused"""
    data = results.load(f"{HERE}/results.json")
    expect(data["verdicts"], results.verdicts(data))
    for change in (lambda d: d.pop("rows"), lambda d: d.update(schema="kvhost-bench/0"),
                   lambda d: d["rows"][0].pop("turn"), lambda d: d["suites"].pop("fake"),
                   lambda d: d["rows"][0].update(mode="guessed"),
                   lambda d: d["suites"]["fake"].pop("targets")):
        broken = copy.deepcopy(data)
        change(broken)
        try:
            results.check(broken)
        except results.Invalid:
            continue
        raise AssertionError("a broken file was taken")


@test
def documented():
    """every key of results.json is in the documentation"""
    with open(f"{TOP}/Documentation/bench.md", encoding="utf-8") as file:
        text = file.read()
    for key in (*results.KEYS, *results.ROW_KEYS, *results.SUITE_KEYS):
        contains(text, f"`{key}`")


@test
def failing_suite():
    """a suite that fails leaves its rows and a reason, and the others alone"""
    program = inside()

    def good(_, report):
        report.progress(1, 2, "half")
        report.absent(OTHER, "it is too hot")
        report.row("read", OURS, 1, {"iops": 5})

    def bad(_, __):
        raise program.Failure("it fell over")

    gather = hosts.Gather("timed", ["fake", "next", "last"])
    for name, script in (("fake", (good, bad)), ("next", (good,))):
        suite = fixture.Fake(script)
        suite.name = name
        with contextlib.redirect_stdout(io.StringIO()) as said:
            program.measure(suite, SimpleNamespace(), program.Report(name, "timed", 0, 10, 10))
        for line in said.getvalue().splitlines():
            gather.take(line)
    expect((gather.at, gather.total), (5, 10))
    gather.end(1, None, "x.log")
    expect([r["suite"] for r in gather.rows], ["fake", "next"])
    expect([r["suite"] for r in gather.absent], ["fake", "next"])
    expect([(r["suite"], r["reason"]) for r in gather.failed],
           [("fake", "it fell over"), ("last", "the test host ended with status 1; log: x.log")])


@test
def choice():
    """quick and counted runs keep their workloads; a name is always kept"""
    suite = fixture.Fake()
    expect(registry.kept(suite), (["read", "write"], [OURS, THEIRS, OTHER]))
    expect(registry.kept(suite, quick=True)[0], ["read"])
    expect(registry.kept(suite, ["write"], quick=True)[0], ["write"])
    expect(registry.kept(suite, counted=True)[0], ["read"])
    expect(registry.kept(suite, quick=True, counted=True)[0], [])
    expect(registry.kept(suite, ["read"], quick=True, counted=True)[0], ["read"])
    expect(registry.kept(suite, peers=[OTHER, OURS])[1], [OURS, OTHER])


@test
def loads():
    """fio takes every load of the block suite, on a host with fewer CPUs than it has jobs too"""
    begin = (f'fio() {{ command fio "$@" --ioengine=null --size=1M --number_ios=1 || exit 9; }};'
             f" {fio.prepare('cut')}; ")
    with tempfile.TemporaryDirectory() as folder:
        for load in blk.LOADS:
            line = fio.command(load, f"{folder}/disk", "none", (0.001, 0), 1)
            done = subprocess.run(["sh", "-c", begin + line], cwd=folder, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode == 9:
                raise AssertionError(f"{load.name}: {done.stdout}")


@test
def pictures():
    """charts are drawn without a complaint"""
    data = results.load(f"{HERE}/results.json")
    with tempfile.TemporaryDirectory() as folder:
        expect(list(charts.draw(data, folder)), [])
        names = sorted(os.path.basename(p) for p in glob.glob(f"{folder}/charts/*"))
        expect(names, [f"fake-{kind}.{form}" for kind in ("counts", "latency", "rate")
                       for form in ("png", "svg")])
        for path in glob.glob(f"{folder}/charts/*"):
            if os.path.getsize(path) < 2000:
                raise AssertionError(f"{path} is empty")


@test
def silence():
    """what says nothing any more is stopped"""
    with tempfile.TemporaryDirectory() as folder:
        work = steps.Steps(folder)
        task = steps.Task("sleep", ["sh", "-c", "echo hello; sleep 30; true"], work.log("sleep"),
                          silence=0.5)
        work.watch("sleeping", [task], lambda: "")
        expect((task.silent, task.status), (True, -15))
        if work.total() > 15:
            raise AssertionError(f"after {work.total():.0f} s")


@test
def failing_step():
    """a step that fails tells its name, its last words and its log"""
    with tempfile.TemporaryDirectory() as folder:
        work = steps.Steps(folder)
        try:
            work.run("build", "build it", "sh", "-c", "echo no compiler; exit 3")
        except steps.Failed as failure:
            contains(str(failure), "build it", "exit status 3", "no compiler", "build.log")
            return
        raise AssertionError("it did not fail")


@test
def wrong_use():
    """wrong use ends with status 2 and names what was wrong"""
    for words, told in ((("bogus",), "'bogus'"), (("--suites", "none"), "none"),
                        (("--turns", "0"), "--turns"), (("--seconds", "x"), "'x'"),
                        (("--peers", ","), "names nothing"), (("--wrong",), "--wrong"),
                        (("--workloads", "nothing"), "nothing is called nothing"),
                        (("compare", "one"), "B.json")):
        status, _, said = bench(*words)
        expect((words, status), (words, 2))
        contains(said, told)


@test
def command_line():
    """compare reads files, and refuses others"""
    path = f"{HERE}/results.json"
    status, said, _ = bench("compare", path, path)
    expect(status, 0)
    contains(said, "ours", "1.00")
    status, _, said = bench("compare", path, f"{HERE}/settings")
    expect(status, 1)
    contains(said, "settings", "not a file of results")


def main():
    """KTAP."""
    if sys.argv[1:] == ["--write"]:
        rows = [item for turn in (1, 2, 3) for item in (
            row(OURS, turn, iops=200 + turn, p50_us=10 + turn, p99_us=50, p999_us=100),
            row(THEIRS, turn, iops=100 + turn, p50_us=30 + turn, p99_us=70, p999_us=90))]
        rows += [row(peer, mode="counted", cpu_ns_per_unit=cost, exits_per_unit=0.5,
                     switches_per_unit=0.1)
                 for peer, cost in ((OURS, 10000), (THEIRS, 30000))]
        print(json.dumps(fixture.data(registry, results, rows), indent=1))
        return 0
    print(f"TAP version 13\n1..{len(TESTS)}")
    failed = 0
    for number, function in enumerate(TESTS, 1):
        try:
            function()
            print(f"ok {number} {function.__doc__}")
        except Exception:  # pylint: disable=broad-except
            failed = 1
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
            print(f"not ok {number} {function.__doc__}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
