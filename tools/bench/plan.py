# SPDX-License-Identifier: GPL-2.0
"""plan.py - what the benchmark measures, in which order, as a fio job file.

One guest has every backing device twice: once behind the kernel backend and once
behind the user backend. All measurements are jobs of one fio process, one after
the other; within a turn the two backends of a workload follow each other, and
the turns repeat (A B A B). Turn 0 warms up and is thrown away.
"""

from collections import namedtuple

BACKENDS = ("kernel", "user")

# device: which backing device; rw, bs, depth: fio's
Workload = namedtuple("Workload", "name title device rw bs depth")

WORKLOADS = (
    Workload("null-rr4k-1", "null_blk  4 KiB random read    depth 1", "null", "randread", 4096, 1),
    Workload("null-rr4k-32", "null_blk  4 KiB random read    depth 32", "null", "randread", 4096, 32),
    Workload("null-sr128k-8", "null_blk  128 KiB seq. read    depth 8", "null", "read", 131072, 8),
    Workload("file-rr4k-32", "file      4 KiB random read    depth 32", "file", "randread", 4096, 32),
    Workload("file-rw4k-32", "file      4 KiB random write   depth 32", "file", "randwrite", 4096, 32),
    Workload("file-sr128k-8", "file      128 KiB seq. read    depth 8", "file", "read", 131072, 8),
)

# The guest's disks in the order they are given to the VMM; vda is the root.
GUEST_DISKS = {
    ("null", "kernel"): "vdb",
    ("null", "user"): "vdc",
    ("file", "kernel"): "vdd",
    ("file", "user"): "vde",
}

WARM_UP_SECONDS = 0.3

# One measurement: workload, backend, turn (0: warm-up), seconds.
Run = namedtuple("Run", "workload backend turn seconds")


def runs(turns, seconds, only=None):
    """All measurements in order; only: names of workloads to keep."""
    kept = [w for w in WORKLOADS if not only or w.name in only]
    plan = [Run(w, b, 0, WARM_UP_SECONDS) for w in kept for b in BACKENDS]
    for turn in range(1, turns + 1):
        plan += [Run(w, b, turn, seconds) for w in kept for b in BACKENDS]
    return plan


def fio_job_file(plan):
    """The plan for fio; job i is named run<i>, and marks its beginning and end."""
    lines = [
        "[global]",
        "ioengine=io_uring",
        "direct=1",
        "thread=1",
        "time_based=1",
        "norandommap=1",
        "randrepeat=0",
        "percentile_list=50:99",
        # From submission on: an exit of the doorbell's store is part of it.
        "clat_percentiles=0",
        "lat_percentiles=1",
        "disk_util=0",
    ]
    for i, run in enumerate(plan):
        disk = GUEST_DISKS[run.workload.device, run.backend]
        lines += [
            f"[run{i}]",
            "stonewall",
            f"filename=/dev/{disk}",
            f"rw={run.workload.rw}",
            f"bs={run.workload.bs}",
            f"iodepth={run.workload.depth}",
            f"runtime={int(run.seconds * 1000)}ms",
            f"exec_prerun=/run/kvhost/guest-mark begin {i} {disk}",
            f"exec_postrun=/run/kvhost/guest-mark end {i} {disk}",
        ]
    return "\n".join(lines) + "\n"
