#!/usr/bin/python3
"""bench_chain.py PROGRAMS [options]: what chains cost, and the pool that runs them.

Each row compares two ways of doing the same work, in turn; each round does every row once, and a
row's ratio is the median over the rounds. Of camring all processes count, or those that are named.
The clips are made here: 1080p30, H.264 without B pictures, with some grain."""
import argparse
import json
import os
import pathlib
import statistics
import sys

from chain_rows import ROWS, Run
from programs import scratch


def ratio(ours, other):
    """How many times as much."""
    return ours / other


def difference(ours, other):
    """How much more."""
    return ours - other


# row, figure: what it is, its unit, how the two are compared, what is wanted
TARGETS = {
    ("pool", "rate"): (
        "the pool alone, 8 cameras: 2 workers / 1",
        "pictures/s",
        ratio,
        (">=", 1.9),
    ),
    ("chain", "cpu"): (
        "CPU: decode, scale, text, JPEG / bare loop",
        "ms/picture",
        ratio,
        ("<=", 1.08),
    ),
    ("mask", "cpu"): (
        "encoders' CPU: mask, gray, crop, text, JPEG / JPEG",
        "ms/picture",
        ratio,
        ("<=", 1.10),
    ),
    ("external", "p50"): (
        "latency p50: external step - none, its copy aside",
        "ms",
        difference,
        ("<=", 1.0),
    ),
    ("profiles", "cpu"): (
        "CPU: five profiles / five scales and JPEGs",
        "ms/picture",
        ratio,
        ("<=", 1.05),
    ),
    ("gstreamer", "p50"): (
        "latency p50: camringsrc ! camringsink / shm's",
        "ms",
        ratio,
        ("<=", 0.5),
    ),
    ("gstreamer", "cpu"): (
        "CPU: camringsrc ! camringsink / shm's",
        "ms/picture",
        ratio,
        ("<=", 0.5),
    ),
    ("program", "cpu"): (
        "CPU, 1 viewer: external NumPy step / OpenCV program",
        "ms/picture",
        ratio,
        ("<=", 0.5),
    ),
    ("program20", "cpu"): (
        "CPU, 20 viewers: the same; it makes a JPEG for each",
        "ms/picture",
        ratio,
        ("<=", 0.2),
    ),
}


def measure_all(run):
    """{row: [(figures of ours, of the other) a round]}"""
    found = {name: [] for name in run.options.rows}
    for number in range(run.options.rounds):
        for name in run.options.rows:
            functions = ROWS[name]
            # Each comes first in turn.
            order = (0, 1) if number % 2 == 0 else (1, 0)
            values = {which: functions[which](run) for which in order}
            found[name].append((values[0], values[1]))
        print(
            f"round {number + 1} of {run.options.rounds}, load {os.getloadavg()[0]:.1f}",
            file=sys.stderr,
        )
    return found


def judge(found):
    """One entry a target: medians, the compared value with its lowest and highest, the verdict."""
    rows = []
    for (name, figure), (what, unit, compare, (sense, wanted)) in TARGETS.items():
        if name not in found:
            continue
        values = [(ours[figure], other[figure]) for ours, other in found[name]]
        compared = [compare(ours, other) for ours, other in values]
        value = statistics.median(compared)
        rows.append(
            {
                "row": name,
                "figure": figure,
                "what": what,
                "unit": unit,
                "ours": round(statistics.median(ours for ours, _ in values), 3),
                "other": round(statistics.median(other for _, other in values), 3),
                "value": round(value, 3),
                "lowest": round(min(compared), 3),
                "highest": round(max(compared), 3),
                "wanted": f"{sense} {wanted:.2f}",
                "met": value <= wanted if sense == "<=" else value >= wanted,
            }
        )
    return rows


def print_table(rows):
    """For people."""
    line = "{:<52} {:>9} {:>9} {:<10} {:>6} {:>13}  {}"
    print(line.format("", "first", "second", "", "", "spread", "").rstrip())
    for row in rows:
        print(
            line.format(
                row["what"],
                f"{row['ours']:.2f}",
                f"{row['other']:.2f}",
                row["unit"],
                f"{row['value']:.2f}",
                f"{row['lowest']:.2f} to {row['highest']:.2f}",
                f"({row['wanted']} {'met' if row['met'] else 'MISSED'})",
            )
        )


def warn_of_noise(load):
    """Other work on the machine makes the figures doubtful."""
    if load > 0.5:
        print(
            f"bench: the load was {load:.1f} before the bench began: the machine is busy, and"
            " the figures are doubtful",
            file=sys.stderr,
        )


def parse(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("programs", type=pathlib.Path, help="folder of the bench programs")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each figure (default: 1.5)")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    return parser.parse_args(arguments)


def main():
    """Exit code 2 if something did not work; a mark that is missed is no failure."""
    options = parse(sys.argv[1:])
    options.programs = options.programs.resolve()
    load = os.getloadavg()[0]
    with scratch() as (folder, log):
        rows = judge(measure_all(Run(options, folder, log)))
    if options.json:
        json.dump(
            {"rounds": options.rounds, "seconds": options.seconds, "load": load, "rows": rows},
            sys.stdout,
            indent=1,
        )
        print()
    else:
        print_table(rows)
    warn_of_noise(load)


if __name__ == "__main__":
    main()
