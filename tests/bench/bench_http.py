#!/usr/bin/python3
"""bench_http.py PROGRAMS [options]: pushes the same pictures through several MJPEG servers, in
turn, and compares.

720p30, 58 KB a picture, encoded once before the bench, so nothing but the pushing is measured:
camring gets them from an HTTP camera (and passes them through), ustreamer from a V4L2 camera, which
a preloaded library plays, and "bare" is one loop of epoll and writev, below which no server can be.
In each picture stands when it was published, and the load client, a process of its own beside the
server, says what arrived when. Each round runs every server once; figures are medians over the
rounds, and ratios are of two figures of one round each."""
import argparse
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time

from programs import Failure, Program, scratch, verdict

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from product import Camring, free_port, wait_for  # noqa: E402 pylint: disable=wrong-import-position

FPS = 30
BYTES = 58000
SIZE = "1280x720"
FEW, MANY = 10, 110
CROWDS = (700, 1000)
SYSTEMS = ("camring", "ustreamer", "bare")

# figure, whose ratio to it (None: the figure itself): at most so much
TARGETS = (
    ("cpu", "ustreamer", 1.0),
    ("cpu", "bare", 1.15),
    ("missed_700", None, 5.0),
    ("p50_700", None, 60.0),
    ("missed_1000", None, 5.0),
    ("p50_1000", None, 150.0),
    ("pss", None, 20.0),
    ("commit_p99", None, 3.0),
)

FIGURES = {
    "cpu": f"CPU per extra client ({FEW} -> {MANY}), ms/s",
    "p50_10": "10 clients: age p50, ms",
    "p99_10": "10 clients: age p99, ms",
    "commit_p99": "10 clients: commit to last byte p99, ms",
    "p50_110": "110 clients: age p50, ms",
    "p99_110": "110 clients: age p99, ms",
    "missed_700": "700 clients: pictures the worst one missed, %",
    "p50_700": "700 clients: age p50, ms",
    "p99_700": "700 clients: age p99, ms",
    "missed_1000": "1000 clients: pictures the worst one missed, %",
    "p50_1000": "1000 clients: age p50, ms",
    "p99_1000": "1000 clients: age p99, ms",
    "pss": f"PSS per client ({FEW} -> 1000), KB",
}


class Bare:
    """The loop; also camring's camera."""

    path = "/"

    def __init__(self, options, clip, _folder, log):
        self.port = free_port()
        self.program = Program(
            "bare", [options.programs / "bare_http", self.port, clip, BYTES, FPS], log
        )
        self.program.line(10)

    def pids(self):
        """The processes that serve."""
        return [self.program.process.pid]

    def stop(self):
        """Ends it."""
        self.program.stop()


