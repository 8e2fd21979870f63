#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The counting boot: a guest works with both block backends there and does not get
lost, two measurements agree, and whose instructions it says they are can be true.
"""

import json
import os
import subprocess
import sys

TOP = os.path.realpath(f"{os.path.dirname(os.path.realpath(__file__))}/../../../..")
SECONDS = 240
WORKLOAD, PEERS, TURNS = "rr4k-1", ("kernel", "user"), 2
# How far two turns may be apart, in parts of the lesser.
APART = 0.01
COUNTS = ("cpu_ns_per_unit", "exits_per_unit", "interrupts_per_unit", "switches_per_unit")
SHARES = tuple(f"{who}_instructions_per_unit" for who in ("guest", "kernel", "user"))
# Least instructions of a guest for an I/O: fio, its kernel and driver.
GUEST = 5000
# Most of host programs where the kernel is all there is, and least where it is not.
IDLE, BUSY = 100, 500


def measure():
    """The rows, and all that was said."""
    command = [f"{TOP}/tools/testhost/testhost", "--icount", "--timeout", str(SECONDS), "--",
               f"{TOP}/tools/bench/suite/inside", "--suites", "blk", "--workloads", WORKLOAD,
               "--peers", ",".join(PEERS), "--turns", str(TURNS), "--seconds", "1", "--counted"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    word = "KVHOST-ROW "
    rows = [json.loads(line[len(word):]) for line in done.stdout.splitlines()
            if line.startswith(word)]
    return done, rows


def main():
    """KTAP."""
    done, rows = measure()
    figures = {(row["peer"], row["turn"]): row["figures"] for row in rows}
    tests = []

    def check(name, reasons):
        """A test, which fails where there are reasons."""
        reasons = list(reasons)
        tests.append(not reasons)
        for reason in reasons:
            print(f"# {reason}")
        print(f"{'not ' if reasons else ''}ok {len(tests)} {name}", flush=True)

    print("TAP version 13\n1..4")
    check("every peer is counted, in every turn",
          [f"no row of {peer} in turn {turn}" for peer in PEERS
           for turn in range(1, TURNS + 1) if (peer, turn) not in figures] +
          [f"exit status {done.returncode}"] * bool(done.returncode))
    check("no guest gets lost",
          [line for line in done.stdout.splitlines()
           if "again" in line or "KVHOST-FAILED" in line or "testhost: note" in line])
    pairs = [(peer, key, figures[peer, 1][key], figures[peer, 2][key]) for peer in PEERS
             for key in COUNTS if (peer, 1) in figures and (peer, 2) in figures]
    check("two measurements agree", [f"{peer} {key}: {a} and {b}" for peer, key, a, b in pairs
                                     if abs(a - b) > APART * min(a, b)] or
          ["nothing to compare"] * (not pairs))
    wrong = []
    for (peer, turn), found in sorted(figures.items()):
        guest, kernel, user = (found[key] for key in SHARES)
        spent = user < IDLE if peer == "kernel" else user > BUSY
        if guest < GUEST or kernel < 0 or not spent:
            wrong.append(f"{peer}, turn {turn}: guest {guest}, kernel {kernel}, user {user}")
    check("instructions are the guest's, the kernel's and programs' as they should",
          wrong or ["no rows"] * (not figures))
    if not all(tests):
        for line in done.stdout.splitlines()[-30:]:
            print(f"# {line[:200]}")
    return 0 if all(tests) else 1


if __name__ == "__main__":
    sys.exit(main())
