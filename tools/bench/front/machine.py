# SPDX-License-Identifier: GPL-2.0
"""machine.py - what the results have to say of the machine and the programs."""

import os
import re
import shutil
import subprocess

TOP = os.path.realpath(f"{os.path.dirname(os.path.realpath(__file__))}/../../..")

# program, the arguments that make it tell its version, and what of the answer it is
VERSIONS = (
    ("QEMU", ("qemu-system-x86_64", "--version"), r"version (\S+)"),
    ("fio", ("fio", "--version"), r"fio-(\S+)"),
    ("iperf3", ("iperf3", "--version"), r"iperf (\S+)"),
    ("sockperf", ("sockperf", "--version"), r"version (\S+)"),
    ("gnuplot", ("gnuplot", "--version"), r"gnuplot (\S+ patchlevel \S+)"),
)


def output(*command):
    """What a command prints, "" if it cannot be run."""
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=20, check=False, text=True).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def versions():
    """Of the programs that work here."""
    found = {"kvhost": output("sed", "-n", 's/^PACKAGE_VERSION="\\(.*\\)"/\\1/p',
                              f"{TOP}/dkms.conf").strip()}
    for name, command, pattern in VERSIONS:
        if shutil.which(command[0]):
            match = re.search(pattern, output(*command))
            found[name] = match[1] if match else "?"
    return found


def revision():
    """The commit, and whether files were changed since."""
    git = ("git", "-c", f"safe.directory={TOP}", "-C", TOP)
    commit = output(*git, "rev-parse", "--short=12", "HEAD").strip()
    if not re.fullmatch(r"[0-9a-f]+", commit):
        return "unknown"
    return commit + ("+" if output(*git, "status", "--porcelain", "-uno").strip() else "")


def load():
    """Threads that want to run, averaged over the last minute."""
    with open("/proc/loadavg", encoding="ascii") as file:
        return float(file.read().split()[0])


def machine():
    """This machine, which may not be the test host."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        model = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.MULTILINE)
    return {
        "cpu": model[1].strip() if model else "unknown",
        "cpus": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "kernel": os.uname().release,
        "load": load(),
    }
