# SPDX-License-Identifier: GPL-2.0
"""One run of a test host in the emulator: start it, listen, stop it.

The host in the emulator (see "init") has four ports besides its console: the
command's output, its error output, a control port for "started" and the
verdict, and the kernel log that it sends before the verdict.
"""

import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

import mend

# Longest silence of the console while booting, and longest boot, in seconds.
BOOT_SILENCE = 60
BOOT_LIMIT = 240
# The host ends an overlong command itself; so much later it is taken for dead.
LATE = 30

PROGRAM = "qemu-system-x86_64"
PORTS = ["out", "err", "ctl", "klog"]

COMMAND_LINE = ("console=ttyS0 loglevel=7 mitigations=off tsc=reliable"
                " clocksource=tsc oops=panic panic=-1 log_buf_len=8M"
                " net.ifnames=0")

# rep movsb is emulated byte by byte (and counts as one instruction): without ERMS
# and FSRM the kernel clears and copies memory three times as fast. KASAN's address
# arithmetic and the emulator's five-level paging do not agree.
CPU = "max,la57=off,erms=off,fsrm=off"


class Result:
    """How a run ended: what is "verdict", "boot", "late" or "died"."""

    def __init__(self):
        self.what = "died"
        self.status = None
        self.taint = (0, 0)
        self.klog = ""


def die_with_parent():
    """Ends the emulator when the launcher is killed, whatever kills it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def arguments(run):
    args = [PROGRAM, "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot", "-M", "q35,usb=off,smbus=off",
            "-m", str(run.memory), "-rtc", "base=utc",
            "-kernel", run.kernel, "-initrd", run.initramfs,
            "-serial", f"file:{run.console}"]
    line = f"{COMMAND_LINE} testhost.tree={run.tree} testhost.run={run.name}"
    if run.icount:
        # One instruction is one nanosecond.
        args += ["-accel", "tcg,thread=single", "-smp", "1",
                 "-icount", "shift=0,sleep=off"]
        line += " nokaslr"
    else:
        args += ["-accel", "tcg,thread=multi", "-smp", str(run.cpus)]
    args += ["-cpu", CPU, "-append", line]
    for tag, path, readonly in [("machine", "/", "on"),
                                ("build", f"{run.tree}/build", "off")]:
        args += ["-fsdev", f"local,id={tag},path={path},readonly={readonly},"
                 "security_model=none,multidevs=remap",
                 "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
    for index, (path, serial) in enumerate(run.disks):
        path = path.replace(",", ",,")
        args += ["-drive", f"if=none,id=disk{index},format=raw,snapshot=on,"
                 f"cache=unsafe,file={path}",
                 "-device", f"virtio-blk-pci,drive=disk{index},serial={serial}"]
    args += ["-device", "virtio-serial-pci,id=ports"]
    if run.shell:
        args += ["-chardev", "stdio,id=tty,signal=off",
                 "-device", "virtconsole,bus=ports.0,nr=0,chardev=tty"]
    return args


class Emulator:
    """A started test host."""

    def __init__(self, run):
        self.run = run
        self.result = Result()
        self.started = False
        self.ctl = b""
        self.klog = bytearray()
        args = arguments(run)
        ends = []
        self.streams = {}
        for number, name in enumerate(PORTS, 1):
            ours, theirs = socket.socketpair()
            self.streams[ours] = name
            ends.append(theirs)
            args += ["-chardev", f"socket,id={name},fd={theirs.fileno()}",
                     "-device", f"virtserialport,bus=ports.0,nr={number},"
                     f"chardev={name},name={name}"]
        self.process = subprocess.Popen(
            args, pass_fds=[end.fileno() for end in ends],
            stdin=None if run.shell else subprocess.DEVNULL,
            start_new_session=not run.shell, preexec_fn=die_with_parent)
        for end in ends:
            end.close()
        try:
            mended = mend.mend(self.process.pid, os.path.realpath(shutil.which(PROGRAM)))
        except OSError:
            mended = False
        if not mended:
            print("testhost: note: this emulator is none that tools/testhost/mend.py knows;"
                  " guests of KVM may die in it", file=sys.stderr, flush=True)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def read(self, timeout):
        """Takes in what the ports have to say; true if there was anything."""
        ready, _, _ = select.select(list(self.streams), [], [], timeout)
        for stream in ready:
            try:
                data = stream.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            name = self.streams[stream]
            if not data:
                del self.streams[stream]
            elif name == "out":
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
            elif name == "err":
                sys.stderr.buffer.write(data)
                sys.stderr.buffer.flush()
            elif name == "klog":
                self.klog += data
            else:
                self.ctl += data
                self.control()
        return bool(ready)

    def control(self):
        while b"\n" in self.ctl:
            line, _, self.ctl = self.ctl.partition(b"\n")
            words = line.decode().split()
            if words[0] == "started":
                self.started = True
            elif words[0] == "verdict":
                self.result.what = "late" if words[1] == "late" else "verdict"
                if words[1] != "late":
                    self.result.status = int(words[1])
                self.result.taint = (int(words[2]), int(words[3]))

    def console_size(self):
        try:
            return os.stat(self.run.console).st_size
        except FileNotFoundError:
            return 0

    def booting_too_long(self, begun, progress):
        """Keeps the time of the console's last growth in progress."""
        now = time.monotonic()
        size = self.console_size()
        if size != progress[0]:
            progress[:] = [size, now]
        return now - progress[1] > BOOT_SILENCE or now - begun > BOOT_LIMIT

    def wait(self):
        """Runs the test host to its end, whichever that is."""
        begun = time.monotonic()
        progress = [0, begun]
        deadline = None
        while self.streams and self.result.what == "died":
            self.read(1)
            if not self.started:
                if self.booting_too_long(begun, progress):
                    self.result.what = "boot"
                continue
            if deadline is None and self.run.timeout:
                deadline = time.monotonic() + self.run.timeout + LATE
            if deadline and time.monotonic() > deadline:
                self.result.what = "late"
        if self.result.what == "died" and not self.started:
            self.result.what = "boot"
        # The verdict is the last word, but the ports are not one stream.
        while self.streams and self.read(0):
            pass
        self.stop()
        self.result.klog = self.klog.decode(errors="replace")
        return self.result
