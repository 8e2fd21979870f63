# SPDX-License-Identifier: GPL-2.0
"""blk.py - kvhost_blk beside its peers: the block suite.

One guest under our VMM and one under QEMU, side by side, each with a disk for every
peer and every kind of backing, all of a kind on one device. fio measures one disk at
a time, in the guest or, for the limit, on the device itself. Turn by turn every
workload is served by all peers, one after the other.
"""

import os
from collections import namedtuple

import base
import disks
import fio
import split
from base import Column, Peer, Workload
from guest import HERE, Guest, Lost, Namespace, initrd, kvhost_command, qemu_command
from host import WORK, Failure, run
from meter import Meter, NothingDone

# Each disk is read for so long before the first turn.
WARM_UP_SECONDS = 0.1
# A load has begun with so many; the file's file system writes something now and then.
BEGUN_UNITS = 8
# Thrown away at the beginning of each measurement.
RAMP_SECONDS = 0.2
# How much longer than asked for a load may take.
LATE_SECONDS = 60
# Of the counting boot, in its own seconds; see base.COUNTED_LATE.
COUNTED_SECONDS, COUNTED_QUICK, COUNTED_RAMP = 0.5, 0.3, 0.15
# What goes wrong with a guest so often may be the emulated processor's doing.
LOSSES = 3

# who: runs the disk, "kvhost" or "qemu", or None for no guest; option: of --disk, or
# QEMU's aio=; where: it is measured in a run that is not told whom to measure, in
# every workload, in the main ones, or in these unless the run is a quick one
Way = namedtuple("Way", "name title who option where")
EVERYWHERE, MAIN, FULL = range(3)

WAYS = (
    Way("kernel", "kvhost kernel", "kvhost", "backend=kernel", EVERYWHERE),
    Way("packed", "kvhost kernel, packed", "kvhost", "backend=kernel,packed=on", MAIN),
    Way("registered", "kvhost kernel, registered", "kvhost", "backend=kernel,registered=on",
        FULL),
    Way("user", "kvhost user", "kvhost", "backend=user", EVERYWHERE),
    Way("native", "QEMU aio=native", "qemu", "native", MAIN),
    Way("io_uring", "QEMU aio=io_uring", "qemu", "io_uring", EVERYWHERE),
    Way("threads", "QEMU aio=threads", "qemu", "threads", FULL),
    Way("host", "fio on the host", None, None, EVERYWHERE),
)

# kind: of backing; cpus: of the guest, with a queue and a job each; syncs: each write
# is flushed; main: has all peers
Load = namedtuple("Load", "name title kind rw bs depth cpus extra syncs main quick counted")


def _load(name, text, kind="null", cpus=1, extra="", flags=""):
    """A load from fio's rw, bs and iodepth; flags: m(ain), q(uick), c(ounted), C(ounted in a
    quick run too)."""
    pattern, size, depth = text.split()
    what = {"randread": "random read", "randwrite": "random write", "read": "sequential read",
            "write": "sequential write", "randrw": "random 70/30"}[pattern]
    syncs = "fdatasync" in extra
    title = (f"{ {'null': 'null_blk', 'file': 'file', 'loop': 'loop device'}[kind]}: "
             f"{int(size) >> 10} KiB {what}{', each flushed' if syncs else ''}, depth {depth}"
             f"{f', {cpus} vCPUs with a queue each' if cpus > 1 else ''}")
    return Load(name, title, kind, pattern, int(size), int(depth), cpus, extra, syncs,
                "m" in flags, "q" in flags, max("c" in flags, 2 * ("C" in flags)))


LOADS = (
    _load("rr4k-1", "randread 4096 1", flags="mqC"),
    _load("rr4k-4", "randread 4096 4"),
    _load("rr4k-32", "randread 4096 32", flags="mqC"),
    _load("rr4k-128", "randread 4096 128"),
    _load("rw4k-1", "randwrite 4096 1"),
    _load("rw4k-4", "randwrite 4096 4"),
    _load("rw4k-32", "randwrite 4096 32"),
    _load("rw4k-128", "randwrite 4096 128"),
    _load("sr128k-8", "read 131072 8", flags="mqc"),
    _load("mix4k-32", "randrw 4096 32", extra="--rwmixread=70"),
    _load("file-rr4k-32", "randread 4096 32", "file"),
    _load("file-rw4k-32", "randwrite 4096 32", "file"),
    _load("file-sync4k-1", "randwrite 4096 1", "file", extra="--fdatasync=1"),
    _load("loop-rr4k-32", "randread 4096 32", "loop"),
    _load("rr4k-32x2", "randread 4096 32", cpus=2, flags="m"),
    _load("rr4k-32x4", "randread 4096 32", cpus=4),
)

QEMU_BEST = ("native", "io_uring")


