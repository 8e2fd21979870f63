# SPDX-License-Identifier: GPL-2.0
"""net.py - kvhost_net beside its peers: the network suite.

One guest under our VMM and one under QEMU, side by side, each with a NIC for every
peer, each NIC on a tap of its own in a network namespace of ours. The guest's end
of a measurement is iperf3, sockperf or pktgen; what went over the tap is what
counts.
"""

import ctypes
import itertools
import os
import shutil
import subprocess
from collections import namedtuple

import base
import split
from base import Column, Peer, Workload
from guest import QEMU, Guest, Lost, Namespace, initrd, kvhost_command, libraries, qemu_command
from host import WORK, Failure, read, run
from meter import Meter

NAMESPACE = "kvhost-bench"
CLONE_NEWNET = 0x40000000
PORT = {"udp-rr": 7001, "tcp-rr": 7002}
STREAM_UNIT = 65536
# Sent before the first turn on every NIC.
WARM_UP_BYTES = "16M"
# How much longer than asked for a load may take.
LATE_SECONDS = 40
FRAME = 60
# Packets of sockperf that may be its preparation: neighbours, a connection.
RR_PREPARATION = 20

# Where a peer is measured unless it is asked for by name: in a quick run as well, in
# the counting boot and side loads as well, or in neither.
QUICK, COUNTED, FULL = range(3)

# who: runs the NIC, "kvhost" or "qemu", or None for no guest; node: of vhost, None for
# a userspace backend; option: of --net
Way = namedtuple("Way", "name title who node where option")

WAYS = (
    Way("kernel", "kvhost kernel", "kvhost", "/dev/kvhost-net", QUICK, "backend=kernel"),
    Way("packed", "kvhost kernel, packed", "kvhost", "/dev/kvhost-net", COUNTED,
        "backend=kernel,packed=on"),
    Way("registered", "kvhost kernel, registered", "kvhost", "/dev/kvhost-net", FULL,
        "backend=kernel,registered=on"),
    Way("user", "kvhost user", "kvhost", None, COUNTED, "backend=user"),
    Way("vhost", "vhost-net, our VMM", "kvhost", "/dev/vhost-net", QUICK, "backend=kernel"),
    Way("qkvhost", "kvhost kernel, QEMU", "qemu", "/dev/kvhost-net", FULL, None),
    Way("qvhost", "vhost-net, QEMU", "qemu", "/dev/vhost-net", FULL, None),
    Way("qemu", "QEMU", "qemu", None, QUICK, None),
    Way("host", "veth, no guest", None, None, FULL, None),
)

# from_guest: the direction that counts; pairs: queue pairs, and vCPUs; far: the other
# end is a guest as well
Load = namedtuple("Load", "name title unit kind from_guest pairs far quick counted")

LOADS = (
    Load("tx64", "guest sends 60-byte frames", "frame", "pktgen", True, 1, False, True, 2),
    Load("rx64", "guest receives 60-byte frames", "frame", "pktgen", False, 1, False, True, 0),
    Load("tcp-out", "TCP stream from the guest", "64 KiB", "stream", True, 1, False, True, 2),
    Load("tcp-in", "TCP stream to the guest", "64 KiB", "stream", False, 1, False, True, 1),
    Load("udp-rr", "UDP request/response", "round trip", "rr", True, 1, False, True, 1),
    Load("tcp-rr", "TCP request/response", "round trip", "rr", True, 1, False, False, 0),
    Load("tcp-out-x2", "TCP streams from the guest, 2 vCPUs and queue pairs", "64 KiB",
         "stream", True, 2, False, False, 0),
    Load("tcp-in-x2", "TCP streams to the guest, 2 vCPUs and queue pairs", "64 KiB",
         "stream", False, 2, False, False, 0),
    Load("tcp-guests", "TCP stream from guest to guest, by a bridge", "64 KiB", "stream", True, 1,
         True, False, 0),
)


