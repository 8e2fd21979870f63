# SPDX-License-Identifier: GPL-2.0
"""split.py - whose instructions an I/O costs: the guest's, the host kernel's or host
programs'. For the counting boot, which has one CPU and where a tick of its time stamp
counter is an instruction.

Tracepoints at every change from one to another give the time of guests and of
programs, in a window of its own late in a load; all the rest of what a window without
tracing has counted is the kernel's. From its time stamp on a tracepoint costs instructions that
fall into what begins there, and up to it into what ends there: calibrate() finds how
many by a guest and a program of which every instruction is known.
"""

import ctypes
import fcntl
import functools
import mmap
import os
import re
import struct
import time
from collections import namedtuple

from host import Failure, read
from meter import Meter, NothingDone

TRACING = "/sys/kernel/tracing/instances/kvhost-bench"
EVENTS = ("kvm/kvm_entry", "kvm/kvm_exit", "raw_syscalls/sys_enter", "raw_syscalls/sys_exit",
          "sched/sched_switch")
LINE = re.compile(r"-(\d+)\s+\[\d+\]\s+\S+\s+(\d+): (\w+):.*?(?:next_pid=(\d+)|$)")
BUFFER_KIB = 8192
WINDOW_SECONDS = 0.015
TURNS = 200
# The part of a load after which it is traced.
UNTRACED = 0.7

# getppid() in a loop of four instructions: mov, syscall, dec, jnz.
PROGRAM = (b"\x53\xbb" + struct.pack("<I", TURNS) +
           b"\xb8\x6e\x00\x00\x00\x0f\x05\xff\xcb\x75\xf5\x5b\xc3")
PROGRAM_INSTRUCTIONS = 4
# At the reset vector, and a loop of two: out to port 128, jmp.
GUEST = b"\xe6\x80\xeb\xfc"
GUEST_INSTRUCTIONS = 2
KVM_CREATE_VM, KVM_GET_VCPU_MMAP_SIZE = 0xAE01, 0xAE04
KVM_SET_USER_MEMORY_REGION, KVM_CREATE_VCPU, KVM_RUN = 0x4020AE46, 0xAE41, 0xAE80

# Instructions, and in how many pieces
Time = namedtuple("Time", "guest stays user calls")


def put(name, text):
    """Write a file of the trace's."""
    with open(f"{TRACING}/{name}", "w", encoding="ascii") as file:
        file.write(text)


class Trace:
    """A trace of its own. Inside a with statement it can be switched on at once."""

    def __enter__(self):
        os.makedirs(TRACING, exist_ok=True)
        self.switch(False)
        put("trace_clock", "x86-tsc")
        put("buffer_size_kb", str(BUFFER_KIB))
        put("trace", "")
        for event in EVENTS:
            put(f"events/{event}/enable", "1")
        return self

    def __exit__(self, *_):
        self.switch(False)
        put("events/enable", "0")

    @staticmethod
    def switch(tracing):
        """On or off."""
        put("tracing_on", str(int(tracing)))

    @staticmethod
    def events():
        """What happened: (stamp, event, task, next task or None) in order."""
        text = read(f"{TRACING}/trace")
        put("trace", "")
        if re.search(r"LOST \d+ EVENTS", text):
            raise Failure(f"the trace did not fit into {BUFFER_KIB} KiB")
        for line in text.splitlines():
            if match := LINE.search(line):
                yield int(match[2]), match[3], int(match[1]), match[4] and int(match[4])


