#!/usr/bin/python3
"""Walks random configurations on a running instance with `camring reload`, while viewers watch.

One camera, "anchor", is in every configuration, unchanged: no frame of it may be lost between
camera and rings, its capture stays the same process, and its viewer stays connected.  After each
step the cameras are those of the file, nothing is left of those that have gone, and `shm verify`
finds nothing.  At the end shared memory, and each process's descriptors and resident memory, are
what they were after the first steps.  With --kill a process is killed in the middle of each reload:
then frames in the hands of a dead encoder may be lost, as many as processes were killed, and a
capture that was killed is another process.  Where it was the supervisor, another one is started.

Exit code 0: no fault.  The last line has the figures."""
import argparse
import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
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
RSS_SLACK = 12 << 20  # bytes that the largest process of a kind may have grown by
FD_SLACK = 3
SERVERS = 32  # server numbers that may be used; each has an eventfd that is kept for the next one
READERS = 4  # programs at once that look into rings
RESTART = {"burst": 1000000, "max": "500ms"}  # those that are killed are missed no longer
READER = """
import camring, sys
with camring.Ring(sys.argv[1], sys.argv[2]) as ring:
    while True:
        ring.next().release()
"""
CHAINS = [
    [{"filter": "hqdn3d"}],  # keeps state
    [{"flip": "horizontal"}],
    [{"scale": {"width": 100}}, "gray"],
]
BASELINE = {"anchor": ANCHOR, "c0": {"source": SOURCES[0], "chain": CHAINS[0]}}


def check(good, text):
    if not good:
        raise AssertionError(text)


def usage(pid):
    """Descriptors, but for eventfds, and resident bytes of a process."""
    links = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    events = links.count("anon_inode:[eventfd]")
    check(events <= SERVERS + 3, f"process {pid} has {events} eventfds")
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return len(links) - events, pages * os.sysconf("SC_PAGE_SIZE")


