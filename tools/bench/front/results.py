# SPDX-License-Identifier: GPL-2.0
"""results.py - what the rows of the suites say: medians, spreads and verdicts.

A file of results holds the suites' descriptions beside the rows (see
Documentation/bench.md), so that nothing here needs the suites themselves. A
place is (suite, workload, peer, mode).
"""

import json
from statistics import median

SCHEMA = "kvhost-bench/1"
TIMED, COUNTED = "timed", "counted"
# What a unit costs in the counting boot, where a nanosecond is an instruction.
COST = "cpu_ns_per_unit"
# Why a target has no verdict that nobody asked for.
NOT_ASKED = "not part of this run"
# A spread above that may make a verdict undecided.
WIDE = 0.25

KEYS = ("schema", "date", "git", "machine", "host", "versions", "options", "seconds",
        "suites", "rows", "absent", "failed", "verdicts")
ROW_KEYS = ("suite", "workload", "peer", "turn", "mode", "figures")
SUITE_KEYS = ("title", "ours", "peers", "workloads", "columns", "targets")


class Invalid(Exception):
    """A file that does not hold results."""


def check(data):
    """Refuse what is no file of results of this version."""
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise Invalid(f"its \"schema\" is not \"{SCHEMA}\"")
    lacking = [key for key in KEYS if key not in data]
    if lacking:
        raise Invalid(f"it lacks {', '.join(lacking)}")
    for name, suite in data["suites"].items():
        lacking = [key for key in SUITE_KEYS if key not in suite]
        if lacking:
            raise Invalid(f"suite {name} lacks {', '.join(lacking)}")
    for number, row in enumerate(data["rows"]):
        lacking = [key for key in ROW_KEYS if key not in row]
        if lacking:
            raise Invalid(f"row {number} lacks {', '.join(lacking)}")
        if row["suite"] not in data["suites"]:
            raise Invalid(f"row {number} is of suite {row['suite']}, which is not described")
        if row["mode"] not in (TIMED, COUNTED):
            raise Invalid(f"the mode of row {number} is '{row['mode']}'")
    return data


def load(path):
    """The results in a file."""
    try:
        with open(path, encoding="utf-8") as file:
            return check(json.load(file))
    except OSError as error:
        raise Invalid(error.strerror) from None
    except ValueError as error:
        raise Invalid(f"it is not JSON: {error}") from None


