# SPDX-License-Identifier: GPL-2.0
"""compare.py - two files of results, row by row."""

from statistics import median

import results
from results import COUNTED, TIMED

# Counted figures are repeatable to that.
COUNTED_TOLERANCE = 0.01


def apart(first, second):
    """Whether the ratio of the medians is outside of the spread of both, if they have one."""
    if min(len(first), len(second)) == 1:
        return False
    change = abs(median(second) / median(first) - 1)
    return change > max(results.spread(first), results.spread(second))


def timed(place, rate, one, two):
    """The line of a timed row, None if it cannot be compared."""
    first, second = one.values(place, rate), two.values(place, rate)
    if not first or not second or not median(first):
        return None
    mark = "*" if apart(first, second) else ""
    return (f"{place[0]:6}{place[1]:14}{place[2]:12}"
            f"{results.number(median(first)):>11}{results.number(median(second)):>11}"
            f"{median(second) / median(first):>9.2f}"
            f"{results.spread_text(first):>8}{results.spread_text(second):>8}  {mark}").rstrip()


def counted(place, one, two):
    """Lines for the counted figures of a place that differ."""
    for key, first in sorted(one.places[place].items()):
        second = two.values(place, key)
        if not key.endswith("_per_unit") or not second:
            continue
        before, after = median(first.values()), median(second)
        if abs(after - before) > COUNTED_TOLERANCE * abs(before):
            change = f"{100 * (after / before - 1):+.1f} %" if before else "was 0"
            yield (f"{place[0]:6}{place[1]:14}{place[2]:12}{key[:-len('_per_unit')]:16}"
                   f"{results.number(before):>11}{results.number(after):>11}{change:>11}")


def lines(before, after):
    """The comparison of two runs, line by line."""
    one, two = results.Results(before), results.Results(after)
    rates = {(name, work["name"]): work["rate"] for name, suite in before["suites"].items()
             for work in suite["workloads"]}
    for data, name in ((before, "A"), (after, "B")):
        yield f"{name}: {data['date']}, revision {data['git']}, Linux {data['host']['kernel']}"
    for key in ("emulated", "kernel", "cpus"):
        if before["host"][key] != after["host"][key]:
            yield f"the hosts differ: {key} is {before['host'][key]} and {after['host'][key]}"
    for key in ("turns", "seconds", "poll"):
        if before["options"][key] != after["options"][key]:
            yield (f"the runs differ: {key} is {before['options'][key]} and"
                   f" {after['options'][key]}")
    yield ""
    yield f"{'timed':32}{'A':>11}{'B':>11}{'B/A':>9}{'A +-':>8}{'B +-':>8}"
    both = [p for p in one.places if p in two.places]
    for place in both:
        if place[3] == TIMED and (text := timed(place, rates[place[:2]], one, two)):
            yield text
    yield "* the ratio is outside of the spread of both"
    yield ""
    found = [text for place in both if place[3] == COUNTED for text in counted(place, one, two)]
    total = sum(1 for place in both if place[3] == COUNTED)
    yield f"counted: {total} rows in both; figures per unit that differ by more than 1 %:"
    yield from found or ["none"]
    for name, data, other in (("A", one, two), ("B", two, one)):
        alone = [" ".join(place) for place in data.places if place not in other.places]
        if alone:
            yield f"only in {name}: {', '.join(alone)}"
