# SPDX-License-Identifier: GPL-2.0
"""meter.py - what a measurement costs the host, read around its middle.

Starting and ending a load makes page faults and processes that are none of its
business, so two samples are taken while it runs: what lies between them is
divided by the units that were done meanwhile.
"""

import glob
import os
import re
import time

from host import Failure, read, run

KVM = ("exits", "io_exits", "mmio_exits", "halt_exits", "irq_exits", "irq_injections",
       "pf_fixed", "insn_emulation")
# The parts of a measurement's length at which samples are taken.
FIRST, LAST = 0.2, 0.9
# Longest wait for the first unit of a load, and how often it is looked for.
START_SECONDS = 30
LOOK_SECONDS = 0.01


class NothingDone(Failure):
    """No unit was done where some should have been."""


def cpu_ns():
    """Run time of all tasks of this host so far, idle ones excepted, and this one."""
    busy = sum(int(line.split()[7]) for line in read("/proc/schedstat").splitlines()
               if line.startswith("cpu"))
    return busy - int(read("/proc/self/schedstat").split()[0])


class Meter:
    """Counters of the host and of some VMs."""

    def __init__(self, units, threshold=1):
        """units: a function, what has been done so far; threshold: so many of them are
        the load and not its preparation."""
        if not os.path.ismount("/sys/kernel/debug"):
            run("mount", "-t", "debugfs", "debugfs", "/sys/kernel/debug")
        self.units = units
        self.threshold = threshold

    def sample(self, pids):
        """All counters; pids: of the VMs."""
        values = dict.fromkeys(KVM, 0) if pids else {}
        for pid in pids:
            found = glob.glob(f"/sys/kernel/debug/kvm/{pid}-*")
            if not found:
                raise Failure(f"no KVM counters of process {pid} in /sys/kernel/debug/kvm")
            for name in KVM:
                path = f"{found[0]}/{name}"
                values[name] += int(read(path)) if os.path.exists(path) else 0
        values["switches"] = int(re.search(r"^ctxt (\d+)", read("/proc/stat"), re.M).group(1))
        values["cpu_ns"] = cpu_ns()
        values["units"] = self.units()
        values["time"] = time.monotonic()
        return values

    def await_start(self):
        """Wait for the first unit of a load that has just been started."""
        start = self.units()
        limit = time.monotonic() + START_SECONDS
        while self.units() - start < self.threshold:
            if time.monotonic() > limit:
                raise NothingDone(f"the load did nothing for {START_SECONDS} s")
            time.sleep(LOOK_SECONDS)

    def measure(self, pids, seconds):
        """Sample a load that has just been started and takes so long. Returns the
        units a second and the counts per unit."""
        self.await_start()
        begun = time.monotonic()
        samples = []
        for part in (FIRST, LAST):
            time.sleep(max(0, begun + part * seconds - time.monotonic()))
            samples.append(self.sample(pids))
        first, last = samples
        units = last["units"] - first["units"]
        if units <= 0:
            raise NothingDone("the load did nothing between the two samples")
        span = last["time"] - first["time"]
        figures = {"units": units, "seconds": span, "per_s": units / span}
        for name in first:
            if name not in ("units", "time"):
                figures[f"{name}_per_unit"] = (last[name] - first[name]) / units
        return figures