class Clock:
    """Follows the events of a trace."""

    def __init__(self, leave_out):
        self.leave_out = leave_out
        # What a task is at, and since when where that counts.
        self.mode, self.since = {}, {}
        self.total = {"guest": 0, "user": 0}
        self.pieces = {"guest": 0, "user": 0}

    def enter(self, task, mode, stamp):
        """A task goes over to a mode."""
        self.mode[task], self.since[task] = mode, stamp

    def leave(self, task, stamp, whole=True):
        """And out of it; whole: not only off the CPU for a while."""
        mode = self.mode.get(task)
        if mode in self.total and task != self.leave_out:
            self.total[mode] += stamp - self.since[task]
            self.pieces[mode] += whole
        if whole:
            self.mode[task] = "kernel"

    def take(self, stamp, event, task, following):
        """The next event."""
        if event == "sched_switch":
            self.leave(task, stamp, whole=False)
            self.since[following] = stamp
        elif event in ("kvm_entry", "sys_exit"):
            self.enter(task, "guest" if event == "kvm_entry" else "user", stamp)
        elif event in ("kvm_exit", "sys_enter"):
            self.leave(task, stamp)


def times(events, leave_out=None):
    """What the guests and the programs of a trace have taken; leave_out: a task."""
    clock = Clock(leave_out)
    for event in events:
        clock.take(*event)
    return Time(clock.total["guest"], clock.pieces["guest"],
                clock.total["user"], clock.pieces["user"])


def known_program():
    """Make TURNS system calls."""
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(PROGRAM)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    ctypes.CFUNCTYPE(None)(address)()


class KnownGuest:
    """A guest that does nothing but leave."""

    def __init__(self):
        self.memory = mmap.mmap(-1, mmap.PAGESIZE)
        self.memory[0xff0:0xff0 + len(GUEST)] = GUEST
        address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
        self.machine = fcntl.ioctl(self.kvm, KVM_CREATE_VM, 0)
        fcntl.ioctl(self.machine, KVM_SET_USER_MEMORY_REGION,
                    struct.pack("<IIQQQ", 0, 0, 0xfffff000, mmap.PAGESIZE, address))
        self.cpu = fcntl.ioctl(self.machine, KVM_CREATE_VCPU, 0)

    def run(self, turns):
        """Enter it so often."""
        for _ in range(turns):
            fcntl.ioctl(self.cpu, KVM_RUN, 0)

    def close(self):
        """Give it up."""
        for file in (self.cpu, self.machine, self.kvm):
            os.close(file)


@functools.lru_cache(maxsize=1)
def calibrate():
    """What tracing itself adds to a stay in a guest, and to a program from one system
    call to the next."""
    known_program()
    ours = os.getpid()
    guest = KnownGuest()
    with Trace() as trace:
        try:
            trace.switch(True)
            known_program()
            trace.switch(False)
            program = times(e for e in trace.events() if ours in (e[2], e[3]))
            guest.run(TURNS // 10)
            trace.switch(True)
            guest.run(TURNS)
            trace.switch(False)
            stays = times(e for e in trace.events() if ours in (e[2], e[3]))
        finally:
            guest.close()
    if program.calls < TURNS or stays.stays < TURNS:
        raise Failure(f"the trace misses events: {program} {stays}")
    found = (stays.guest / stays.stays - GUEST_INSTRUCTIONS,
             program.user / program.calls - PROGRAM_INSTRUCTIONS)
    print(f"tracing costs a guest {found[0]:.0f} and a program {found[1]:.0f} instructions",
          flush=True)
    return found


def measure(meter, pids, seconds):
    """As Meter.measure(), and then whose instructions they are. calibrate() comes
    before the load is started."""
    per_stay, per_call = calibrate()
    figures = meter.measure(pids, seconds, UNTRACED)
    with Trace() as trace:
        trace.switch(True)
        first = meter.units()
        time.sleep(WINDOW_SECONDS)
        last = meter.units()
        trace.switch(False)
        if last <= first:
            raise NothingDone("the load did nothing while it was traced")
        found = times(trace.events(), os.getpid())
    total = figures["cpu_ns_per_unit"]
    guest = (found.guest - per_stay * found.stays) / (last - first)
    user = (found.user - per_call * found.calls) / (last - first)
    return {**figures, "guest_instructions_per_unit": guest, "user_instructions_per_unit": user,
            "kernel_instructions_per_unit": total - guest - user}


def look(options):
    """How the loads of a run are measured: a function of meter, pids and seconds. To be
    called before the first load."""
    if not options.counted:
        return Meter.measure
    calibrate()
    return measure
