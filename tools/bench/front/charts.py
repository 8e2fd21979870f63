# SPDX-License-Identifier: GPL-2.0
"""charts.py - the results as pictures, by gnuplot: for each suite the rate, the
latency and what a unit costs, a panel for each workload, a bar for each peer.
"""

import math
import os
import subprocess
from collections import namedtuple
from statistics import median

from results import COST, COUNTED, TIMED, Results

LIMIT_SECONDS = 60
COLUMNS = 3
PANEL_WIDTH, PANEL_HEIGHT = 430, 300
HEAD = 60
COLOURS = ("#1f5fa8", "#5b9bd5", "#9dc3e6", "#70ad47", "#c55a11", "#ed7d31", "#f4b183",
           "#7f6000", "#7f7f7f", "#a64d79", "#45818e")
PERCENTILES = ("p50", "p99", "p999")
COUNTS = ((COST, "instructions"), ("exits_per_unit", "exits"),
          ("interrupts_per_unit", "interrupts"), ("switches_per_unit", "context switches"))
TERMINALS = (("svg", "svg size {},{} dynamic font 'DejaVu Sans,12' background '#ffffff'"),
             ("png", "pngcairo size {},{} font 'DejaVu Sans,10' background '#ffffff'"))

# What a chart consists of. bars: (label, colour, lowest, median, highest), or
# (label, colour, p50, p99, p99.9) where log is set
Panel = namedtuple("Panel", "title unit bars log")


def quoted(text):
    """As a gnuplot string."""
    return "'" + text.replace("'", "''") + "'"


def bar_lines(panel, name):
    """A panel of bars with whiskers."""
    top = max(bar[4] for bar in panel.bars)
    yield "unset logscale y"
    yield f"set yrange [0:{top * 1.12 if top else 1}]"
    yield "set format y '%.0s%c'" if top >= 4000 else "set format y '%g'"
    yield f"plot {name} using 1:4:3:5:(0.72):2 with boxerrorbars lc rgb variable"


def latency_lines(panel, name):
    """A panel of percentiles, on a logarithmic scale."""
    least = min(bar[2] for bar in panel.bars)
    top = max(bar[4] for bar in panel.bars)
    yield "set logscale y"
    yield "set format y '%.0s%c'"
    yield f"set yrange [{10 ** math.floor(math.log10(least))}:{10 ** math.ceil(math.log10(top * 1.01))}]"
    yield (f"plot {name} using 1:3:(0):($5-$3):2 with vectors nohead lw 6 lc rgb variable,"
           f" {name} using 1:3 with points pt 7 ps 1.0 lc rgb '#202020',"
           f" {name} using 1:4 with points pt 9 ps 1.1 lc rgb '#202020',"
           f" {name} using 1:5 with points pt 2 ps 0.9 lw 1.5 lc rgb '#202020'")


def script(title, panels, columns):
    """gnuplot's commands, but for the terminal and the file. A panel may be None: its
    place stays empty."""
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    width, height = columns * PANEL_WIDTH, rows * PANEL_HEIGHT + HEAD
    lines = []
    for index, panel in enumerate(panels):
        lines.append(f"$p{index} << EOD")
        for place, (_, colour, low, middle, high) in enumerate(panel.bars if panel else ()):
            lines.append(f"{place} {int(colour[1:], 16)} {low:.6g} {middle:.6g} {high:.6g}")
        lines.append("EOD")
    lines += [
        f"set multiplot layout {rows},{columns} title {quoted(title)} noenhanced font ',13'"
        f" margins {95 / width:.4f},{1 - 15 / width:.4f},"
        f"{75 / height:.4f},{1 - (HEAD + 25) / height:.4f} spacing"
        f" {95 / width:.4f},{110 / height:.4f}",
        "unset key", "set style fill solid 0.95 border -1", "set border 3",
        "set grid ytics lc rgb '#b8b8b8' lw 1 dt 1", "set tics nomirror out",
        "set errorbars 1.5 lt -1 lw 1.3", "set ytics autofreq",
    ]
    for index, panel in enumerate(panels):
        if not panel:
            lines.append("set multiplot next")
            continue
        labels = ", ".join(f"{quoted(bar[0])} {place}" for place, bar in enumerate(panel.bars))
        lines += [
            f"set title {quoted(panel.title)} font ',{11 if len(panel.title) < 46 else 9}' noenhanced"
            " offset 0,-0.5",
            f"set ylabel {quoted(panel.unit)} noenhanced offset 0.5,0",
            f"set xrange [-0.7:{len(panel.bars) - 0.3}]",
            f"set xtics ({labels}) rotate by 35 right noenhanced scale 0",
            *(latency_lines if panel.log else bar_lines)(panel, f"$p{index}"),
        ]
    lines.append("unset multiplot")
    return width, height, "\n".join(lines) + "\n"