def _targets():
    """What the kernel backend has to reach."""
    for load, qemu, user, host in (("rr4k-1", 1.5, 1.3, 0.35), ("rr4k-32", 2, 1.5, 0.6),
                                   ("rr4k-32x2", 2, 1.5, 0.6)):
        yield base.ratio(load, "kernel", "QEMU's best", QEMU_BEST, "iops", qemu)
        yield base.ratio(load, "kernel", "our user backend", ("user",), "iops", user)
        yield base.ratio(load, "kernel", "fio on the host", ("host",), "iops", host)
    yield base.ratio("sr128k-8", "kernel", "QEMU's best", QEMU_BEST, "bytes_per_s", 1.3)
    for load in ("rr4k-32", "rr4k-32x2"):
        yield base.bound(load, "kernel", "exits per I/O", "exits_per_unit", 0.1)
        yield base.bound(load, "kernel", "interrupts per I/O", "interrupts_per_unit", 0.2)


def turns(options, load):
    """How many turns a load gets. Two thirds of a run's loads are not the main ones."""
    chosen = len(options.workloads) < sum(x.quick or not options.quick for x in LOADS)
    return options.turns if load.main or chosen else base.side_turns(options)


class Group:
    """The guests of one number of vCPUs, their disks, and the loads for them."""

    def __init__(self, options, cpus, pairs, backing):
        self.options, self.cpus, self.backing = options, cpus, backing
        self.pairs = pairs
        self.late = base.late(options, LATE_SECONDS)
        self.look = split.look(options)
        self.kinds = sorted({load.kind for load, _ in pairs})
        self.guests, self.names, self.losses = {}, {}, {}
        self.local = Namespace(None, WORK)

    def devices(self, who, build):
        """The arguments for all disks of a guest."""
        found = {(load.kind, way) for load, way in self.pairs if way.who == who}
        return [word for kind, way in sorted(found, key=lambda x: (x[0], WAYS.index(x[1])))
                for word in build(way, kind, self.backing.paths[kind], self.options, self.cpus)]

    def start(self):
        """Boot the guests, side by side, but one by one where there is one CPU."""
        if self.options.counted:
            # Time flies while a file is fetched from the machine.
            run("sh", "-c", 'cat "$@" >/dev/null', "sh", self.options.vmm, self.options.kernel)
        image = initrd(self.options.initrd, [f"{HERE}/fio-cut"], f"{WORK}/blk.cpio")
        for name, build, disk in (("kvhost", kvhost_command, disks.kvhost_disk),
                                  ("qemu", qemu_command, disks.qemu_disk)):
            devices = self.devices(name, disk)
            if not devices:
                continue
            line = build(self.options, image, self.cpus, devices)
            print(f"{name}: {' '.join(line)}", flush=True)
            log = open(f"{WORK}/blk-{name}.log", "wb")  # pylint: disable=R1732
            self.guests[name] = guest = Guest(name, line, log)
            guest.start()
            if self.options.counted:
                guest.boot()
                print(f"{name} has booted", flush=True)
        for guest in self.guests.values():
            if not self.options.counted:
                guest.boot()
            self.prepare(guest)

    def prepare(self, guest):
        """What a guest needs to be told once, and how it calls its disks."""
        guest.run("cd /tmp; " + fio.prepare("/job/fio-cut"))
        lines = guest.run("for d in /sys/block/vd*; do"
                          " echo KVHOST-DISK ${d##*/} $(cat $d/serial); done")
        self.names[guest.name] = {words[2]: words[1] for line in lines
                                  if (words := line.split())[:1] == ["KVHOST-DISK"]}

    def where(self, load, way):
        """Who does a load, and on which disk."""
        if not way.who:
            return self.local, self.backing.disk(load.kind)
        try:
            return self.guests[way.who], self.names[way.who][f"{load.kind}-{way.name}"]
        except KeyError:
            raise Failure(f"the guest of {way.title} has no disk {load.kind}-{way.name}") from None

    def warm_up(self):
        """Have every disk been read."""
        for kind, way in dict.fromkeys((load.kind, way) for load, way in self.pairs):
            load = next(x for x, y in self.pairs if x.kind == kind and y is way)
            self.attempt(self.read, load, way)

    def read(self, load, way):
        """Work on a disk for a while."""
        guest, disk = self.where(load, way)
        guest.run(self.command(load, way, disk, WARM_UP_SECONDS), self.late)

    def times(self):
        """Length of a measurement, and of what is thrown away before it."""
        if self.options.counted:
            return COUNTED_QUICK if self.options.quick else COUNTED_SECONDS, COUNTED_RAMP
        return self.options.seconds, RAMP_SECONDS

    def command(self, load, way, disk, seconds):
        """A load on a disk, between two looks at its interrupts."""
        # The file's own device has a file system on it.
        path = f"/dev/{disk}" if way.who else self.backing.paths[load.kind]
        cpus = self.cpus if way.who else self.options.cpus
        command = fio.command(load, path, disk, (seconds, self.times()[1]), cpus)
        if not way.who:
            return f"{fio.prepare(f'{HERE}/fio-cut')}; {command}"
        return f"irqs /sys/block/{disk}; {command}; s=$?; irqs /sys/block/{disk}; [ $s = 0 ]"

    def measure(self, load, way):
        """One measurement: its figures."""
        guest, disk = self.where(load, way)
        device = self.backing.devices[load.kind]
        meter = Meter(lambda: device.bytes_done() // load.bs, BEGUN_UNITS)
        pids = [guest.pid] if way.who else []
        seconds, ramp = self.times()
        guest.begin(self.command(load, way, disk, seconds))
        figures = self.look(meter, pids, seconds + ramp)
        lines = guest.end(seconds + self.late)
        return {**figures, **fio.figures(lines, load)}

    def again(self, guest, failure):
        """Boot a guest that got lost, once more. A kernel that died under our VMM is
        nobody's accident, but for the counting boot, where the emulated processor is
        often enough."""
        ours = guest.name == "kvhost" and not self.options.counted
        if ours and "died" in str(failure):
            raise failure
        guest.stop()
        guest.start()
        guest.boot()
        self.prepare(guest)

    def attempt(self, action, load, way):
        """Measure, say, once more where the guest has got lost or the load was too slow to
        be seen."""
        while True:
            try:
                return action(load, way)
            except (Lost, NothingDone) as failure:
                guest, _ = self.where(load, way)
                self.losses[guest.name] = self.losses.get(guest.name, 0) + 1
                if not way.who or self.losses[guest.name] > LOSSES:
                    raise
                print(f"guest {guest.name}, {load.name}: {failure}; trying again", flush=True)
                if isinstance(failure, Lost) or not self.ended(guest):
                    self.again(guest, failure)

    def ended(self, guest):
        """Wait for the end of what the guest does; False if there is none."""
        try:
            guest.end(self.late)
        except Lost:
            return False
        return True

    def stop(self):
        """End the guests."""
        self.local.stop()
        for guest in self.guests.values():
            guest.stop()
            guest.log.close()


class BlkSuite(base.Suite):
    """The suite, for kvhost-bench."""

    name = "blk"
    title = "kvhost_blk and its peers, on the same devices"
    ours = "kernel"
    peers = tuple(Peer(way.name, way.title) for way in WAYS)
    workloads = tuple(Workload(x.name, x.title, "I/O", "iops", x.quick, x.counted) for x in LOADS)
    columns = (
        Column("IOPS", 9, "iops", 1, "{:.0f}"),
        Column("MB/s", 9, "bytes_per_s", 1e-6, "{:.1f}"),
        *base.LATENCIES,
        *base.COSTS,
    )
    targets = tuple(_targets())

    @staticmethod
    def pairs(options, ways):
        """What is measured: loads and ways. Unless peers are chosen, only some of them
        serve the loads that nothing is promised of."""
        chosen = set(options.peers) != {way.name for way in WAYS}
        most = EVERYWHERE if options.quick else FULL
        return [(load, way) for load in LOADS if load.name in options.workloads
                for way in ways if chosen or way.where <= (most if load.main else EVERYWHERE)]

    @staticmethod
    def absent(options, path, report):
        """Leave out what cannot run here."""
        for way in (x for x in WAYS if x.name in options.peers):
            reason = None
            if way.who == "qemu":
                reason = disks.qemu_refuses(way, path, base.late(options, LATE_SECONDS))
            elif "kernel" in (way.option or "") and not os.path.exists("/dev/kvhost-blk"):
                reason = "there is no /dev/kvhost-blk"
            if reason:
                report.absent(way.name, reason)
            else:
                yield way

    def measure(self, options, report):
        """Measure; see base.Suite."""
        os.makedirs(WORK, exist_ok=True)
        backing = disks.Backing({x.kind for x in LOADS if x.name in options.workloads})
        try:
            ways = list(self.absent(options, backing.paths["null"], report))
            todo = self.pairs(options, ways)
            done, total = 0, sum(turns(options, load) for load, _ in todo)
            for cpus in sorted({load.cpus for load, _ in todo}):
                pairs = [pair for pair in todo if pair[0].cpus == cpus]
                group = Group(options, cpus, pairs, backing)
                try:
                    report.progress(done, total, "booting the guests")
                    group.start()
                    group.warm_up()
                    for turn in range(1, options.turns + 1):
                        for load, way in (x for x in pairs if turn <= turns(options, x[0])):
                            report.progress(done, total, f"{load.name} {way.name}")
                            done += 1
                            try:
                                figures = group.attempt(group.measure, load, way)
                            except Failure as failure:
                                if way.who == "kvhost":
                                    raise
                                report.absent(way.name, str(failure), load.name)
                                continue
                            report.row(load.name, way.name, turn, figures)
                finally:
                    group.stop()
        finally:
            backing.close()


SUITE = BlkSuite()
