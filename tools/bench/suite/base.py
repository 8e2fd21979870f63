# SPDX-License-Identifier: GPL-2.0
"""base.py - what a suite of the benchmark is.

A suite serves the same work by several peers, in turns, and reports a row for
each measurement. "inside" runs suites, kvhost-bench makes tables, verdicts and
charts of their rows; neither knows what a suite measures.
"""

from collections import namedtuple

# How much longer than expected anything may take on the counting boot. A second is a
# thousand million instructions there, and less than nothing while all wait for a file.
COUNTED_LATE = 3600

# A way to serve the work: its name on the command line and in results, and in tables
Peer = namedtuple("Peer", "name title")

# What is measured. unit: what "per unit" figures count, in the singular; rate: the
# key of its headline figure; quick: part of a quick run; counted: part of the
# counting boot of no run (0), of one that is not quick (1), of every one (2)
Workload = namedtuple("Workload", "name title unit rate quick counted")

# A column of the table: heading, width, key of a row, scale, format
Column = namedtuple("Column", "heading width key scale form")

# The columns that suites have in common: of latencies, and of what a unit costs.
LATENCIES = (
    Column("p50 us", 9, "p50_us", 1, "{:.0f}"),
    Column("p99 us", 9, "p99_us", 1, "{:.0f}"),
    Column("p99.9", 9, "p999_us", 1, "{:.0f}"),
)
EXITS = Column("exits", 8, "exits_per_unit", 1, "{:.2f}")
INTERRUPTS = Column("irqs", 8, "interrupts_per_unit", 1, "{:.2f}")
SWITCHES = Column("switches", 10, "switches_per_unit", 1, "{:.2f}")
CPU = Column("CPU us", 9, "cpu_ns_per_unit", 1e-3, "{:.1f}")
COSTS = (EXITS, INTERRUPTS, SWITCHES, CPU)

# What a peer has to reach in a workload. rivals: peers, the best of which counts, or
# () where the figure itself is judged; key: of a row. at_least, at_most: the ratio
# of the medians or the figure itself, None for no bound; best: "most" or "least", what
# makes a rival's figure the best
Target = namedtuple("Target", "workload peer title rivals key at_least at_most best")


def ratio(workload, peer, title, rivals, key, at_least):
    """The peer's figure is at least so many times that of the best rival."""
    return Target(workload, peer, title, rivals, key, at_least, None, "most")


def fraction(workload, peer, title, rivals, key, at_most):
    """And at most so many times: the less, the better."""
    return Target(workload, peer, title, rivals, key, None, at_most, "least")


def bound(workload, peer, title, key, at_most):
    """The peer's figure is at most that."""
    return Target(workload, peer, title, (), key, None, at_most, "least")


def late(options, seconds):
    """How much longer than expected anything may take; seconds: where time is time."""
    return COUNTED_LATE if options.counted else seconds


def side_turns(options):
    """How many turns a measurement gets of which nothing is promised."""
    return min(options.turns, 1)


class Suite:
    """A suite. What a module of this directory has as SUITE."""

    name = ""
    title = ""
    # The peer others are compared with in the table.
    ours = ""
    peers = ()
    workloads = ()
    columns = ()
    targets = ()

    def measure(self, options, report):
        """Measure on the test host. options: workloads and peers (names kept, in
        order), turns, seconds, cpus, kernel, initrd, vmm, poll, counted, quick. report:
        row(workload, peer, turn, figures), absent(peer, reason, workload=None), and
        progress(done, total, text)."""
        raise NotImplementedError
