# SPDX-License-Identifier: GPL-2.0
"""Runs a command on this machine itself, with a test host's guarantees.

For machines that load modules and have hardware KVM. The kernel log is judged
from a marker on, and disks are loop devices over throw-away copies.
"""

import os
import platform
import re
import signal
import subprocess
import time

import emulator


def capable():
    """Whether this machine can be the test host."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        flags = re.search(r"^flags\s*:.*$", file.read(), re.MULTILINE)
    virtual = flags and re.search(r"\b(svm|vmx)\b", flags[0])
    return bool(virtual and os.path.exists("/proc/modules")
                and os.path.exists("/dev/kvm"))


def matches(series):
    """Whether the running kernel is of the wanted series or release."""
    release = platform.release()
    return series is None or release == series or re.match(
        re.escape(series) + r"\.\d", release) is not None


def tainted():
    with open("/proc/sys/kernel/tainted", encoding="ascii") as file:
        return int(file.read())


def attach(path, serial, copies):
    """Gives the command a disk: a loop device over a copy of the file."""
    copy = f"{copies}.{serial}.img"
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", path, copy],
                   check=True)
    loop = subprocess.run(["losetup", "--find", "--show", copy], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()
    # The file lives as long as the loop device has it open.
    os.unlink(copy)
    return loop


def run_command(run, env):
    """Exit status of the command, or None when its time was up."""
    with subprocess.Popen(run.command, cwd=run.tree, env=env,
                          stdin=None if run.shell else subprocess.DEVNULL,
                          start_new_session=not run.shell) as process:
        try:
            process.wait(run.timeout or None)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            time.sleep(5)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            return None
        except BaseException:
            if not run.shell:
                os.killpg(process.pid, signal.SIGKILL)
            raise
    status = process.returncode
    return 128 - status if status < 0 else status


def wait(run):
    """The counterpart of starting an emulator and waiting for it."""
    result = emulator.Result()
    env = dict(os.environ)
    loops = []
    marker = f"testhost: start {run.name}"
    before = tainted()
    with open("/dev/kmsg", "w", encoding="ascii") as kmsg:
        kmsg.write(marker + "\n")
    try:
        for path, serial in run.disks:
            loop = attach(path, serial, f"{run.out}/{run.name}")
            loops.append(loop)
            env[run.disk_variable(serial)] = loop
        status = run_command(run, env)
    finally:
        for loop in loops:
            subprocess.run(["losetup", "-d", loop], check=False)
    result.what = "late" if status is None else "verdict"
    result.status = status
    result.taint = (before, tainted())
    result.klog = subprocess.run(["dmesg", "-x"], check=True, text=True,
                                 stdout=subprocess.PIPE).stdout
    with open(run.console, "w", encoding="utf-8") as file:
        file.write(result.klog)
    return result
