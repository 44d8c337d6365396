#!/usr/bin/python3
"""bench.py PROGRAMS [options]: hands frames from one process to others through several systems, in
turn, and compares.

Each round runs every system once with each size and number of readers, so that whatever else the
machine does hits all alike; the figures are medians over the rounds, and only their ratios mean
something on another machine. Latency is from "the frame is full" to "a reader has it and has read
its first and last bytes"; CPU time is that of writer and readers together, per message, and that of
filling the message stands beside it: it is the same memset for all, but quicker in memory that is
still in the caches."""

import argparse
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time

from programs import Failure, Program, scratch, verdict

SYSTEMS = ("camring", "futex", "iceoryx", "gstreamer", "zeromq")
SIZES = {"3.1 MB": 1920 * 1080 * 3 // 2, "200 KB": 200 * 1000}
READERS = (1, 4)
WARMUP = 30

# figure, the other system, number of readers: at most so much of the other's
TARGETS = {
    ("p50", "iceoryx", 1): 0.8,
    ("cpu", "iceoryx", 1): 0.8,
    ("p50", "iceoryx", 4): 1.0,
    ("cpu", "iceoryx", 4): 1.0,
    ("p50", "gstreamer", 1): 0.25,
    ("p50", "gstreamer", 4): 0.25,
    ("p50", "futex", 1): 1.15,
}

ROUDI_CONFIG = """[general]
version = 1
[[segment]]
[[segment.mempool]]
size = 262144
count = 16
[[segment.mempool]]
size = 3145728
count = 16
"""


def peer(options, system, role, arguments, log):
    """A writer or reader."""
    return Program(
        f"{system} {role}",
        [os.path.join(options.programs, f"bench_{system}"), role, *arguments],
        log,
    )


class Roudi:
    """iceoryx's daemon, a fresh one for each run: it remembers programs that were killed."""

    MADE = (
        "/dev/shm/iceoryx_mgmt",
        "/dev/shm/root",
        "/tmp/roudi",
        "/tmp/iox-unique-roudi.lock",
        "/tmp/roudi.lock",
    )

    def __init__(self, folder, log):
        if any(os.path.exists(path) for path in self.MADE[:1] + self.MADE[2:4]):
            raise Failure(
                "an iceoryx RouDi runs already, or was killed: its objects are in /dev/shm and /tmp"
            )
        self.before = self.listing()
        config = os.path.join(folder, "roudi.toml")
        with open(config, "w", encoding="ascii") as file:
            file.write(ROUDI_CONFIG)
        self.process = subprocess.Popen(
            ["iox-roudi", "-c", config, "-m", "off"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        ready = b""
        while b"ready for clients" not in ready:
            some, _, _ = select.select([self.process.stdout], [], [], 10)
            more = os.read(self.process.stdout.fileno(), 65536) if some else b""
            if not more:
                self.stop()
                raise Failure("iox-roudi does not start")
            ready += more

    @staticmethod
    def listing():
        """What there is in the places in which it makes its objects."""
        return {
            os.path.join(folder, name)
            for folder in ("/dev/shm", "/tmp")
            for name in os.listdir(folder)
        }

    def stop(self):
        """Ends it and removes what it, or those that were attached to it, forgot."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        name = f"bench{os.getpid()}"
        for path in self.listing() - self.before:
            base = os.path.basename(path)
            if path in self.MADE or base.startswith((name, "iceoryx", "iox-", "roudi")):
                try:
                    os.unlink(path)
                except OSError:
                    pass


def run_once(options, folder, log, system, size, readers):
    """One system, one size, one number of readers: latency and CPU time per message, in
    microseconds."""
    name = f"bench{os.getpid()}"
    place = tempfile.mkdtemp(dir=folder)
    arguments = [place, name, size, readers, options.messages, WARMUP, options.rate]
    seconds = 15 + 2 * (options.messages + WARMUP) / options.rate
    peers, roudi = [], None
    try:
        if system == "iceoryx":
            roudi = Roudi(place, log)
        peers.append(peer(options, system, "writer", arguments, log))
        peers[0].line(15)
        for _ in range(readers):
            peers.append(peer(options, system, "reader", arguments, log))
        for reader in peers[1:]:
            reader.line(15)
        time.sleep(0.1)  # ZeroMQ's subscriptions are on their way
        peers[0].tell()
        found = [json.loads(reader.line(seconds)) for reader in peers[1:]]
        writer = json.loads(peers[0].line(seconds))
        peers[0].tell()
        for each in peers:
            each.finish()
    finally:
        for each in peers:
            each.stop()
        if roudi:
            roudi.stop()
    wrong, got = sum(f["wrong"] for f in found), sum(f["got"] for f in found)
    if got < options.messages * readers * 0.5:
        raise Failure(f"{system}: of {options.messages * readers} messages {got} arrived")
    filling = writer["filling_ns"] / options.messages / 1e3
    total = (writer["cpu_ns"] + sum(f["cpu_ns"] for f in found)) / options.messages / 1e3
    return {
        "p50": statistics.median(f["p50_ns"] for f in found) / 1e3,
        "p90": statistics.median(f["p90_ns"] for f in found) / 1e3,
        "cpu": total - filling,
        "filling": filling,
        "missed": options.messages * readers - got,
        "wrong": wrong,
    }


def measure(options, folder, log):
    """{(system, size name, readers): {figure: [one value a round]}}"""
    found = {}
    for number in range(options.rounds):
        for size in options.sizes:
            for readers in options.readers:
                for system in options.systems:
                    once = run_once(options, folder, log, system, SIZES[size], readers)
                    values = found.setdefault((system, size, readers), {})
                    for figure, value in once.items():
                        values.setdefault(figure, []).append(value)
        if not options.json:
            print(
                f"round {number + 1} of {options.rounds}, load {os.getloadavg()[0]:.1f}",
                file=sys.stderr,
            )
    return found


def summarize(options, found):
    """Medians, ratios to camring's and verdicts, one entry per line of the table."""
    rows = []
    for (system, size, readers), values in found.items():
        row = {"system": system, "size": size, "readers": readers, "targets": {}, "ratios": {}}
        for figure in ("p50", "p90", "cpu", "filling"):
            row[figure + "_us"] = round(statistics.median(values[figure]), 1)
        row["missed"], row["wrong"] = sum(values["missed"]), sum(values["wrong"])
        ours = found.get(("camring", size, readers))
        for figure in ("p50", "cpu") if ours else ():
            # Of the two values of one round each, so that a noisy round hits both.
            ratio = statistics.median(a / b for a, b in zip(ours[figure], values[figure]))
            row["ratios"][figure] = round(ratio, 3)
            target = TARGETS.get((figure, system, readers))
            if target:
                row["targets"][figure] = {"at_most": target, "met": ratio <= target}
        rows.append(row)
    order = {name: i for i, name in enumerate(options.systems)}
    rows.sort(
        key=lambda row: (options.sizes.index(row["size"]), row["readers"], order[row["system"]])
    )
    return rows


def print_table(rows):
    """For people."""

    def cell(row, figure):
        ratio, target = row["ratios"].get(figure), row["targets"].get(figure)
        if ratio is None or row["system"] == "camring":
            return ""
        text = f"{ratio:.2f}"
        if target:
            text += " " + verdict(target["at_most"], target["met"])
        return text

    line = "{:<7} {:>7}  {:<10} {:>8} {:>8} {:>8} {:>9}  {:<20} {:<20}"
    print(
        line.format(
            "size",
            "readers",
            "system",
            "p50 us",
            "p90 us",
            "cpu us",
            "fill us",
            "camring's p50 / its",
            "cpu / its",
        )
    )
    last = None
    for row in rows:
        if last and last != (row["size"], row["readers"]):
            print()
        last = (row["size"], row["readers"])
        note = f"  {row['missed']} missed" if row["missed"] else ""
        note += f"  {row['wrong']} OVERWRITTEN" if row["wrong"] else ""
        print(
            (
                line.format(
                    row["size"],
                    row["readers"],
                    row["system"],
                    row["p50_us"],
                    row["p90_us"],
                    row["cpu_us"],
                    row["filling_us"],
                    cell(row, "p50"),
                    cell(row, "cpu"),
                )
                + note
            ).rstrip()
        )


def parse(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("programs", help="folder of the bench programs")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=200, help="per run (default: 200)")
    parser.add_argument("--rate", type=int, default=100, help="messages per second (default: 100)")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--readers", nargs="+", type=int, default=list(READERS))
    return parser.parse_args(arguments)


def main():
    """Exit code 1 if a target is missed, 2 if something did not work."""
    options = parse(sys.argv[1:])
    with scratch() as (folder, log):
        try:
            rows = summarize(options, measure(options, folder, log))
        finally:
            for name in os.listdir("/dev/shm"):
                if name.startswith((f"bench{os.getpid()}", f"camring.bench{os.getpid()}.")):
                    os.unlink(os.path.join("/dev/shm", name))
    if options.json:
        json.dump(
            {
                "rounds": options.rounds,
                "messages": options.messages,
                "rate": options.rate,
                "results": rows,
            },
            sys.stdout,
            indent=1,
        )
        print()
    else:
        print_table(rows)
    return 0 if all(target["met"] for row in rows for target in row["targets"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
