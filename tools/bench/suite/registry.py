# SPDX-License-Identifier: GPL-2.0
"""registry.py - which suites there are, and what of them a run is asked for."""

import importlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
# In the order they run.
NAMES = ("blk", "net", "scale")


def available():
    """The suites that are in this tree."""
    return [name for name in NAMES if os.path.exists(f"{HERE}/{name}.py")]


def load(names):
    """The suites of these names."""
    for path in (os.path.dirname(HERE), HERE):
        if path not in sys.path:
            sys.path.insert(1, path)
    return [importlib.import_module(name).SUITE for name in names]


def kept(suite, workloads=None, peers=None, quick=False, counted=False):
    """The names of workloads and peers of a suite that remain, in its order. What is
    asked for by its name belongs to a quick run too."""
    names = [w.name for w in suite.workloads
             if (w.name in workloads if workloads else (w.quick or not quick))
             and (not counted or w.counted > (quick and not workloads))]
    ways = [p.name for p in suite.peers if not peers or p.name in peers]
    return names, ways


def describe(suite, workloads, peers):
    """A suite as results.json has it: with the workloads and peers of the run."""
    return {
        "title": suite.title,
        "ours": suite.ours,
        "peers": [p._asdict() for p in suite.peers if p.name in peers],
        "workloads": [w._asdict() for w in suite.workloads if w.name in workloads],
        "columns": [c._asdict() for c in suite.columns],
        "targets": [t._asdict() for t in suite.targets],
    }