def _targets():
    """What ours has to reach, under our VMM and under QEMU."""
    for peer, theirs in (("kernel", "vhost"), ("qkvhost", "qvhost")):
        intree = f"in-tree vhost-net{' in QEMU' if theirs == 'qvhost' else ''}"
        for load, least, qemu in (("tx64", 2, 1), ("rx64", 1.2, 1.8), ("tcp-out", 1.2, 1.4),
                                  ("tcp-in", 1.1, 1.1)):
            yield base.ratio(load, peer, intree, (theirs,), "per_s", least)
            yield base.ratio(load, peer, "QEMU", ("qemu",), "per_s", qemu)
        for load in ("udp-rr", "tcp-rr"):
            yield base.fraction(load, peer, intree, (theirs,), "p50_us", 0.85)
            yield base.fraction(load, peer, "QEMU", ("qemu",), "p50_us", 0.55)
    for load in ("tx64", "rx64", "tcp-out", "tcp-in", "udp-rr"):
        yield base.ratio(load, "packed", "the split ring", ("kernel",), "per_s", 1)


class Port:
    """A NIC, the tap it is on, and their addresses."""

    def __init__(self, index, way, pairs, end="a"):
        self.way = way
        self.pairs = pairs
        self.end = end
        self.tap = f"kvb{index}{end}"
        self.bridge = f"kvbr{index}"
        self.address = f"10.90.{index}.2" if end == "a" else f"10.90.{index}.1"
        self.mac = f"52:54:00:90:0{'ab'.index(end)}:{index:02x}"
        # Who answers.
        self.other = f"10.90.{index}.1"
        self.nic = None
        self.guest = None

    def make(self, bridged):
        """Make the interface; the test host's namespace is ours. The other end is the
        host, or what else is on the bridge."""
        if self.way.who:
            run("ip", "tuntap", "add", self.tap, "mode", "tap",
                *(["multi_queue"] if self.pairs > 1 else []))
        else:
            self.nic = "veth0"
            run("ip", "link", "add", self.tap, "type", "veth",
                "peer", "name", self.nic, "address", self.mac, "netns", NAMESPACE)
            run("ip", "-n", NAMESPACE, "link", "set", "lo", "up")
            run("ip", "-n", NAMESPACE, "link", "set", self.nic, "up")
            run("ip", "-n", NAMESPACE, "addr", "add", f"{self.address}/24", "dev", self.nic)
        if bridged:
            if self.end == "a":
                run("ip", "link", "add", self.bridge, "type", "bridge")
                run("ip", "link", "set", self.bridge, "up")
            run("ip", "link", "set", self.tap, "master", self.bridge)
        else:
            run("ip", "addr", "add", f"{self.other}/24", "dev", self.tap)
        run("ip", "link", "set", self.tap, "up")

    def unmake(self):
        """Away with it."""
        for name in (self.tap, self.bridge):
            subprocess.run(["ip", "link", "del", name], stderr=subprocess.DEVNULL, check=False)

    def arrange(self):
        """The guest's side."""
        self.guest.run(f"ip link set {self.nic} up && ip addr add {self.address}/24"
                       f" dev {self.nic}")

    def greet(self):
        """Is the other end there?"""
        ping = f"ping -W 5 {self.other} >/dev/null -c"
        self.guest.run(f"{ping} 1 || {ping} 3")

    def moved(self, load):
        """What has gone over the tap so far in the load's direction, in its units."""
        fields = next(line.split(":")[1].split() for line in read("/proc/net/dev").splitlines()
                      if line.strip().startswith(f"{self.tap}:"))
        size, packets = map(int, fields[0:2] if load.from_guest else fields[8:10])
        return size // STREAM_UNIT if load.kind == "stream" else packets

    def interrupts(self):
        """Of the NIC so far, None without a guest."""
        if not self.way.who:
            return None
        lines = self.guest.run(f"irqs /sys/class/net/{self.nic}")
        return int(next(line.split()[1] for line in lines if line.startswith("KVHOST-IRQS")))


def pktgen(device, mac, ip, seconds):
    """Commands to send short frames from a device as fast as it goes."""
    folder = "/proc/net/pktgen"
    setting = [(f"{folder}/kpktgend_0", "rem_device_all"),
               (f"{folder}/kpktgend_0", f"add_device {device}")]
    setting += [(f"{folder}/{device}", text) for text in
                ("count 0", f"pkt_size {FRAME}", "clone_skb 0", "delay 0", f"dst {ip}",
                 f"dst_mac {mac}")]
    lines = [f"echo '{text}' >{file}" for file, text in setting]
    # Stopped by a signal.
    lines.append(f"{{ timeout -s INT {seconds} sh -c 'echo start >{folder}/pgctrl'; true; }}")
    return " && ".join(lines)


