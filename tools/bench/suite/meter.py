# SPDX-License-Identifier: GPL-2.0
"""meter.py - what a measurement costs the host, read around its middle.

Starting and ending a load makes page faults and processes that are none of its
business, so two samples are taken while it runs: what lies between them is
divided by the units that were done meanwhile.
"""

import time

from host import Failure, counts, sample

# The parts of a measurement's length at which samples are taken.
FIRST, LAST = 0.2, 0.9
# Longest wait for the first unit of a load, and how often it is looked for.
START_SECONDS = 30
LOOK_SECONDS = 0.01


class NothingDone(Failure):
    """No unit was done where some should have been."""


class Meter:
    """A load, looked at while it runs."""

    def __init__(self, units, threshold=1):
        """units: a function, what has been done so far; threshold: so many of them are
        the load and not its preparation."""
        self.units = units
        self.threshold = threshold

    def await_start(self):
        """Wait for the first unit of a load that has just been started."""
        start = self.units()
        limit = time.monotonic() + START_SECONDS
        while self.units() - start < self.threshold:
            if time.monotonic() > limit:
                raise NothingDone(f"the load did nothing for {START_SECONDS} s")
            time.sleep(LOOK_SECONDS)

    def measure(self, pids, seconds, last=LAST):
        """Sample a load that has just been started and takes so long, until that part of
        it is over; pids: of the VMs. Returns the units a second and the counts per unit."""
        self.await_start()
        begun = time.monotonic()
        samples = []
        for part in (FIRST, last):
            time.sleep(max(0, begun + part * seconds - time.monotonic()))
            samples.append(sample(pids, self.units))
        first, last = samples
        units = last["units"] - first["units"]
        if units <= 0:
            raise NothingDone("the load did nothing between the two samples")
        span = last["time"] - first["time"]
        return {"units": units, "seconds": span, "per_s": units / span,
                **counts(first, last, units)}
