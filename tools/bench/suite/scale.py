# SPDX-License-Identifier: GPL-2.0
"""scale.py - many VMs, many devices: the scale suite.

1. VMs of our VMM, with a disk on a null_blk device of their own for each backend, are
   all at work at the same time; the devices say what each has done.
2. What a VM with idle devices costs: context switches and CPU time of its threads and
   of the module's workers while the guest leaves its disks alone.
3. What a device and a queue take: a VM with one of them against one with many, by its
   memory control group and its own memory other than the guest's.
"""

import glob
import os
import re
import time
from collections import namedtuple

import base
from base import Column, Peer, Workload
from guest import Guest, initrd, kvhost_command
from host import CONFIGFS, WORK, Failure, NullBlk, counts, read, run, sample

MEMORY_MIB = 128
DEPTH = 4
BLOCK = 4096
# VMs that boot at a time, and VMs for each CPU of the host.
BOOTS = 2
VMS_PER_CPU = 4
# Longest wait for all VMs to be at work, and for one to stop.
START_SECONDS = 60
STOP_SECONDS = 60
IDLE_SECONDS = 2
# fio's own beginning is not measured.
RAMP_SECONDS = 0.2
# Of the VM with many; queues are as many as its CPUs.
DEVICES, QUEUES = 16, 2
CGROUP = "/sys/fs/cgroup/kvhost-bench"
STACK_KIB = 16

BACKENDS = ("kernel", "user")
VMS = (1, 2, 4, 8, 16, 32)

# A VM that has nothing to do: how many devices with how many queues.
Shape = namedtuple("Shape", "devices queues cpus")
IDLE = ("idle-1", f"idle-{DEVICES}")
ONE, MANY, WIDE = Shape(1, 1, QUEUES), Shape(DEVICES, 1, QUEUES), Shape(DEVICES, QUEUES, QUEUES)


class Devices:
    """null_blk devices."""

    def __init__(self):
        self.made = []
        run("modprobe", "null_blk", "nr_devices=0")
        if not os.path.ismount(CONFIGFS):
            run("mount", "-t", "configfs", "configfs", CONFIGFS)

    def get(self, index):
        """One of them; those before it are there."""
        while len(self.made) <= index:
            self.made.append(NullBlk(f"kvhost-scale{len(self.made)}", size=1024, queue_mode=2,
                                     irqmode=0, blocksize=512, submit_queues=os.cpu_count()))
        return self.made[index]

    def close(self):
        """Remove them."""
        for device in self.made:
            device.close()