def save(data, path):
    """And back."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(check(data), file, indent=1)
        file.write("\n")


def ratios(over, under):
    """One figure divided by another, in each turn that has both."""
    return [over[turn] / under[turn] for turn in over if under.get(turn)]


def spread(values):
    """(max - min) / median."""
    middle = median(values)
    return (max(values) - min(values)) / middle if middle else 0


def spread_text(values):
    """It as it is printed; a single turn has none."""
    return f"{spread(values):.0%}" if len(values) > 1 else "-"


class Results:
    """The figures by place, key and turn."""

    def __init__(self, data):
        self.data = data
        self.places = {}
        for row in data["rows"]:
            place = row["suite"], row["workload"], row["peer"], row["mode"]
            figures = self.places.setdefault(place, {})
            for key, value in row["figures"].items():
                # A count that cannot be had here is null.
                if isinstance(value, (int, float)):
                    figures.setdefault(key, {})[row["turn"]] = value

    def turns(self, place, key):
        """A figure by turn, {} if it was not measured."""
        return self.places.get(place, {}).get(key, {})

    def values(self, place, key):
        """It in all turns, [] if it was not measured."""
        return list(self.turns(place, key).values())

    def median(self, place, key):
        """Its median, None if it was not measured."""
        found = self.values(place, key)
        return median(found) if found else None

    def best(self, suite, target, mode, key, best):
        """The place of the rival with the best median, None without any."""
        places = [(suite, target["workload"], rival, mode) for rival in target["rivals"]]
        found = [(self.median(p, key), p) for p in places if self.values(p, key)]
        if not found:
            return None
        return (max if best == "most" else min)(found)[1]


def weigh(middle, least, most, wide, target):
    """The verdict: "reached", "missed ..." or "undecided ...". middle: the figure, the
    median of the turns; least, most: of all turns; wide: they are far from each other."""
    low, high = target["at_least"], target["at_most"]

    def good(value):
        return value >= low if low is not None else value <= high

    if wide and good(least) != good(most):
        return f"undecided: the turns spread too far ({number(least)} to {number(most)})"
    if good(middle):
        return "reached"
    if low is not None:
        return f"missed by {100 * (1 - middle / low):.0f} %"
    if not high:
        return "missed"
    if middle < 2 * high:
        return f"missed by {100 * (middle / high - 1):.0f} %"
    return f"missed, {middle / high:.1f} times as many"


def number(value):
    """A figure with three digits or so."""
    if value == 0 or abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.3g}"


def wanted(target):
    """What a target asks for."""
    times = " x" if target["rivals"] else ""
    if target["at_least"] is not None:
        return f"at least {target['at_least']:g}{times}"
    return f"at most {target['at_most']:g}{times}"


class Judge:
    """Makes the verdicts."""

    def __init__(self, results):
        self.results = results
        self.suites = results.data["suites"]

    def title(self, suite, peer):
        """A peer's title."""
        return next((p["title"] for p in self.suites[suite]["peers"] if p["name"] == peer), peer)

    def ratio(self, suite, target, mode, key, cost):
        """Against the best rival, turn by turn: what slows the machine for a while slows
        both. With cost, what it takes is compared upside down. None if there is nothing
        to compare."""
        place = suite, target["workload"], target["peer"], mode
        rival = self.results.best(suite, target, mode, key, "least" if cost else target["best"])
        if not rival:
            return None
        ours, theirs = self.results.turns(place, key), self.results.turns(rival, key)
        times = ratios(theirs, ours) if cost else ratios(ours, theirs)
        if not times:
            return None
        return (f"{median(times):.2f} x {self.title(suite, rival[2])}",
                weigh(median(times), min(times), max(times), spread(times) > WIDE, target))

    def bound(self, suite, target, mode):
        """The figure itself."""
        ours = self.results.values((suite, target["workload"], target["peer"], mode),
                                   target["key"])
        if not ours:
            return None
        return (f"{number(median(ours))} {target['title']}",
                weigh(median(ours), min(ours), max(ours), spread(ours) > WIDE, target))

    def judge(self, suite, target, mode):
        """(measured, verdict) in a mode, None if that says nothing."""
        if not target["rivals"]:
            return self.bound(suite, target, mode)
        if mode == COUNTED and not target["key"].endswith("_per_unit"):
            # Throughput is stated as what a unit costs; latency is not.
            if target["at_least"] is None:
                return None
            return self.ratio(suite, target, mode, COST, True)
        return self.ratio(suite, target, mode, target["key"], False)

    def why_not(self, suite, target):
        """Why a target was not measured."""
        parts = self.suites[suite]
        if target["workload"] not in [w["name"] for w in parts["workloads"]]:
            return NOT_ASKED
        for row in self.results.data["absent"]:
            if (row["suite"] == suite and row["peer"] in (target["peer"], *target["rivals"])
                    and row.get("workload") in (None, target["workload"])):
                return f"{row['peer']} is absent"
        if any(row["suite"] == suite for row in self.results.data["failed"]):
            return "the suite failed"
        asked = [p["name"] for p in parts["peers"]]
        if target["peer"] not in asked or (target["rivals"] and
                                           not any(r in asked for r in target["rivals"])):
            return NOT_ASKED
        # A quick run leaves out places of what it has, too.
        return NOT_ASKED if self.results.data["options"]["quick"] else "no rows of it"

    def all(self):
        """The verdicts on all targets."""
        for suite, parts in self.suites.items():
            for target in parts["targets"]:
                common = {"suite": suite, "workload": target["workload"], "peer": target["peer"],
                          "title": target["title"], "wanted": wanted(target)}
                for mode in (TIMED, COUNTED):
                    found = self.judge(suite, target, mode)
                    if found:
                        yield {**common, "mode": mode, "measured": found[0], "verdict": found[1]}
                    elif mode == TIMED:
                        yield {**common, "mode": mode, "measured": "-", "verdict":
                               f"not measured: {self.why_not(suite, target)}"}


def verdicts(data):
    """The verdicts on a run."""
    return list(Judge(Results(data)).all())
