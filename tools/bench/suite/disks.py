# SPDX-License-Identifier: GPL-2.0
"""disks.py - what the block suite's disks lie on, and which disks a guest has."""

import subprocess

import host
from guest import QEMU
from host import Failure, run


class Loop(host.BlockDevice):
    """A loop device on a file, past the page cache."""

    def __init__(self, path):
        run("modprobe", "loop")
        self.path = run("losetup", "--find", "--show", "--direct-io=on", path).strip()
        self.name = self.path.rsplit("/", maxsplit=1)[1]

    def close(self):
        """Remove the device."""
        run("losetup", "--detach", self.path)


class Backing(host.Backing):
    """Those of the host module, and "loop": a loop device on the file."""

    def __init__(self, kinds):
        self.loop = None
        super().__init__(("null", "file") if {"file", "loop"} & set(kinds) else ("null",))
        if "loop" in kinds:
            try:
                self.loop = Loop(self.paths["file"])
            except BaseException:
                self.close()
                raise
            self.devices["loop"] = self.loop
            self.paths["loop"] = self.loop.path

    def close(self):
        """Remove all again."""
        if self.loop:
            self.loop.close()
            del self.devices["loop"]
            self.loop = None
        super().close()

    def disk(self, kind):
        """The block device of the host that all of a kind ends in."""
        return self.devices[kind].name


def kvhost_disk(way, kind, path, options, queues):
    """A --disk of our VMM."""
    poll = f",poll={options.poll}" if options.poll is not None and "kernel" in way.option else ""
    return ["--disk", f"path={path},share=on,{way.option},queues={queues},"
            f"serial={kind}-{way.name}{poll}"]


def qemu_disk(way, kind, path, options, queues):
    """A disk of QEMU, with an iothread of its own."""
    name = f"{kind}-{way.name}"
    poll = f",poll-max-ns={options.poll * 1000}" if options.poll is not None else ""
    return ["-object", f"iothread,id=io-{name}{poll}",
            "-blockdev", f"{blockdev(name, kind, path)},aio={way.option}",
            "-device", f"virtio-blk-pci,drive={name},iothread=io-{name},serial={name},"
            f"num-queues={queues},queue-size=256,disable-legacy=on,share-rw=on"]


def blockdev(name, kind, path):
    """Most of a -blockdev of QEMU."""
    driver = "file" if kind == "file" else "host_device"
    return f"driver={driver},node-name={name},filename={path},cache.direct=on,locking=off"


def qemu_refuses(way, path, limit):
    """Why a way of QEMU cannot run here, None if it can. It starts within the limit."""
    command = [QEMU, "-M", "none", "-nodefaults", "-display", "none", "-qmp", "stdio",
               "-blockdev", f"{blockdev('d', 'null', path)},aio={way.option}"]
    try:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              timeout=limit, check=False, text=True,
                              input='{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n')
    except FileNotFoundError:
        return f"{QEMU} is not installed"
    except subprocess.TimeoutExpired:
        raise Failure(f"{QEMU} did not start within {limit} s") from None
    return done.stderr.strip().splitlines()[-1] if done.returncode else None
