# SPDX-License-Identifier: GPL-2.0
"""fio.py - one measurement by fio, in a guest or on the host: command and figures."""

from host import Failure

# What all measurements have in common, kept in a variable of the guest's shell.
# Latency is from submission on: the doorbell's exit is part of it.
COMMON = ("--ioengine=io_uring --direct=1 --thread --time_based --norandommap --randseed=7"
          " --group_reporting --percentile_list=50:99:99.9"
          " --clat_percentiles=0 --lat_percentiles=1 --disk_util=0 --eta=never --name=m"
          " --output=fio.json --output-format=json")
PERCENTILES = {"50.000000": "p50_us", "99.000000": "p99_us", "99.900000": "p999_us"}


def prepare(cut):
    """To be run once before command(); cut: where "fio-cut" is."""
    return f"FIO='{COMMON}' CUT={cut}"


def command(load, path, disk, times, cpus):
    """Measure a load on a device or file, with what its disk has done before and after.
    times: how many seconds count, and how many before them do not. cpus: where it runs."""
    seconds, ramp = times
    words = [f"--filename={path}", f"--rw={load.rw}", f"--bs={load.bs}",
             f"--iodepth={load.depth}", f"--runtime={int(seconds * 1000)}ms",
             f"--ramp_time={int(ramp * 1000)}ms", load.extra,
             f"--unified_rw_reporting={int(not load.syncs)}"]
    if load.cpus > 1:
        words.append(f"--numjobs={load.cpus} --cpus_allowed=0-{min(load.cpus, cpus) - 1}"
                     " --cpus_allowed_policy=split")
    count = f"echo KVHOST-STAT $(cat /sys/block/{disk}/stat)"
    # What fio has to say of its options stands before the first brace.
    return (f"{count}; if fio $FIO {' '.join(words).strip()}; then {count};"
            " sed -n '/^{/,$p' fio.json | awk -f $CUT; else cat fio.json; false; fi")


def figures(lines, load):
    """The figures in the output of a command."""
    found, stats, irqs = {}, [], []
    for line in lines:
        words = line.split()
        if words[:1] == ["KVHOST-FIO"]:
            found[words[1]] = float(words[2])
        elif words[:1] == ["KVHOST-STAT"]:
            stats.append(int(words[1]) + int(words[5]))
        elif words[:1] == ["KVHOST-IRQS"]:
            irqs.append(int(words[1]))
    # Who asks for a flush waits for it; the write alone says nothing.
    side, wait = ("write", "sync") if load.syncs else ("mixed", "mixed")
    if found.get(".error", 1) or not found.get(f"{side}.total_ios", 0) or len(stats) != 2:
        raise Failure(f"fio did no I/O: {' / '.join(lines[-4:])}")
    value = {"iops": found[f"{side}.iops"], "bytes_per_s": found[f"{side}.bw_bytes"]}
    for percentile, key in PERCENTILES.items():
        value[key] = found[f"{wait}.{percentile}"] / 1000
    if len(irqs) == 2:
        value["interrupts_per_unit"] = (irqs[1] - irqs[0]) / max(1, stats[1] - stats[0])
    return value