def command(port, load, seconds):
    """What the guest does for a load."""
    if load.kind == "stream":
        return (f"iperf3 -c {port.other} -t {seconds} -P {2 * port.pairs if port.pairs > 1 else 1}"
                f"{'' if load.from_guest else ' -R'} >/dev/null")
    if load.kind == "rr":
        return (f"sockperf ping-pong -i {port.other} -p {PORT[load.name]} -t {seconds}"
                f" --full-rtt --msg-size 16{' --tcp' if load.name == 'tcp-rr' else ''}"
                " 2>&1 | grep -E 'percentile (50|99|99.9)0*|error'")
    # Nobody has that address: what arrives is dropped at once.
    return pktgen(port.nic, "52:54:00:90:03:00", "198.18.0.1", seconds)


def latencies(lines):
    """sockperf's percentiles."""
    figures = {}
    for line in lines:
        words = line.split()
        if "percentile" not in words:
            continue
        at = words.index("percentile")
        key = {50.0: "p50_us", 99.0: "p99_us", 99.9: "p999_us"}.get(float(words[at + 1]))
        if key:
            figures[key] = float(words[at + 3])
    if "p50_us" not in figures:
        raise Failure(f"sockperf has no percentiles: {' / '.join(lines)}")
    return figures


def measure(group, port, load, seconds):
    """One measurement: its figures."""
    meter = Meter(lambda: port.moved(load), RR_PREPARATION if load.kind == "rr" else 1)
    before = port.moved(load), port.interrupts()
    flood = None
    if load.kind == "pktgen" and not load.from_guest:
        flood = subprocess.Popen(["sh", "-c", pktgen(port.tap, port.mac, "198.18.0.1",
                                                     seconds)], stdin=subprocess.DEVNULL)
    else:
        port.guest.begin(command(port, load, seconds))
    try:
        figures = group.look(meter, group.pids(port), seconds)
    finally:
        # A load that does nothing has a reason, which comes first.
        if flood:
            if flood.wait(seconds + group.late):
                raise Failure(f"pktgen on {port.tap} ended with status {flood.returncode}")
        else:
            lines = port.guest.end(seconds + group.late)
    if load.kind == "rr":
        figures.update(latencies(lines))
    after = port.moved(load), port.interrupts()
    if after[1] is not None:
        figures["interrupts_per_unit"] = (after[1] - before[1]) / max(1, after[0] - before[0])
    if load.kind == "stream":
        figures["bits_per_s"] = figures["per_s"] * STREAM_UNIT * 8
    return figures


class Network:
    """A network namespace of our own for all taps, and what serves the guests."""

    def __init__(self):
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.servers = []

    def __enter__(self):
        run("modprobe", "-a", "tun", "pktgen")
        if self.libc.unshare(CLONE_NEWNET):
            raise Failure(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        try:
            run("ip", "link", "set", "lo", "up")
            run("ip", "netns", "add", NAMESPACE)
            # Announcements of neighbours are none of the measured frames.
            run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
            for server in (["iperf3", "-s"], ["sockperf", "server", "-p", str(PORT["udp-rr"])],
                           ["sockperf", "server", "--tcp", "-p", str(PORT["tcp-rr"])]):
                self.servers.append(subprocess.Popen(server, stdin=subprocess.DEVNULL,
                                                     stdout=subprocess.DEVNULL,
                                                     stderr=subprocess.DEVNULL))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.kill()
            server.wait(10)
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=False)
        self.libc.setns(self.home, CLONE_NEWNET)
        os.close(self.home)


def module_file(name, path):
    """A module of the running kernel, unpacked."""
    source = run("modinfo", "-n", name).strip()
    run("sh", "-c", "exec $0 <$1 >$2", "xz -dc" if source.endswith(".xz") else "cat", source, path)
    return path