def plot(path, title, panels, columns):
    """Make PATH.svg and PATH.png; returns why not."""
    width, height, commands = script(title, panels, columns)
    for kind, terminal in TERMINALS:
        text = (f"set terminal {terminal.format(width, height)}\n"
                f"set output {quoted(f'{path}.{kind}')}\n{commands}")
        try:
            done = subprocess.run(["gnuplot"], input=text, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=LIMIT_SECONDS, check=False,
                                  text=True)
        except OSError as error:
            return f"cannot run gnuplot: {error.strerror}; run 'sudo make deps'"
        except subprocess.TimeoutExpired:
            return f"gnuplot was not done in {LIMIT_SECONDS} s"
        # It complains, and goes on.
        if done.returncode or done.stdout.strip():
            return f"gnuplot, status {done.returncode}: {done.stdout.strip()[-300:]}"
    return None


class Charts:
    """The panels of a suite."""

    def __init__(self, data, name):
        self.name = name
        self.suite = data["suites"][name]
        self.results = Results(data)

    def bars(self, make):
        """A bar for each peer that make(), of a peer's name, has one for."""
        found = []
        for place, peer in enumerate(self.suite["peers"]):
            values = make(peer["name"])
            if values:
                found.append((peer["name"], COLOURS[place % len(COLOURS)], *values))
        return found

    def whiskers(self, work, mode, key):
        """Lowest, median and highest of a figure, of a peer."""
        def make(peer):
            values = self.results.values((self.name, work["name"], peer, mode), key)
            return (min(values), median(values), max(values)) if values else None
        return make

    def percentiles(self, work):
        """The three percentiles of a peer, in microseconds."""
        def make(peer):
            place = self.name, work["name"], peer, TIMED
            found = []
            for name in PERCENTILES:
                for key, scale in ((f"{name}_us", 1), (f"{name}_ns", 1e-3)):
                    if (value := self.results.median(place, key)):
                        found.append(value * scale)
                        break
            return found if len(found) == len(PERCENTILES) else None
        return make

    def unit(self, work):
        """What the axis of the headline figure says: as its column, but in words."""
        if work["rate"] == "per_s":
            return f"{work['unit']} / s"
        return next((c["heading"] for c in self.suite["columns"] if c["key"] == work["rate"]),
                    work["rate"])

    def rates(self):
        """Panels of the headline figure."""
        for work in self.suite["workloads"]:
            bars = self.bars(self.whiskers(work, TIMED, work["rate"]))
            if bars:
                yield Panel(work["title"], self.unit(work), bars, False)

    def latencies(self):
        """Panels of latency."""
        for work in self.suite["workloads"]:
            bars = self.bars(self.percentiles(work))
            if bars:
                yield Panel(work["title"], "microseconds", bars, True)

    def counts(self):
        """(panels, columns), a row of panels for each workload: what a unit costs, by the
        counting boot where there was one."""
        panels = []
        counted = any(place[0] == self.name and place[3] == COUNTED
                      for place in self.results.places)
        mode = COUNTED if counted else TIMED
        for work in self.suite["workloads"]:
            row = []
            # Time is instructions only there.
            for key, title in COUNTS if counted else COUNTS[1:]:
                bars = self.bars(self.whiskers(work, mode, key))
                some = bars and any(bar[4] for bar in bars)
                row.append(Panel(f"{work['name']}: {title} ({mode})", f"per {work['unit']}",
                                 bars, False) if some else None)
            if any(row):
                panels += row
        return panels, len(COUNTS) if counted else len(COUNTS) - 1


def draw(data, directory):
    """All charts; yields (suite, reason) for those that could not be made."""
    folder = f"{directory}/charts"
    os.makedirs(folder, exist_ok=True)
    for old in os.listdir(folder):
        os.unlink(f"{folder}/{old}")
    for name, suite in data["suites"].items():
        charts = Charts(data, name)
        for kind, title, panels, columns in (
                ("rate", "rate; whiskers: slowest and fastest turn", charts.rates(), COLUMNS),
                ("latency", "latency; dot p50, triangle p99, cross p99.9", charts.latencies(),
                 COLUMNS),
                ("counts", "cost of a unit", *charts.counts())):
            found = list(panels)
            if found:
                reason = plot(f"{folder}/{name}-{kind}", f"{suite['title']}: {title}", found,
                              columns)
                if reason:
                    yield name, f"{kind}: {reason}"