def compare(noted, end):
    """Two answers of Walk.size(), as text; AssertionError if there is more at the end."""
    told = [f"shared memory {noted[1] >> 10} -> {end[1] >> 10} kB"]
    for kind, (fds, rss) in end[0].items():
        fds_before, rss_before = noted[0][kind]
        told.append(f"{kind} {fds_before} -> {fds} fds, {rss_before >> 10} -> {rss >> 10} kB")
    told = "; ".join(told)
    for kind, (fds, rss) in end[0].items():
        check(fds - noted[0][kind][0] <= FD_SLACK, f"{kind}'s descriptors: {told}")
        check(rss - noted[0][kind][1] <= RSS_SLACK, f"{kind}'s resident memory: {told}")
    check(abs(end[1] - noted[1]) <= noted[1] // 4, f"shared memory: {told}")
    return told


class Walk:
    def __init__(self, camring, chance, kill):
        self.camring, self.chance, self.kill = camring, chance, kill
        self.kills = self.supervisors = 0
        self.victim = None  # who was killed last
        self.slowest = 0.0
        self.readers = []

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
            if chance.random() < 0.5:
                camera = cameras[name]
                camera = camera if isinstance(camera, dict) else {"source": camera}
                cameras[name] = {**camera, "chain": chance.choice(CHAINS)}
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
        self.victim = self.chance.choice([*self.camring.children(), self.camring.supervisor])
        self.victim.kill()
        self.kills += 1

    def reload(self, cameras, options):
        self.camring.write_config(cameras, restart=RESTART, **options)
        killer = threading.Thread(target=self.kill_one) if self.kill else None
        began = time.monotonic()
        if killer:
            killer.start()
        done = self.camring.cli("reload", "--json", limit=90)
        self.slowest = max(self.slowest, time.monotonic() - began)
        if killer:
            killer.join()
        if self.kill and "crashes libavfilter (Killed)" in done.stdout:
            # that was the process that tried the chains
            done = self.camring.cli("reload", "--json", limit=90)
        if self.victim is not self.camring.supervisor:
            check(done.returncode == 0, f"reload: {done}")
        else:
            self.start_again()

    def start_again(self):
        """After the supervisor was killed: its children end by themselves, and the next one finds
        what was left."""
        self.camring.wait_exit()
        product.wait_for(
            lambda: not any(p.alive() for p in self.camring.seen.values()), 60, "the children's end"
        )
        self.camring.run()
        self.supervisors += 1

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
        """By kind of process, the largest number of descriptors and of resident bytes that a
        process of it has; and the bytes of the instance's shared memory."""
        found = {"supervisor": usage(self.camring.supervisor.pid)}
        for process in self.status()["processes"]:
            kind, numbers = process["name"].split()[0], usage(process["pid"])
            found[kind] = tuple(map(max, numbers, found.get(kind, numbers)))
        shm = sum(os.stat(f"/dev/shm/{n}").st_blocks * 512 for n in self.camring.shm())
        return found, shm

    def at_baseline(self):
        for reader in self.readers:
            reader.kill()
            reader.wait()
        self.readers.clear()
        # first without it: a camera that is changed keeps what its rings have grown to
        self.reload({"anchor": ANCHOR}, {"http": {"workers": 1}, "encoder": {"workers": 2}})
        self.reload(BASELINE, {"http": {"workers": 1}, "encoder": {"workers": 2}})
        self.see_pictures(BASELINE)
        product.wait_for(self.is_at_rest, 60, "two captures, two encoders and one server")
        return self.size()

    def is_at_rest(self):
        """Servers that drained have ended, and what was killed runs again."""
        pids = [p["pid"] for p in self.status()["processes"]]
        return len(pids) == 5 and all(pids)

    def look_into_rings(self, cameras):
        """A program more that pins a camera's raw frames, or its chain's, until it ends or its
        camera has gone."""
        while len(self.readers) >= READERS or any(r.poll() is not None for r in self.readers):
            reader = self.readers.pop(0)
            reader.kill()
            reader.wait()
        name = self.chance.choice(list(cameras))
        ring = f"{name}.out" if "chain" in cameras[name] else f"{name}.raw"
        self.readers.append(
            subprocess.Popen(
                ["/usr/bin/python3", "-B", "-c", READER, ring, self.camring.instance],
                env={
                    **os.environ,
                    "CAMRING_LIBRARY": str(product.BIN.parent / "lib/libcamring.so.1"),
                    "PYTHONPATH": str(ROOT / "common/python"),
                },
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

    def see_pictures(self, cameras):
        for name in cameras:
            self.camring.wait_live(name, limit=60)
            product.wait_for(
                lambda: self.camring.get(f"/cameras/{name}/snapshot.jpg")[0] == 200, 60, name
            )

    def walk(self, steps, before):
        """With viewers, whom no reload may cut off."""
        with Stream(self.camring.port, "/cameras/anchor/stream.mjpeg").wait_parts(1) as one, Stream(
            self.camring.port, "/live?width=80"
        ) as all_cameras:
            for _ in range(steps):
                cameras, options = self.random_configuration()
                self.reload(cameras, options)
                self.check_step(cameras, before)
                if self.chance.random() < 0.3:
                    self.look_into_rings(cameras)
                if self.chance.random() < 0.2:
                    self.see_pictures(cameras)
            for stream in (one, all_cameras) if not self.kill else ():
                stream.wait_parts(len(stream.parts) + 3)

    def run(self, steps):
        before = self.anchor(self.status())
        first = min(WARM_UP, steps)
        self.walk(first, before)
        noted = self.at_baseline()
        self.walk(steps - first, before)
        end = self.at_baseline()
        return (
            f"{steps} configurations, {self.kills} processes killed, supervisors "
            f"{self.supervisors} of them, slowest reload {self.slowest:.1f} s; "
            + compare(noted, end)
        )


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--steps", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments.add_argument("--kill", action="store_true")
    given = arguments.parse_args()
    print(f"seed {given.seed}", flush=True)
    options = {
        "restart": RESTART,
        "http": {"workers": 1},
        "encoder": {"workers": 2},
    }
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
