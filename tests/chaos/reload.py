#!/usr/bin/python3
"""Walks random configurations on a running instance with `camring reload`, while viewers watch.

One camera, "anchor", is in every configuration, unchanged: no frame of it may be lost between
camera and rings, its capture stays the same process, and its viewer stays connected.  After each
step the cameras are those of the file, nothing is left of those that have gone, and `shm verify`
finds nothing.  At the end descriptors, shared memory and resident memory are what they were after
the first steps.  With --kill a child process is killed in the middle of each reload: then frames in
the hands of a dead encoder may be lost, as many as processes were killed, and a capture that was
killed is another process.

Exit code 0: no fault.  The last line has the figures."""
import argparse
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "integration"))
import product  # noqa: E402  (CAMRING_BUILD says which build)
from multipart import Stream  # noqa: E402

IDS = [f"c{i}" for i in range(6)]
ANCHOR = "test:?size=160x120&fps=20"
SOURCES = ["test:?size=160x120&fps=10", "test:?size=320x240&fps=5", "test:?size=176x144&fps=15"]
WARM_UP = 5  # steps before memory and descriptors are noted
RSS_SLACK = 12 << 20  # bytes that a process may have grown by
BASELINE = {"anchor": ANCHOR, "c0": SOURCES[0]}


def check(good, text):
    if not good:
        raise AssertionError(text)


class Walk:
    def __init__(self, camring, chance, kill):
        self.camring, self.chance, self.kill = camring, chance, kill
        self.kills = self.steps = 0
        self.slowest = 0.0

    def status(self):
        return json.loads(self.camring.cli("status", "--json", limit=60).stdout)

    def anchor(self, status):
        camera = next(c for c in status["cameras"] if c["id"] == "anchor")
        process = next(p for p in status["processes"] if p["name"] == "capture anchor")
        return camera, process["pid"]

    def random_configuration(self):
        chance = self.chance
        cameras = {i: chance.choice(SOURCES) for i in IDS if chance.random() < 0.5}
        for name in list(cameras):
            if chance.random() < 0.3:
                cameras[name] = {
                    "source": cameras[name],
                    "jpeg": {"quality": chance.choice([40, 70])},
                }
        order = [*cameras.items(), ("anchor", ANCHOR)]
        chance.shuffle(order)
        options = {
            "http": {"workers": chance.choice([1, 2])},
            "encoder": {"workers": chance.choice([1, 2, 3])},
            "max_connecting": chance.choice([2, 8]),
        }
        if chance.random() < 0.1:
            options["http"]["max_clients"] = chance.choice([500, 1000])
        return dict(order), options

    def kill_one(self):
        time.sleep(self.chance.random() * 0.3)
        children = self.camring.children()
        if children:
            self.chance.choice(children).kill()
            self.kills += 1

    def reload(self, cameras, options):
        self.camring.write_config(cameras, **options)
        killer = threading.Thread(target=self.kill_one) if self.kill else None
        began = time.monotonic()
        if killer:
            killer.start()
        done = self.camring.cli("reload", "--json", limit=90)
        self.slowest = max(self.slowest, time.monotonic() - began)
        if killer:
            killer.join()
        check(done.returncode == 0, f"reload: {done}")

    def check_step(self, cameras, before):
        camring = self.camring
        status = self.status()
        check([c["id"] for c in status["cameras"]] == list(cameras), "other cameras than asked for")
        rings = {name.split(".")[2] for name in camring.shm() if name.count(".") > 1}
        check(rings == set(cameras), f"rings of {rings}, cameras {set(cameras)}")
        done = camring.cli("shm", "verify", limit=90)
        check(done.returncode == 0, f"shm verify: {done}")
        camera, pid = self.anchor(status)
        if not self.kill:
            check(pid == before[1], "the unchanged camera has another capture")
            check(camera["packets"] - camera["captured"] in (0, 1), f"lost frames: {camera}")
        check(camera["no_slot"] == 0 and camera["corrupt"] == 0, f"lost frames: {camera}")
        check(camera["aborted"] <= self.kills, f"lost frames: {camera}")

    def size(self):
        """Descriptors and resident bytes of the supervisor, and the instance's shared memory."""
        pid = self.camring.supervisor.pid
        fds = len(os.listdir(f"/proc/{pid}/fd"))
        pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
        shm = sum(os.stat(f"/dev/shm/{n}").st_blocks * 512 for n in self.camring.shm())
        return fds, pages * os.sysconf("SC_PAGE_SIZE"), shm

    def at_baseline(self):
        # first without it: a camera that is changed keeps what its rings have grown to
        self.reload({"anchor": ANCHOR}, {"http": {"workers": 1}, "encoder": {"workers": 2}})
        self.reload(BASELINE, {"http": {"workers": 1}, "encoder": {"workers": 2}})
        self.camring.wait_live("anchor", "c0", limit=60)
        deadline = time.monotonic() + 20  # until drained servers have ended
        while len(self.camring.children()) > 6 and time.monotonic() < deadline:
            time.sleep(0.2)
        return self.size()

    def run(self, steps):
        before = self.anchor(self.status())
        stream = Stream(self.camring.port, "/cameras/anchor/stream.mjpeg").wait_parts(1)
        noted = None
        while self.steps < steps:
            cameras, options = self.random_configuration()
            self.reload(cameras, options)
            self.check_step(cameras, before)
            self.steps += 1
            if self.steps == min(WARM_UP, steps):
                noted = self.at_baseline()
        if not self.kill:
            count = len(stream.parts)
            stream.wait_parts(count + 3)
        end = self.at_baseline()
        stream.close()
        fds, rss, shm = (after - first for after, first in zip(end, noted))
        check(abs(fds) <= 3, f"descriptors: {noted[0]}, then {end[0]}")
        check(rss <= RSS_SLACK, f"resident memory: {noted[1]}, then {end[1]}")
        check(abs(shm) <= noted[2] // 4, f"shared memory: {noted[2]}, then {end[2]}")
        return (
            f"{steps} configurations, {self.kills} processes killed, slowest reload "
            f"{self.slowest:.1f} s; supervisor's descriptors {noted[0]} -> {end[0]}, resident "
            f"{noted[1] >> 10} -> {end[1] >> 10} kB; shared memory {noted[2] >> 10} -> "
            f"{end[2] >> 10} kB"
        )


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--steps", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments.add_argument("--kill", action="store_true")
    given = arguments.parse_args()
    print(f"seed {given.seed}", flush=True)
    options = {"restart": {"burst": 1000000}, "http": {"workers": 1}, "encoder": {"workers": 2}}
    with tempfile.TemporaryDirectory() as folder:
        camring = product.Camring(folder, BASELINE, **options)
        camring.run()
        try:
            camring.wait_live("anchor", limit=60)
            print(Walk(camring, random.Random(given.seed), given.kill).run(given.steps))
            camring.stop()
        except BaseException:
            print(camring.log()[-4000:])
            camring.kill_all()
            raise
        finally:
            camring.forget_log()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
