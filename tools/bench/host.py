# SPDX-License-Identifier: GPL-2.0
"""host.py - what the benchmarks use of the test host: backing devices, counters
of KVM and of the kernel, and a guest's console.
"""

import glob
import json
import os
import re
import select
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
WORK = "/run/kvhost-bench"
CONFIGFS = "/sys/kernel/config"
DEBUGFS = "/sys/kernel/debug"
FILE_MIB = 128
# Longest run of a command, seconds. A counting boot's clock races ahead while it waits
# for a file: there it is more.
PATIENCE = [120]
# Of what KVM counts for a VM.
KVM = ("exits", "io_exits", "mmio_exits", "halt_exits", "irq_exits", "irq_injections",
       "pf_fixed", "insn_emulation")


class Failure(Exception):
    """A failure with a message for the user."""


def chosen(names, known):
    """Names separated by commas as a list, None for all; each has to be known."""
    if not names:
        return None
    names = names.split(",")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Failure(f"nothing is called {', '.join(unknown)}; there is {', '.join(known)}")
    return names


def progress(text):
    """One line for whoever watches."""
    print(f"progress: {text} ({time.monotonic():.0f} s)", flush=True)


def run(*command):
    """Run a command, return its output; it failing is a Failure."""
    timeout = PATIENCE[0]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=timeout, check=False, text=True)
    except subprocess.TimeoutExpired:
        raise Failure(f"{' '.join(command)}: no end within {timeout} s") from None
    except OSError as error:
        raise Failure(f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        raise Failure(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


def read(path):
    """The text of a small file."""
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()


class BlockDevice:
    """A block device of this host; name: in /sys/block."""

    name = ""

    def bytes_done(self):
        """Bytes read and written so far, in the unit of 512-byte sectors."""
        fields = read(f"/sys/block/{self.name}/stat").split()
        return (int(fields[2]) + int(fields[6])) * 512


class NullBlk(BlockDevice):
    """A null_blk device of our own, made through configfs."""

    def __init__(self, name, **attributes):
        self.dir = f"{CONFIGFS}/nullb/{name}"
        before = set(glob.glob("/sys/block/nullb*"))
        os.mkdir(self.dir)
        try:
            for key, value in (*attributes.items(), ("power", 1)):
                with open(f"{self.dir}/{key}", "w", encoding="ascii") as file:
                    file.write(str(value))
        except OSError as error:
            os.rmdir(self.dir)
            raise Failure(f"null_blk: cannot set {key}={value}: {error.strerror}") from None
        made = (set(glob.glob("/sys/block/*")) - before)
        self.name = next((os.path.basename(p) for p in made
                          if os.path.basename(p) in (name,) or "nullb" in p), name)
        self.path = f"/dev/{self.name}"

    def close(self):
        """Remove the device."""
        with open(f"{self.dir}/power", "w", encoding="ascii") as file:
            file.write("0")
        os.rmdir(self.dir)


class Backing:
    """The backing devices: "null", and "file", an image on an ext4 in memory."""

    def __init__(self, kinds=("null", "file")):
        self.devices = {}
        self.mounted = None
        run("modprobe", "null_blk", "nr_devices=0")
        if not os.path.ismount(CONFIGFS):
            run("mount", "-t", "configfs", "configfs", CONFIGFS)
        common = {"queue_mode": 2, "irqmode": 0, "blocksize": 512,
                  "submit_queues": os.cpu_count()}
        try:
            self.devices["null"] = NullBlk("kvhost-null", size=4096, **common)
            self.paths = {"null": self.devices["null"].path}
            if "file" in kinds:
                self.devices["file"] = NullBlk("kvhost-file", size=FILE_MIB + 64,
                                               memory_backed=1, **common)
                self.paths["file"] = self.make_image()
        except BaseException:
            self.close()
            raise

    def make_image(self):
        """A file of FILE_MIB with every block written, or the first write to each
        would be another kind of write."""
        directory = f"{WORK}/mnt"
        device = self.devices["file"].path
        os.makedirs(directory, exist_ok=True)
        run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0",
            "-E", "lazy_itable_init=0", device)
        run("mount", "-t", "ext4", device, directory)
        self.mounted = directory
        image = f"{directory}/disk.img"
        run("dd", "if=/dev/zero", f"of={image}", "bs=1M", f"count={FILE_MIB}",
            "oflag=direct", "status=none")
        return image

    def close(self):
        """Remove all again."""
        if self.mounted:
            run("umount", self.mounted)
        for device in self.devices.values():
            device.close()


def cpu_ns():
    """Run time of all tasks of this host so far, idle ones excepted, and this one."""
    busy = sum(int(line.split()[7]) for line in read("/proc/schedstat").splitlines()
               if line.startswith("cpu"))
    return busy - int(read("/proc/self/schedstat").split()[0])


def sample(pids, units):
    """What is taken twice while something is measured: the counters of the host and of
    the VMs of these processes, the "units" done so far and the "time". units: a
    function."""
    values = dict.fromkeys(KVM, 0) if pids else {}
    if pids and not os.path.ismount(DEBUGFS):
        run("mount", "-t", "debugfs", "debugfs", DEBUGFS)
    for pid in pids:
        found = glob.glob(f"{DEBUGFS}/kvm/{pid}-*")
        if not found:
            raise Failure(f"no KVM counters of process {pid} in {DEBUGFS}/kvm")
        for name in KVM:
            path = f"{found[0]}/{name}"
            values[name] += int(read(path)) if os.path.exists(path) else 0
    values["switches"] = int(re.search(r"^ctxt (\d+)", read("/proc/stat"), re.M).group(1))
    values["cpu_ns"] = cpu_ns()
    values["units"] = units()
    values["time"] = time.monotonic()
    return values


def counts(first, last, number, unit="unit"):
    """How far the counters went between two samples for each of a number of units."""
    return {f"{name}_per_{unit}": (last[name] - first[name]) / number
            for name in first if name not in ("units", "time")}


class Console:
    """What a process says, a line at a time."""

    def __init__(self, log):
        """log: a file for all of it."""
        self.log = log
        self.process = None
        self.tail, self.pending, self.eof = b"", [], False

    def open(self, command, pass_fds=()):
        """Start the process anew."""
        self.tail, self.pending, self.eof = b"", [], False
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, pass_fds=pass_fds)

    def line(self, timeout):
        """The next line, None after timeout seconds or at its end."""
        end = time.monotonic() + timeout
        while not self.pending:
            left = end - time.monotonic()
            if left <= 0 or self.eof:
                return None
            if not select.select([self.process.stdout], [], [], left)[0]:
                return None
            data = os.read(self.process.stdout.fileno(), 65536)
            self.eof = not data
            self.log.write(data)
            self.log.flush()
            *whole, self.tail = (self.tail + data).split(b"\n")
            self.pending += [w.decode("utf-8", "replace").strip("\r") for w in whole]
        return self.pending.pop(0)