class Ustreamer:
    """Debian's, with the pictures of its camera as they are."""

    path = "/stream"

    def __init__(self, options, clip, _folder, log):
        self.port = free_port()
        camera = {
            "LD_PRELOAD": options.programs / "fake_camera.so",
            "BENCH_CLIP": clip,
            "BENCH_BYTES": BYTES,
            "BENCH_FPS": FPS,
        }
        command = [
            "ustreamer",
            "--device",
            clip,
            "--format",
            "MJPEG",
            "--encoder",
            "HW",
            "--resolution",
            SIZE,
            "--host",
            "127.0.0.1",
            "--port",
            self.port,
            "--tcp-nodelay",
        ]
        self.program = Program(
            "ustreamer", command, log, env={**os.environ, **{k: str(v) for k, v in camera.items()}}
        )
        try:
            wait_for(self.listens, 10, "ustreamer")
        except AssertionError as wrong:
            self.stop()
            raise Failure(wrong) from wrong

    def listens(self):
        """It doesn't say so itself."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def pids(self):
        """The processes that serve."""
        return [self.program.process.pid]

    def stop(self):
        """Ends it."""
        self.program.stop()


class Ours:
    """camring with an HTTP camera whose pictures are passed through."""

    path = "/cameras/bench/stream.mjpeg"

    def __init__(self, options, clip, folder, log):
        self.camera = Bare(options, clip, folder, log)
        source = f"http://127.0.0.1:{self.camera.port}/"
        self.camring = Camring(folder, {"bench": source}, http={"max_clients": 2 * max(CROWDS)})
        self.port = self.camring.port
        try:
            self.camring.run().wait_live("bench")
        except BaseException as wrong:
            self.camring.kill_all()
            self.camera.stop()
            if isinstance(wrong, AssertionError):
                raise Failure(f"camring: {wrong}") from wrong
            raise

    def pids(self):
        """The processes that serve."""
        return [child.pid for child in self.camring.children("server")]

    def stop(self):
        """Ends it and its camera."""
        try:
            self.camring.stop()
        finally:
            self.camring.forget_log()
            self.camera.stop()


KINDS = {"camring": Ours, "ustreamer": Ustreamer, "bare": Bare}


def cpu_seconds(pids):
    """So much the processes have used, with all their threads."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def pss_kb(pids):
    """Their share of memory."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total


def load(options, server, log, clients, query=""):
    """What so many clients got, with the CPU time a second, in ms, and the memory of the server
    meanwhile."""
    settle = 1 if clients <= MANY else 2
    program = Program(
        "load client",
        [
            options.programs / "http_load",
            server.port,
            server.path + query,
            clients,
            settle,
            options.seconds,
        ],
        log,
    )
    try:
        program.line(60)
        pids = server.pids()
        begin, cpu = time.monotonic(), cpu_seconds(pids)
        program.line(options.seconds + 10)
        cpu, seconds = cpu_seconds(pids) - cpu, time.monotonic() - begin
        pss = pss_kb(pids)
        found = json.loads(program.line(20))
        program.finish()
    finally:
        program.stop()
    return {**found, "cpu_ms": cpu / seconds * 1e3, "pss_kb": pss}


def ages(found):
    """The figures of one load."""
    clients = found["clients"]
    return {
        f"p50_{clients}": found["p50_ms"],
        f"p99_{clients}": found["p99_ms"],
        f"missed_{clients}": 100 * (1 - found["least"]),
    }


def run_once(options, folder, log, system, clip, crowds):
    """One server: {figure: value}"""
    server = KINDS[system](options, clip, folder, log)
    try:
        few = load(options, server, log, FEW)
        many = load(options, server, log, MANY)
        figures = {
            "cpu": (many["cpu_ms"] - few["cpu_ms"]) / (MANY - FEW),
            **ages(few),
            **ages(many),
        }
        if system == "camring":
            figures["commit_p99"] = load(options, server, log, FEW, "?info=1")["commit_p99_ms"]
            if figures["commit_p99"] is None:
                raise Failure("camring: ?info=1 does not tell when a picture was committed")
        for clients in crowds:
            crowd = load(options, server, log, clients)
            figures.update(ages(crowd))
            figures["pss"] = (crowd["pss_kb"] - few["pss_kb"]) / (clients - FEW)
    finally:
        server.stop()
    return figures


def make_clip(path):
    """A second of pictures, in the best quality that leaves room for the padding to BYTES."""
    command = [
        "ffmpeg",
        "-nostdin",
        "-loglevel",
        "error",
        "-y",
        "-f",
        "lavfi",
        "-i",
        f"testsrc2=s={SIZE}:r={FPS}",
        "-frames:v",
        str(FPS),
        "-q:v",
        "6",
        "-f",
        "mjpeg",
        path,
    ]
    if subprocess.run(command, check=False).returncode != 0:
        raise Failure("ffmpeg can't make the pictures")
    return path


def measure(options, folder, log):
    """{system: {figure: [one value a round]}}"""
    clip = make_clip(os.path.join(folder, "clip.mjpeg"))
    found = {system: {} for system in options.systems}
    for number in range(options.rounds):
        for system in options.systems if number % 2 == 0 else reversed(options.systems):
            # A crowd's figures are steady; and what it does to the others is shown, not compared.
            crowds = (
                options.crowds if number == 0 or (system == "camring" and number % 2 == 0) else ()
            )
            for figure, value in run_once(options, folder, log, system, clip, crowds).items():
                found[system].setdefault(figure, []).append(value)
        print(
            f"round {number + 1} of {options.rounds}, load {os.getloadavg()[0]:.1f}",
            file=sys.stderr,
        )
    return found


def judge(found):
    """The targets for which there are figures: [{figure, of, at_most, value, met}]"""
    rows = []
    for figure, other, at_most in TARGETS:
        ours = found.get("camring", {}).get(figure)
        if not ours or (other and figure not in found.get(other, {})):
            continue
        values = [a / b for a, b in zip(ours, found[other][figure])] if other else ours
        value = statistics.median(values)
        rows.append(
            {
                "figure": figure,
                "of": other,
                "at_most": at_most,
                "value": round(value, 3),
                "met": value <= at_most,
            }
        )
    return rows


def print_table(options, found, targets):
    """For people."""
    line = "{:<52}" + " {:>10}" * len(options.systems)
    print(line.format("", *options.systems))
    for figure, text in FIGURES.items():
        if any(figure in found[system] for system in options.systems):
            print(
                line.format(
                    text,
                    *(
                        f"{statistics.median(found[system][figure]):.2f}"
                        if figure in found[system]
                        else ""
                        for system in options.systems
                    ),
                ).rstrip()
            )
    print()
    for target in targets:
        text = FIGURES[target["figure"]]
        if target["of"]:
            text = f"CPU per extra client: camring's / {target['of']}'s"
        print(f"{text:<52} {target['value']:>10.2f}  {verdict(target['at_most'], target['met'])}")


def parse(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("programs", type=pathlib.Path, help="folder of the bench programs")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="measured per load (default: 3)")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--crowds", nargs="*", type=int, choices=CROWDS, default=list(CROWDS))
    return parser.parse_args(arguments)


def main():
    """Exit code 1 if a target is missed, 2 if something did not work."""
    options = parse(sys.argv[1:])
    options.programs = options.programs.resolve()
    with scratch() as (folder, log):
        found = measure(options, folder, log)
    targets = judge(found)
    if options.json:
        json.dump(
            {
                "rounds": options.rounds,
                "seconds": options.seconds,
                "figures": found,
                "targets": targets,
            },
            sys.stdout,
            indent=1,
        )
        print()
    else:
        print_table(options, found, targets)
    return 0 if all(target["met"] for target in targets) else 1


if __name__ == "__main__":
    sys.exit(main())
