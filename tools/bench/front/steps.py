# SPDX-License-Identifier: GPL-2.0
"""steps.py - named steps, each with a log and a duration, as steps.sh has them.

On a terminal a running step shows its title and what it says of its progress; in a
pipe nothing is said unless a step fails.
"""

import os
import selectors
import signal
import subprocess
import sys
import time

TICK_SECONDS = 0.3
STOP_SECONDS = 20
TAIL_LINES = 20


class Failed(Exception):
    """A step that failed; the text is for the user."""


def duration(seconds):
    """For a human."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


class Task:
    """A process with a log, whose lines somebody may take."""

    def __init__(self, name, command, log, take=None, silence=None):
        """take: is called with each line; silence: seconds without a line after which
        it is stopped."""
        self.name, self.take, self.silence = name, take, silence
        self.log = open(log, "ab")  # pylint: disable=R1732
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        start_new_session=True)
        self.tail = b""
        self.heard = time.monotonic()
        self.silent = False
        self.status = None
        self.said = ""

    def read(self):
        """Take in what there is; False at the end."""
        data = os.read(self.process.stdout.fileno(), 65536)
        if not data:
            return False
        self.heard = time.monotonic()
        self.log.write(data)
        self.log.flush()
        *whole, self.tail = (self.tail + data).split(b"\n")
        for line in whole:
            text = line.decode("utf-8", "replace").rstrip("\r")
            if text.startswith("progress: "):
                self.said = text[len("progress: "):]
            if self.take:
                self.take(text)
        return True

    def stop(self):
        """End it, and what it has started."""
        for sig in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                return
            os.killpg(self.process.pid, sig)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue

    def check_silence(self):
        """Stop it if it has been silent for too long; True if that is so."""
        if self.silence and time.monotonic() - self.heard > self.silence:
            self.silent = True
            self.stop()
        return self.silent

    def close(self):
        """After the last line."""
        self.status = self.process.wait()
        self.process.stdout.close()
        self.log.close()


class Steps:
    """All steps of a run; their logs are in a directory."""

    def __init__(self, directory):
        self.directory = directory
        self.begun = time.monotonic()
        self.live = sys.stderr.isatty()
        self.durations = []

    def log(self, name):
        """Where a step's log is."""
        return f"{self.directory}/{name}.log"

    def fresh_log(self, name):
        """The same, without what an earlier run has left there."""
        log = self.log(name)
        if os.path.exists(log):
            os.unlink(log)
        return log

    def show(self, text):
        """The last line of the terminal."""
        if self.live:
            sys.stderr.write(f"\r\033[K{text[:110]}")
            sys.stderr.flush()

    def say(self, text):
        """A line that stays, on a terminal."""
        self.show("")
        print(text, file=sys.stderr)

    def watch(self, title, tasks, status):
        """Follow tasks to their ends. status: a function, what to show of them."""
        begun = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for task in tasks:
                selector.register(task.process.stdout, selectors.EVENT_READ, task)
            try:
                while selector.get_map():
                    for key, _ in selector.select(TICK_SECONDS):
                        if not key.data.read():
                            selector.unregister(key.fileobj)
                            key.data.close()
                    for key in list(selector.get_map().values()):
                        if key.data.check_silence():
                            selector.unregister(key.fileobj)
                            key.data.close()
                    self.show(f"... {title}: {status()}")
            finally:
                for task in tasks:
                    task.stop()
                self.show("")
        self.note(title, time.monotonic() - begun)

    def note(self, title, seconds):
        """Keep a duration."""
        self.durations.append(f"{seconds:4.0f} s  {title}")
        with open(f"{self.directory}/steps.txt", "w", encoding="ascii") as file:
            file.write("\n".join(self.durations) + "\n")
        if self.live:
            print(self.durations[-1], file=sys.stderr)

    def run(self, name, title, *command):
        """A step that has to succeed."""
        log = self.fresh_log(name)
        try:
            task = Task(name, command, log)
        except OSError as error:
            raise Failed(f"FAILED: {title}: cannot run {command[0]}: {error.strerror}") from None
        self.watch(title, [task], lambda: task.said)
        if task.status:
            raise Failed(failure(title, name, task.status, log))

    def total(self):
        """Seconds so far."""
        return time.monotonic() - self.begun


def failure(title, name, status, log):
    """What to say of a step that failed."""
    with open(log, encoding="utf-8", errors="replace") as file:
        tail = file.read().splitlines()[-TAIL_LINES:]
    return "\n".join([f"FAILED: {title} (step \"{name}\", exit status {status})",
                      *(f"  | {line}" for line in tail), f"log: {log}"])