class Guest(Console):
    """The running VMM: its console, and what the guest reported on it."""

    def __init__(self, command, log):
        super().__init__(log)
        self.open(command)

    def stop(self):
        """End the VMM if it has not ended; returns its exit status."""
        for sig in (None, signal.SIGTERM, signal.SIGKILL):
            if sig:
                self.process.send_signal(sig)
            try:
                return self.process.wait(10 if sig else 0)
            except subprocess.TimeoutExpired:
                continue
        raise Failure("the VMM does not end, not even when killed")


def fio_report(root):
    """fio's report, from the root disk of a guest that is gone. The guest went past
    the page cache, so that what the cache has of the disk is stale."""
    if os.path.exists(root) and not os.path.isfile(root):
        run("blockdev", "--flushbufs", root)
    print(run("e2fsck", "-fn", root), flush=True)
    copy = f"{WORK}/fio.json"
    run("debugfs", "-R", f"dump /var/lib/kvhost/fio.json {copy}", root)
    try:
        text = read(copy)
        # What fio has to say about its commands comes before the report.
        return json.loads(text[max(0, text.find("\n{")):])
    except (OSError, ValueError) as error:
        raise Failure(f"fio's report cannot be read from the root disk: {error}") from None


def result(step, job, marks, samples):
    """One measurement: fio's figures and counts per I/O."""
    side = job["write" if "write" in step.workload.rw else "read"]
    if job["error"] or not side["total_ios"]:
        raise Failure(f"fio did no I/O in {step.workload.name} on {step.backend}: "
                      f"error {job['error']}")
    percentile = side["lat_ns"]["percentile"]
    value = {
        "workload": step.workload.name, "backend": step.backend, "turn": step.turn,
        "ios": side["total_ios"], "iops": side["iops"], "bytes_per_s": side["bw_bytes"],
        "p50_ns": percentile["50.000000"], "p99_ns": percentile["99.000000"],
        "cpu_guest_pct": job["usr_cpu"] + job["sys_cpu"],
    }
    (ios0, irqs0), (ios1, irqs1) = marks
    value["interrupts_per_io"] = (irqs1 - irqs0) / max(1, ios1 - ios0)
    if samples and len(samples) == 2:
        first, last = samples
        ios = (last["units"] - first["units"]) / step.workload.bs
        if ios > 0:
            value["window_ios"] = ios
            value["window_seconds"] = last["time"] - first["time"]
            value.update(counts(first, last, ios, "io"))
    return value