def guest_files():
    """What the guests need besides busybox."""
    files = {}
    for program in ("iperf3", "sockperf"):
        path = shutil.which(program)
        if not path:
            raise Failure(f"{program} is missing; 'sudo make deps' installs it")
        files.update({os.path.basename(file): file for file in libraries(path)})
    return [*files.values(), module_file("pktgen", f"{WORK}/pktgen.ko")]


class Group:
    """The guests that one kind of load needs, and their NICs."""

    def __init__(self, options, pairs, bridged, ways):
        self.options, self.pairs, self.bridged = options, pairs, bridged
        self.late = base.late(options, LATE_SECONDS)
        self.look = split.look(options)
        self.ports = [Port(i, way, pairs) for i, way in enumerate(ways)]
        self.others = [Port(i, way, pairs, "b") for i, way in enumerate(ways) if bridged]
        self.guests = []
        self.fds = []

    def net_option(self, port):
        """--net of our VMM."""
        text = f"tap={port.tap},{port.way.option},queues={self.pairs},mac={port.mac}"
        if port.way.node:
            text += f",node={port.way.node}"
        if self.options.poll is not None and port.way.node:
            text += f",poll={self.options.poll}"
        return ["--net", text]

    def qemu_option(self, port):
        """-netdev and -device of QEMU."""
        text = f"tap,id={port.tap},ifname={port.tap},script=no,downscript=no"
        if self.pairs > 1:
            text += f",queues={self.pairs}"
        if port.way.node:
            fds = [os.open(port.way.node, os.O_RDWR) for _ in range(self.pairs)]
            self.fds += fds
            text += f",vhost=on,vhostfd{'s' if self.pairs > 1 else ''}={':'.join(map(str, fds))}"
        else:
            text += ",vhost=off"
        return ["-netdev", text, "-device",
                f"virtio-net-pci,netdev={port.tap},mac={port.mac},disable-legacy=on,romfile="
                + (f",mq=on,vectors={2 * self.pairs + 2}" if self.pairs > 1 else "")]

    def add_guest(self, name, image, ports):
        """Start the guest that has these NICs."""
        kvhost = ports[0].way.who == "kvhost"
        had = len(self.fds)
        devices = [word for port in ports
                   for word in (self.net_option if kvhost else self.qemu_option)(port)]
        line = (kvhost_command if kvhost else qemu_command)(self.options, image, self.pairs,
                                                            devices)
        print(f"{name}: {' '.join(line)}", flush=True)
        log = open(f"{WORK}/{name}.log", "wb")  # pylint: disable=R1732
        guest = Guest(name, line, log, tuple(self.fds[had:]))
        self.guests.append(guest)
        guest.start()
        if self.options.counted:
            # There is one CPU.
            guest.boot()
        for i, port in enumerate(ports):
            port.guest, port.nic = guest, f"eth{i}"

    def start(self, image):
        """Boot the guests, side by side."""
        for port in self.ports + self.others:
            port.make(self.bridged)
        for who in ("kvhost", "qemu"):
            for end in (self.ports, self.others):
                ports = [port for port in end if port.way.who == who]
                if ports:
                    self.add_guest(f"net-{who}-{ports[0].end}", image, ports)
        for guest in self.guests:
            if not self.options.counted:
                guest.boot()
            guest.run("insmod ./pktgen.ko && ip link set lo up &&"
                      " echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
        for port in self.ports + self.others:
            if port.way.who:
                port.arrange()
            else:
                port.guest = Namespace(NAMESPACE, WORK)
        for guest in {port.guest for port in self.others}:
            guest.run("iperf3 -s -D")
        for port in self.ports:
            if port.way.who:
                port.greet()

    def stop(self):
        """End the guests."""
        for guest in self.guests:
            guest.stop()
            guest.log.close()
        for fd in self.fds:
            os.close(fd)
        for port in self.ports + self.others:
            port.unmake()

    def pids(self, port):
        """The VMs that a load on this NIC concerns."""
        if not port.way.who:
            return []
        return [port.guest.pid] + [far.guest.pid for far in self.others
                                   if far.bridge == port.bridge]

    def warm_up(self):
        """Have every path been walked once."""
        for port in self.ports:
            port.guest.run(f"iperf3 -c {port.other} -n {WARM_UP_BYTES} >/dev/null", self.late)

    def measure(self, port, load, seconds):
        """One measurement. On a busy machine a load may not come about, or make a pause
        between the two samples: that is no figure, and it is tried once more."""
        try:
            return measure(self, port, load, seconds)
        except Lost:
            raise
        except Failure as failure:
            print(f"{load.name} {port.way.name}: {failure}; once more", flush=True)
            return measure(self, port, load, seconds)


class NetSuite(base.Suite):
    """The suite, for kvhost-bench."""

    name = "net"
    title = "kvhost_net and its peers, one tap each"
    ours = "kernel"
    peers = tuple(Peer(way.name, way.title) for way in WAYS)
    workloads = tuple(Workload(x.name, x.title, x.unit, "per_s", x.quick, x.counted)
                      for x in LOADS)
    columns = (
        Column("per s", 10, "per_s", 1, "{:.0f}"),
        Column("Mbit/s", 9, "bits_per_s", 1e-6, "{:.0f}"),
        *base.LATENCIES,
        *base.COSTS,
    )
    targets = tuple(_targets())

    @staticmethod
    def absent(ways, report):
        """Leave out what cannot run here."""
        for way in ways:
            reason = None
            if way.who == "qemu" and not shutil.which(QEMU):
                reason = f"there is no {QEMU}"
            elif way.node == "/dev/vhost-net" and subprocess.run(
                    ["modprobe", "vhost_net"], stderr=subprocess.DEVNULL, check=False).returncode:
                reason = "this kernel has no vhost_net"
            elif way.node and not os.path.exists(way.node):
                reason = f"there is no {way.node}"
            if reason:
                report.absent(way.name, reason)
            else:
                yield way

    @staticmethod
    def ways(options, side):
        """The peers of a kind of load. Unless some are chosen, not all of them serve all:
        nothing is promised of side loads."""
        asked = [way for way in WAYS if way.name in options.peers]
        if len(asked) < len(WAYS):
            return asked
        most = QUICK if options.quick else COUNTED if options.counted or side else FULL
        return [way for way in asked if way.where <= most]

    @classmethod
    def promised(cls, options, load, port):
        """Is a peer measured with a load? sockperf takes three seconds to begin: only who
        is part of a target or asked for by its name."""
        return (load.kind != "rr" or len(options.peers) < len(WAYS)
                or any(t.workload == load.name and port.way.name in (t.peer, *t.rivals)
                       for t in cls.targets))

    def measure(self, options, report):
        """Measure; see base.Suite."""
        able = set(self.absent(self.ways(options, False), report))
        seconds = max(1, round(options.seconds))
        plan = []
        for pairs, far in sorted({(x.pairs, x.far) for x in LOADS}):
            side = pairs > 1 or far
            ways = [way for way in self.ways(options, side) if way in able and (way.who or not far)]
            loads = [x for x in LOADS if (x.pairs, x.far) == (pairs, far)
                     and x.name in options.workloads]
            turns = base.side_turns(options) if side else options.turns
            if ways and loads:
                group = Group(options, pairs, far, ways)
                todo = [(load, port) for load in loads for port in group.ports
                        if self.promised(options, load, port)]
                plan.append((group, todo, turns))
        done, total = 0, sum(turns * len(todo) for _, todo, turns in plan)
        image = initrd(options.initrd, guest_files(), f"{WORK}/net.cpio")
        for group, todo, turns in plan:
            with Network():
                try:
                    report.progress(done, total, "booting the guests")
                    group.start(image)
                    group.warm_up()
                    for turn, (load, port) in itertools.product(range(1, turns + 1), todo):
                        report.progress(done, total, f"{load.name} {port.way.name}")
                        done += 1
                        try:
                            figures = group.measure(port, load, seconds)
                        except Lost:
                            raise
                        except Failure as failure:
                            report.absent(port.way.name, str(failure), load.name)
                            continue
                        report.row(load.name, port.way.name, turn, figures)
                finally:
                    group.stop()


SUITE = NetSuite()
