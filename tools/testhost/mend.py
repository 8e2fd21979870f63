# SPDX-License-Identifier: GPL-2.0
"""A defect of QEMU 7.2's SVM emulation, mended in the memory of a running emulator.

VMRUN that injects an interrupt delivers it at once, and also leaves its vector
behind as the exception that the processor is to take next. Mostly that is
overwritten in time. If the loop of the processor is left before, which happens at
every timer where instructions are counted, the guest takes the same interrupt once
more, with its interrupts disabled: it waits for ever for a lock that it holds
itself, or dies of an exception in an interrupt.

The vector is left behind by one store in front of the call that delivers the
interrupt. A no-op takes its place. Only an emulator in which exactly one place
looks like that is touched.
"""

import re
import subprocess

# Called with the vector, which is in esi and goes by way of it to the exception.
CALLED = "do_interrupt_x86_hardirq"
CALL = b"\xe8"
CALL_BYTES = 5
# mov esi, to an address before that of the processor's registers
STORE = re.compile(rb"\x89[\xb0-\xb3\xb5-\xb7]..\xff\xff", re.DOTALL)
NOP = b"\x66\x0f\x1f\x44\x00\x00"
# movq -1, into those registers: there is no next instruction to return to
NEAR = re.compile(rb"\x48\xc7[\x80-\x83\x85-\x87]..\x00\x00\xff\xff\xff\xff", re.DOTALL)
# So far before the call is all of that.
REACH = 64


def mappings(pid, program):
    """The program's own pieces of a process: (first address, last + 1, access)."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        for line in file:
            words = line.split(maxsplit=5)
            if len(words) == 6 and words[5].strip() == program:
                first, last = (int(x, 16) for x in words[0].split("-"))
                yield first, last, words[1]


def address_in(program):
    """Where in the program the function is, or None."""
    text = subprocess.run(["nm", "-D", "--defined-only", program], check=False,
                          capture_output=True, text=True).stdout
    found = re.search(rf"^([0-9a-f]+) T {CALLED}(?:@|$)", text, re.MULTILINE)
    return found and int(found[1], 16)


def stores(text, start, called):
    """Addresses of all stores that look like the one; text: the code at start."""
    at = text.find(CALL)
    while at >= 0:
        offset = int.from_bytes(text[at + 1:at + CALL_BYTES], "little", signed=True)
        if start + at + CALL_BYTES + offset == called:
            before = text[max(0, at - REACH):at]
            if NEAR.search(before):
                yield from (start + at - len(before) + m.start()
                            for m in STORE.finditer(before))
        at = text.find(CALL, at + 1)


def mend(pid, program):
    """Mends a process that runs the program; False if it is not as expected."""
    address = address_in(program)
    pieces = list(mappings(pid, program))
    if address is None or not pieces:
        return False
    called = pieces[0][0] + address
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        found = []
        for first, last, access in pieces:
            if "x" in access:
                memory.seek(first)
                found += stores(memory.read(last - first), first, called)
        if len(found) != 1:
            return False
        memory.seek(found[0])
        return memory.write(NOP) == len(NOP)