class Crowd:
    """VMs that work at the same time."""

    def __init__(self, options, image, devices):
        self.options, self.image, self.devices = options, image, devices
        self.guests = []

    def grow(self, count):
        """Have so many VMs, booting a few at a time."""
        while len(self.guests) < count:
            fresh = []
            for index in range(len(self.guests), min(count, len(self.guests) + BOOTS)):
                path = self.devices.get(index).path
                disks = [word for backend in BACKENDS for word in
                         ("--disk", f"path={path},share=on,backend={backend}{self.poll(backend)}")]
                command = kvhost_command(self.options, self.image, 1, disks, MEMORY_MIB)
                log = open(f"{WORK}/scale-{index}.log", "wb")  # pylint: disable=R1732
                fresh.append(Guest(f"{index}", command, log))
                fresh[-1].start()
            self.guests += fresh
            for guest in fresh:
                guest.boot()

    def poll(self, backend):
        """The longest spin, as it was asked for."""
        if self.options.poll is None or backend != "kernel":
            return ""
        return f",poll={self.options.poll}"

    def done(self):
        """Blocks that each device has done."""
        return [self.devices.get(i).bytes_done() // BLOCK for i in range(len(self.guests))]

    def sample(self):
        """Of all VMs together."""
        return sample([guest.pid for guest in self.guests], lambda: sum(self.done()))

    def wait_for_all(self, start):
        """Until every VM has begun."""
        limit = time.monotonic() + START_SECONDS
        while any(now == then for now, then in zip(self.done(), start)):
            if time.monotonic() > limit:
                raise Failure(f"not all of {len(self.guests)} VMs began within"
                              f" {START_SECONDS} s")
            time.sleep(0.05)

    def measure(self, backend, seconds):
        """All of them read from their disks."""
        disk = f"/dev/vd{'ab'[BACKENDS.index(backend)]}"
        load = (f"fio --name=scale --filename={disk} --rw=randread --bs={BLOCK}"
                f" --iodepth={DEPTH} --ioengine=io_uring --direct=1 --thread --norandommap"
                " --randrepeat=0 --time_based --runtime=600 --disk_util=0")
        start = self.done()
        for guest in self.guests:
            # The next line on the console ends it.
            guest.begin(f"{load} >/dev/null 2>&1 & p=$!; read -r _; kill -INT $p; wait $p; true")
        self.wait_for_all(start)
        time.sleep(RAMP_SECONDS)
        first, before, begun = self.sample(), self.done(), time.monotonic()
        time.sleep(seconds)
        after, ended, last = self.done(), time.monotonic(), self.sample()
        for guest in self.guests:
            guest.process.stdin.write(b"\n")
            guest.process.stdin.flush()
        for guest in self.guests:
            guest.end(STOP_SECONDS)
        rates = [(b - a) / (ended - begun) for a, b in zip(before, after)]
        return self.figures(first, last, rates)

    @staticmethod
    def figures(first, last, rates):
        """Of all VMs, and of the one that got least."""
        units = last["units"] - first["units"]
        if units <= 0 or not sum(rates):
            raise Failure("the VMs did nothing between the two samples")
        return {"iops": sum(rates), "worst_iops": min(rates),
                "worst_share": min(rates) * len(rates) / sum(rates),
                **counts(first, last, units)}

    def stop(self):
        """End the VMs."""
        for guest in self.guests:
            guest.stop()
            guest.log.close()


def workers(pid):
    """The module's threads for a VM: its own, or the kernel's before vhost tasks."""
    found = []
    for path in glob.glob("/proc/[0-9]*/task/*/comm"):
        try:
            if re.match(rf"kvhost-{pid}\b", read(path)):
                found.append(os.path.dirname(path))
        except OSError:
            continue
    return found


def threads(pid, ours):
    """The VM's other threads."""
    return [path for path in glob.glob(f"/proc/{pid}/task/*") if path not in ours]


def spent(folders):
    """(context switches, nanoseconds run) of threads so far."""
    switches = time_run = 0
    for folder in folders:
        switches += sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", read(f"{folder}/status"))))
        time_run += int(read(f"{folder}/schedstat").split()[0])
    return switches, time_run


class Idler:
    """A VM whose guest leaves its disks alone, in a control group of its own."""

    def __init__(self, options, image, path, backend, shape):
        disk = f"path={path},share=on,backend={backend},queues={shape.queues}"
        if backend == "kernel" and options.poll is not None:
            disk += f",poll={options.poll}"
        command = kvhost_command(options, image, shape.cpus, ["--disk", disk] * shape.devices,
                                 MEMORY_MIB)
        self.group = f"{CGROUP}-{backend}-{shape.devices}-{shape.queues}"
        self.log = open(f"{WORK}/scale-idle.log", "wb")  # pylint: disable=R1732
        self.guest = Guest(f"{backend}-{shape.devices}", [
            "sh", "-c", f"echo $$ >{self.group}/cgroup.procs && exec \"$@\"", "sh", *command],
            self.log)

    def __enter__(self):
        try:
            with open("/sys/fs/cgroup/cgroup.subtree_control", "w", encoding="ascii") as file:
                file.write("+memory")
            os.makedirs(self.group, exist_ok=True)
            self.guest.start()
            self.guest.boot()
        except BaseException as error:
            self.__exit__()
            if isinstance(error, OSError):
                raise Failure(f"no memory control group {self.group}: {error.strerror}") from None
            raise
        return self

    def __exit__(self, *_):
        self.guest.stop()
        self.log.close()
        if os.path.isdir(self.group):
            os.rmdir(self.group)

    def idle(self, seconds):
        """What it costs while nothing is to be done."""
        ours = workers(self.guest.pid)
        tasks = threads(self.guest.pid, ours)
        first = spent(tasks), spent(ours), time.monotonic()
        time.sleep(seconds)
        last = spent(tasks), spent(ours), time.monotonic()
        span = last[2] - first[2]
        wakeups = last[1][0] - first[1][0]
        return {"threads": len(tasks) + len(ours), "workers": len(ours), "seconds": span,
                "wakeups_per_s": wakeups / span,
                "switches_per_s": (last[0][0] - first[0][0] + wakeups) / span,
                "cpu_us_per_s": (last[0][1] - first[0][1] + last[1][1] - first[1][1])
                / span / 1000}

    def memory(self):
        """KiB: of the kernel by control group, of its threads' stacks, of the process
        without the guest's RAM."""
        stat = dict(line.split() for line in read(f"{self.group}/memory.stat").splitlines())
        kernel = sum(int(stat.get(key, 0)) for key in ("slab", "percpu", "vmalloc"))
        process = size = 0
        for line in read(f"/proc/{self.guest.pid}/smaps").splitlines():
            words = line.split()
            if words[0] == "Size:":
                size = int(words[1])
            elif words[0] == "Anonymous:" and size < MEMORY_MIB << 9:
                process += int(words[1])
        ours = workers(self.guest.pid)
        return {"kernel_kib": kernel / 1024, "process_kib": process,
                "threads": len(threads(self.guest.pid, ours)) + len(ours)}


def share(few, many, count):
    """What each of so many more takes."""
    figures = {key: (many[key] - few[key]) / count for key in few}
    figures["total_kib"] = (figures["kernel_kib"] + figures["process_kib"]
                            + STACK_KIB * figures["threads"])
    return figures


def permitted(count):
    """Why there cannot be so many VMs, None if there can."""
    cpus = os.cpu_count()
    if count > VMS_PER_CPU * cpus:
        return f"{count} VMs are too many for {cpus} CPUs ({VMS_PER_CPU} each)"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    if count * MEMORY_MIB > memory * 3 // 4:
        return f"{count} VMs of {MEMORY_MIB} MiB are too many for {memory} MiB"
    return None


class ScaleSuite(base.Suite):
    """The suite, for kvhost-bench."""

    name = "scale"
    title = "many VMs and many devices"
    ours = "kernel"
    peers = (Peer("kernel", "kvhost kernel"), Peer("user", "kvhost user"))
    workloads = (
        *(Workload(f"vms-{n}", f"{n} VM{'s' if n > 1 else ''}: 4 KiB random read at depth"
                   f" {DEPTH} each", "I/O", "iops", n == 2, False) for n in VMS),
        *(Workload(f"idle-{n}", f"a VM with {n} idle device{'s' if n > 1 else ''}", "second",
                   "switches_per_s", False, False) for n in (1, DEVICES)),
        Workload("device", "memory of a device with one queue", "device", "total_kib",
                 False, False),
        Workload("queue", "memory of a further queue", "queue", "total_kib", False, False),
    )
    columns = (
        Column("IOPS", 9, "iops", 1, "{:.0f}"),
        Column("worst VM", 10, "worst_iops", 1, "{:.0f}"),
        Column("of mean", 9, "worst_share", 1, "{:.2f}"),
        base.EXITS,
        base.SWITCHES,
        base.CPU,
        Column("switches/s", 12, "switches_per_s", 1, "{:.1f}"),
        Column("workers'", 10, "wakeups_per_s", 1, "{:.1f}"),
        Column("CPU us/s", 10, "cpu_us_per_s", 1, "{:.0f}"),
        Column("kernel KiB", 12, "kernel_kib", 1, "{:.1f}"),
        Column("process KiB", 13, "process_kib", 1, "{:.1f}"),
        Column("threads", 9, "threads", 1, "{:.1f}"),
        Column("all KiB", 9, "total_kib", 1, "{:.1f}"),
    )
    targets = (
        base.bound(f"idle-{DEVICES}", "kernel", "wake-ups of workers a second", "wakeups_per_s", 0),
    )

    def measure(self, options, report):
        """Measure; see base.Suite."""
        image = initrd(options.initrd, [], f"{WORK}/scale.cpio")
        levels = [n for n in VMS if f"vms-{n}" in options.workloads]
        rest = [w for w in (*IDLE, "device", "queue") if w in options.workloads]
        total = len(levels) * len(options.peers) * base.side_turns(options)
        total += len(options.peers) * options.turns * len(rest)
        devices = Devices()
        try:
            done = self.crowd(options, report, levels, (image, devices, total))
            if rest:
                self.idlers(options, report, rest, (image, devices, done, total))
        finally:
            devices.close()

    @staticmethod
    def crowd(options, report, levels, parts):
        """Many VMs."""
        image, devices, total = parts
        crowd = Crowd(options, image, devices)
        done, turns = 0, base.side_turns(options)
        try:
            for count in levels:
                reason = permitted(count)
                if reason:
                    for peer in options.peers:
                        report.absent(peer, reason, f"vms-{count}")
                    done += len(options.peers) * turns
                    continue
                report.progress(done, total, f"booting {count} VMs")
                crowd.grow(count)
                for turn in range(1, turns + 1):
                    for peer in options.peers:
                        report.progress(done, total, f"vms-{count} {peer}")
                        report.row(f"vms-{count}", peer, turn,
                                   crowd.measure(peer, options.seconds))
                        done += 1
        finally:
            crowd.stop()
        return done

    @staticmethod
    def idlers(options, report, rest, parts):
        """Idle devices, and their memory. Of memory there is one turn: it does not
        depend on time."""
        image, devices, done, total = parts
        path = devices.get(0).path
        # Who needs which.
        users = {ONE: {IDLE[0], "device"}, MANY: {IDLE[1], "device", "queue"}, WIDE: {"queue"}}
        shapes = [shape for shape, names in users.items() if names & set(rest)]
        for peer in options.peers:
            memory = {}
            for shape in shapes:
                report.progress(done, total, f"booting a VM with {shape.devices} devices on {peer}")
                with Idler(options, image, path, peer, shape) as vm:
                    for turn in range(1, 2 if shape == WIDE else options.turns + 1):
                        # Memory of a control group is counted up to two seconds late.
                        idle = vm.idle(IDLE_SECONDS)
                        name = f"idle-{shape.devices}"
                        if shape != WIDE and name in rest:
                            report.row(name, peer, turn, idle)
                    memory[shape] = vm.memory()
            if "device" in rest:
                report.row("device", peer, 1, share(memory[ONE], memory[MANY], DEVICES - 1))
            if "queue" in rest:
                report.row("queue", peer, 1, share(memory[MANY], memory[WIDE],
                                                   DEVICES * (QUEUES - 1)))
            done += len(rest) * options.turns


SUITE = ScaleSuite()
