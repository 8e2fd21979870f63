# SPDX-License-Identifier: GPL-2.0
"""plan.py - what the benchmark against peers measures, and what it has to reach.

Every flavour serves the same null_blk device: three from a guest under our VMM,
three from the same guest under QEMU, one is fio on the host itself. Within a turn
all flavours of a workload follow each other, and the turns repeat. Turn 0 warms
up and is thrown away.
"""

from collections import namedtuple

# cpus: of the guest; jobs: fio's numjobs, one a CPU, each with its own depth
Workload = namedtuple("Workload", "name title cpus rw bs depth jobs")

WORKLOADS = (
    Workload("rr4k-1", "4 KiB random read, depth 1, one queue", 1, "randread", 4096, 1, 1),
    Workload("rr4k-32", "4 KiB random read, depth 32, one queue", 1, "randread", 4096, 32, 1),
    Workload("sr128k-8", "128 KiB sequential read, depth 8, one queue", 1, "read", 131072, 8, 1),
    Workload("rr4k-32x2", "4 KiB random read, 2 vCPUs, depth 32 and a queue each", 2,
             "randread", 4096, 32, 2),
)

# guest: who runs it, "kvhost", "qemu" or None; disk: its name in that guest;
# option: of --disk, or QEMU's aio=
Flavour = namedtuple("Flavour", "name title guest disk option")

FLAVOURS = (
    Flavour("kernel", "kvhost kernel", "kvhost", "vdb", "backend=kernel"),
    Flavour("packed", "kvhost kernel, packed", "kvhost", "vdc", "backend=kernel,packed=on"),
    Flavour("user", "kvhost user", "kvhost", "vdd", "backend=user"),
    Flavour("native", "QEMU aio=native", "qemu", "vdb", "native"),
    Flavour("io_uring", "QEMU aio=io_uring", "qemu", "vdc", "io_uring"),
    Flavour("threads", "QEMU aio=threads", "qemu", "vdd", "threads"),
    Flavour("host", "fio on the host", None, None, None),
)

# What "kernel" has to reach. peers: the best of them counts; key: a figure of
# results; at_least: ratio of the medians; at_most: the median itself
Target = namedtuple("Target", "workload title peers key at_least at_most")

QEMU = ("native", "io_uring")


def _ratios(workload, qemu, user, host):
    return (
        Target(workload, "QEMU's best", QEMU, "iops", qemu, None),
        Target(workload, "our user backend", ("user",), "iops", user, None),
        Target(workload, "fio on the host", ("host",), "iops", host, None),
    )


def _counts(workload):
    return (
        Target(workload, "exits per I/O", (), "exits_per_io", None, 0.1),
        Target(workload, "interrupts per I/O", (), "interrupts_per_io", None, 0.2),
    )


TARGETS = (
    *_ratios("rr4k-1", 1.5, 1.3, 0.35),
    *_ratios("rr4k-32", 2, 1.5, 0.6),
    *_counts("rr4k-32"),
    Target("sr128k-8", "QEMU's best", QEMU, "bytes_per_s", 1.3, None),
    *_ratios("rr4k-32x2", 2, 1.5, 0.6),
    *_counts("rr4k-32x2"),
)

WARM_UP_SECONDS = 0.5

# One measurement; index: its place in the whole plan.
Step = namedtuple("Step", "index workload backend flavour turn seconds")


def steps(cpus, turns, seconds, workloads=None, flavours=None):
    """All measurements with guests of so many CPUs, in order."""
    kept = [w for w in WORKLOADS if w.cpus == cpus and (not workloads or w.name in workloads)]
    ways = [f for f in FLAVOURS if not flavours or f.name in flavours]
    order = [(w, f, turn, seconds if turn else WARM_UP_SECONDS)
             for turn in range(turns + 1) for w in kept for f in ways]
    return [Step(i, w, f.name, f, turn, length)
            for i, (w, f, turn, length) in enumerate(order)]


def fio_global():
    """What all jobs have in common, in a guest as on the host."""
    return [
        "[global]",
        "ioengine=io_uring",
        "direct=1",
        "thread=1",
        "time_based=1",
        "norandommap=1",
        "randrepeat=0",
        "group_reporting=1",
        "percentile_list=50:99",
        # From submission on: an exit of the doorbell's store is part of it.
        "clat_percentiles=0",
        "lat_percentiles=1",
        "disk_util=0",
    ]


def fio_job(step, path):
    """One measurement for fio."""
    work = step.workload
    lines = [
        f"[run{step.index}]",
        "stonewall",
        f"filename={path}",
        f"rw={work.rw}",
        f"bs={work.bs}",
        f"iodepth={work.depth}",
        f"runtime={int(step.seconds * 1000)}ms",
        f"numjobs={work.jobs}",
    ]
    if work.jobs > 1:
        lines += [f"cpus_allowed=0-{work.jobs - 1}", "cpus_allowed_policy=split"]
    return lines


def fio_guest_file(plan):
    """The plan of one guest: every job waits for its turn and marks its bounds."""
    lines = fio_global()
    for step in plan:
        turn = f"{step.index} {step.flavour.disk} {step.workload.jobs}"
        lines += fio_job(step, f"/dev/{step.flavour.disk}")
        lines += [f"exec_prerun=/run/kvhost/guest-turn begin {turn}",
                  f"exec_postrun=/run/kvhost/guest-turn end {turn}"]
    return "\n".join(lines) + "\n"
