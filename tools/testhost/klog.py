# SPDX-License-Identifier: GPL-2.0
"""Finds what a sound run never leaves in the kernel log.

Reads the text of "dmesg -x" (facility, level, time) or of a serial console
(time only). Called by the launcher after each run, on the test host's log and
in local mode on the machine's own.
"""

import re

# What the kernel says when something is wrong with it, not with a process.
COMPLAINTS = [
    r"-\[ cut here \]-",
    r"Kernel panic",
    r"\bOops\b",
    r"\bBUG: ",
    r"\bBUG at ",
    r"\bWARNING: ",
    r"soft lockup",
    r"hard LOCKUP",
    r"rcu: INFO: rcu_\w+ (detected|self-detected)",
    r"rcu: \w+ kthread starved",
    r"INFO: task .* blocked for more than",
    r"INFO: possible .* detected",
    r"possible \w+ locking dependency",
    r"inconsistent lock state",
    r"suspicious RCU usage",
    r"scheduling while atomic",
    r"sleeping function called from invalid context",
    r"\b(KASAN|KCSAN|KFENCE|KMSAN): ",
    r"\bUBSAN: ",
    r"general protection fault, ",
    r"unable to handle (page fault|kernel)",
    r"double fault",
    r"stack-protector",
    r"refcount_t: ",
    r"list_(add|del) corruption",
    r"Bad page (map|state)",
    r"Bad rss-counter",
    r"Objects remaining in ",
    r"Slab cache still has objects",
    r"kmem_cache_destroy",
    r"kmemleak: \d+ new suspected",
    r"\bleaked\b",
    r"unregister_netdevice: waiting for",
    r"Busy inodes after unmount",
    r"page allocation failure",
    r"^Out of memory: ",
]
COMPLAINT = re.compile("|".join(COMPLAINTS))

# "kern  :warn  : [    1.234567] text", or without the first two columns.
LINE = re.compile(
    r"^(?:(?P<facility>\w+) *:(?P<level>\w+) *: )?\[ *(?P<time>\d+\.\d+)\]"
    r"(?:\[ *[TC]\d+\])? (?P<text>.*)$")

# What follows a complaint is shown up to this many lines.
CONTEXT = 24

TAINT_NAMES = "PFSRMBUDAWCIOELKXTN"
# Out-of-tree and unsigned modules: what kvhost itself brings about.
TAINT_EXPECTED = 1 << 12 | 1 << 13


def after(text, marker):
    """The part of a log that follows the last line ending in the marker."""
    where = text.rfind(marker + "\n")
    return text if where < 0 else text[where + len(marker) + 1:]


def complaints(text):
    """Lines of the log that complain, each with the lines after it."""
    found = []
    show = 0
    for line in text.splitlines():
        match = LINE.match(line)
        if match and (match["facility"] or "kern") != "kern":
            continue
        if COMPLAINT.search(match["text"] if match else line):
            show = CONTEXT
        if show:
            found.append(line)
            show -= 1
    return found


def new_taint(before, now):
    """Names of the taint flags that appeared and should not have."""
    bits = now & ~before & ~TAINT_EXPECTED
    return "".join(name for bit, name in enumerate(TAINT_NAMES)
                   if bits & 1 << bit)
