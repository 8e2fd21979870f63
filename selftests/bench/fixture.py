# SPDX-License-Identifier: GPL-2.0
"""fixture.py - a small suite that measures nothing, and results made up of rows
that a test names. results.json beside it is such a file, as kvhost-bench writes it.
"""

import base
from base import Column, Peer, Workload

OURS, THEIRS, OTHER = "ours", "theirs", "other"


class Fake(base.Suite):
    """Reports what it is told to."""

    name = "fake"
    title = "made up"
    ours = OURS
    peers = (Peer(OURS, "our way"), Peer(THEIRS, "their way"), Peer(OTHER, "another way"))
    workloads = (Workload("read", "reading", "I/O", "iops", True, True),
                 Workload("write", "writing", "I/O", "iops", False, False))
    columns = (Column("IOPS", 9, "iops", 1, "{:.0f}"),
               Column("p50 us", 9, "p50_us", 1, "{:.0f}"))
    targets = (
        base.ratio("read", OURS, "the others", (THEIRS, OTHER), "iops", 2),
        base.fraction("read", OURS, "them", (THEIRS, OTHER), "p50_us", 0.5),
        base.bound("read", OURS, "exits per I/O", "exits_per_unit", 0.1),
        base.ratio("write", OURS, "them", (THEIRS,), "iops", 1),
    )

    def __init__(self, script=()):
        self.script = script

    def measure(self, options, report):
        """script: functions of options and report."""
        for action in self.script:
            action(options, report)


def row(peer, turn=1, mode="timed", workload="read", **figures):
    """A row of the suite."""
    return {"suite": "fake", "workload": workload, "peer": peer, "turn": turn, "mode": mode,
            "figures": figures}


def turns(peer, key, *values, **more):
    """A row for each value of a figure."""
    return [row(peer, turn, **{key: value}, **more) for turn, value in enumerate(values, 1)]


def data(registry, results, rows, **changes):
    """Results with these rows, verdicts included."""
    value = {
        "schema": results.SCHEMA, "date": "2024-01-02T03:04:05+00:00", "git": "0123456789ab",
        "machine": {"cpu": "a processor", "cpus": 2, "memory_mib": 4096, "kernel": "6.1",
                    "load": 0.5},
        "host": {"kernel": "6.1.0-1-amd64", "cpus": 2, "memory_mib": 4096, "emulated": True},
        "versions": {"kvhost": "0.1"},
        "options": {"quick": False, "suites": None, "peers": None, "workloads": None,
                    "turns": 3, "seconds": 1.0, "kernel": None, "poll": None, "counts": True},
        "seconds": 100,
        "suites": {"fake": registry.describe(Fake(), ["read"], [OURS, THEIRS, OTHER])},
        "rows": rows, "absent": [], "failed": [], "verdicts": [], **changes,
    }
    value["verdicts"] = results.verdicts(value)
    return value
