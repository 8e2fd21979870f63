# SPDX-License-Identifier: GPL-2.0
"""table.py - the results as text: a table per suite, then what is absent or failed,
then the verdicts.
"""

from statistics import median

import results
from results import COST, COUNTED, TIMED

LABEL = 28
# What the counting boot is good for, beside a suite's own columns.
COUNTS = (
    ("instr", 11, COST, 1, "{:.0f}"),
    ("guest", 9, "guest_instructions_per_unit", 1, "{:.0f}"),
    ("kernel", 9, "kernel_instructions_per_unit", 1, "{:.0f}"),
    ("user", 9, "user_instructions_per_unit", 1, "{:.0f}"),
    ("exits", 9, "exits_per_unit", 1, "{:.3f}"),
    ("irqs", 9, "interrupts_per_unit", 1, "{:.3f}"),
    ("switches", 10, "switches_per_unit", 1, "{:.3f}"),
)


def where(host):
    """The first line: which machine that is."""
    if host["emulated"]:
        what = "an emulated test host: read ratios and counts, not absolute values"
    else:
        what = "this machine itself"
    return f"kvhost-bench on {what}; Linux {host['kernel']}, {host['cpus']} CPUs"


def columns(suite, mode):
    """heading, width, key, scale, format."""
    if mode == COUNTED:
        return COUNTS
    return [(c["heading"], c["width"], c["key"], c["scale"], c["form"])
            for c in suite["columns"]]


def line(found, peer, ours, parts):
    """One peer's line. parts: columns and the key of the rate."""
    fields, rate, upside_down = parts
    text = f"  {peer['title'][:LABEL - 2]:{LABEL - 2}}"
    for _, width, key, scale, form in fields:
        values = found.get(key)
        text += f"{form.format(median(values.values()) * scale) if values else '-':>{width}}"
    rates = found.get(rate, {})
    ratio = ""
    if ours and ours is not rates:
        times = results.ratios(rates, ours) if upside_down else results.ratios(ours, rates)
        ratio = f"{median(times):.2f} x" if times else ""
    return text + f"{ratio:>11}{results.spread_text(rates.values()):>8}"


def suite_lines(data, name, mode):
    """The table of a suite in a mode."""
    suite = data["suites"][name]
    places = results.Results(data).places
    fields = columns(suite, mode)
    # Of what a unit costs, less is better: theirs is divided by ours.
    cost = mode == COUNTED
    title = next((p["title"] for p in suite["peers"] if p["name"] == suite["ours"]), "ours")
    begun = False
    for work in suite["workloads"]:
        here = {p["name"]: places.get((name, work["name"], p["name"], mode))
                for p in suite["peers"]}
        if not any(here.values()):
            continue
        if not begun:
            how = ("counts in a boot of one CPU where time is instructions" if cost
                   else "timed")
            yield f"{suite['title']} ({how}; ours: {title})"
            begun = True
        rate = COST if cost else work["rate"]
        ours = (here.get(suite["ours"]) or {}).get(rate)
        yield f"{work['name']}: {work['title']}; per {work['unit']}"
        # A column that this workload has nothing for is left out.
        kept = [f for f in fields if any(f[2] in (found or ()) for found in here.values())]
        yield (" " * LABEL + "".join(f"{heading:>{width}}" for heading, width, *_ in kept)
               + f"{'ours is':>11}{'spread':>8}")
        for peer in suite["peers"]:
            if here[peer["name"]]:
                yield line(here[peer["name"]], peer, ours, (kept, rate, cost))
        yield ""


def notes(data):
    """What to know before reading on."""
    options = data["options"]
    yield (f"{data['date']}, revision {data['git']}, {data['machine']['cpu']},"
           f" {data['machine']['cpus']} CPUs")
    yield ", ".join(f"{name} {version}" for name, version in data["versions"].items())
    yield (f"medians of {options['turns']} alternating turns of {options['seconds']:g} s;"
           " spread is (max - min) / median; \"ours is\" divides our figure by the row's of"
           " the same turn, and the row's instructions by ours")
    if options["turns"] == 1:
        yield "one turn: its spread is not known, so that timed verdicts are a first look"
    if options["poll"] is not None:
        yield f"longest spin of every backend that can: {options['poll']} us"
    if data["machine"]["load"] > 1:
        yield (f"the machine was busy before this started (load {data['machine']['load']:.1f}):"
               " trust no timed ratio further than the spread of its rows")


def verdict_lines(data):
    """The verdicts, as aligned as their words allow. What nobody asked for is counted
    only."""
    rows = data["verdicts"]
    if not rows:
        return
    yield "Targets"
    for row in rows:
        if row["verdict"].endswith(results.NOT_ASKED):
            continue
        how = "counted" if row["mode"] == COUNTED else ""
        measured = row["measured"]
        if measured == "-":
            measured = row["title"]
        yield (f"  {row['suite']:6}{row['workload']:12} {row['peer']:9} {measured:38}"
               f" {row['wanted']:15} {how:8} {row['verdict']}")
    tally = {}
    for row in rows:
        word = row["verdict"].split(":")[0].split(",")[0].split(" by")[0]
        if row["verdict"].endswith(results.NOT_ASKED):
            word = results.NOT_ASKED
        tally[word] = tally.get(word, 0) + 1
    yield "  " + ", ".join(f"{count} {word}" for word, count in tally.items())


def lines(data):
    """All that is printed after the first line, that of where()."""
    yield from notes(data)
    yield ""
    for name in data["suites"]:
        for mode in (TIMED, COUNTED):
            yield from suite_lines(data, name, mode)
    told = {}
    for row in data["absent"]:
        what = " ".join(filter(None, (row["suite"], row.get("workload"), row["reason"])))
        told.setdefault(what, (row, []))[1].append(row["peer"])
    for row, peers in told.values():
        what = " ".join(filter(None, (row["suite"], row.get("workload"))))
        yield f"absent: {what} {', '.join(dict.fromkeys(peers))}: {row['reason']}"
    for row in data["failed"]:
        yield f"FAILED: {row['suite']} ({row['mode']}): {row['reason']}"
    if data["absent"] or data["failed"]:
        yield ""
    yield from verdict_lines(data)
