# SPDX-License-Identifier: GPL-2.0
"""guest.py - guests that do what they are told on their console.

The job of such a guest is "guest-shell": it reads a command a line, and says where
its output begins and ends. Namespace does the same without a guest.
"""

import os
import re
import signal
import subprocess
import time

from host import TOP, Console, Failure, run

HERE = os.path.dirname(os.path.abspath(__file__))
# Longest wait for a guest to boot under emulation, and what the console may tell
# of a kernel that is lost.
BOOT_SECONDS = 90
BOOT_TRIES = 3
DEATH = re.compile(r"Kernel panic|BUG:|Oops:")
QEMU = "qemu-system-x86_64"


class Lost(Failure):
    """A guest does not answer any more."""


def libraries(program):
    """The libraries a program needs, and itself."""
    text = run("ldd", program)
    return re.findall(r"=> (/\S+)", text) + [program]


def initrd(base, files, path):
    """The test initramfs with guest-shell as its job, and files beside it."""
    run("sh", "-c", 'exec "$@" >"$0"', path, f"{TOP}/tools/guest/job", base,
        f"{HERE}/guest-shell", *files)
    return path


class Guest(Console):
    """A VM and its console."""

    def __init__(self, name, command, log, pass_fds=()):
        super().__init__(log)
        self.name = name
        self.command = command
        self.pass_fds = pass_fds
        self.number = 0

    def start(self):
        """Start it. boot() waits for it."""
        self.number = 0
        self.open(self.command, self.pass_fds)

    def boot(self):
        """Wait for its shell. An emulated processor may lose its way in a guest's
        kernel: such a guest is started again."""
        for again in range(BOOT_TRIES - 1, -1, -1):
            try:
                self.expect("KVHOST-SHELL", BOOT_SECONDS)
                return
            except Lost as failure:
                self.stop()
                if not again:
                    raise
                print(f"{failure}; starting it again", flush=True)
                self.start()

    def expect(self, word, timeout):
        """Wait for a line with the word first; returns it and all before it."""
        end = time.monotonic() + timeout
        lines = []
        while (left := end - time.monotonic()) > 0:
            line = self.line(left)
            if line is None:
                if self.eof:
                    raise Lost(f"guest {self.name} ended: {' / '.join(lines[-4:])}")
                continue
            if DEATH.search(line):
                raise Lost(f"the kernel of guest {self.name} died: {line}")
            if line.startswith(word):
                return line, lines
            lines.append(line)
        raise Lost(f"guest {self.name} did not say {word} within {timeout:.0f} s")

    def begin(self, command):
        """Have the guest start on a command."""
        self.number += 1
        self.process.stdin.write(f"{command}\n".encode("ascii"))
        self.process.stdin.flush()
        self.expect(f"KVHOST-BEGIN {self.number}", 30)

    def end(self, timeout):
        """Wait for its end; returns its output, a list of lines."""
        line, lines = self.expect(f"KVHOST-END {self.number} ", timeout)
        status = int(line.split()[2])
        if status:
            raise Failure(f"a command in guest {self.name} ended with status {status}: "
                          + " / ".join(lines[-3:]))
        return lines

    def run(self, command, timeout=30):
        """Both."""
        self.begin(command)
        return self.end(timeout)

    @property
    def pid(self):
        """The VM's process."""
        return self.process.pid

    def stop(self):
        """End the VM."""
        if not self.process:
            return
        for sig in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                break
            self.process.send_signal(sig)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                continue
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.poll() is None:
            raise Failure(f"guest {self.name} does not end, not even when killed")


class Namespace:
    """A network namespace in a guest's place; the host's own if it has no name."""

    pid = None

    def __init__(self, name, directory):
        self.name = name
        self.directory = directory
        self.process = None

    def begin(self, command):
        """As a guest's."""
        self.process = subprocess.Popen(
            [*(["ip", "netns", "exec", self.name] if self.name else []), "sh", "-c", command],
            cwd=self.directory,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def end(self, timeout):
        """As a guest's."""
        try:
            text, _ = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise Failure(f"a command on the host had no end within {timeout:.0f} s") from None
        if self.process.returncode:
            raise Failure(f"a command on the host ended with status "
                          f"{self.process.returncode}: {text[-300:]}")
        return text.splitlines()

    def run(self, command, timeout=30):
        """Both."""
        self.begin(command)
        return self.end(timeout)

    def stop(self):
        """End what still runs."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


def kvhost_command(options, image, cpus, devices, memory=384):
    """Our VMM with some --disk and --net arguments."""
    return [options.vmm, "run", "--kernel", options.kernel, "--initrd", image,
            "--append", "quiet nowatchdog rcupdate.rcu_cpu_stall_suppress=1", "--no-reboot",
            "--cpus", str(cpus), "--memory", str(memory), *devices]


def qemu_command(options, image, cpus, devices, memory=384):
    """QEMU with some devices."""
    return [QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-machine", "q35,kernel-irqchip=on,usb=off,smbus=off", "-accel", "kvm",
            "-cpu", "host", "-smp", str(cpus), "-m", str(memory),
            "-chardev", "stdio,id=tty,signal=off", "-serial", "chardev:tty",
            "-kernel", options.kernel, "-initrd", image, "-append",
            "console=ttyS0 quiet nowatchdog rcupdate.rcu_cpu_stall_suppress=1", *devices]
