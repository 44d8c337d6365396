#!/usr/bin/python3
"""Chaos: kills and stops the processes of a real instance at random, while watchers look at every
picture that comes out of it.

A fault is: a torn picture, one that changes while it is pinned, a number that does not rise, a
camera without a new picture for STALL seconds, a ring's account that is not what its reader had,
accounts that do not add up, a frame dropped for want of a slot, a broken promise of a ring's
layout, anything left behind at the end. Exit code 0: no fault, and as many kills as asked for; 1:
not so.

With --expect-fault the instance is one that breaks the protocol on purpose, and all is well if a
torn picture is found in time."""
import argparse
import collections
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

TOOLS = ROOT / os.environ.get("CHAOS_TOOLS", "build/chaos")
STALL = 15  # seconds; generous, for busy machines
# Seconds in which the instance must come to rest once nothing is captured; a capture may be stopped
# for ten.
REST = 9

# id: (width, height, frames a second)
CAMERAS = {
    "plain": (320, 240, 30),
    "wide": (1280, 720, 15),
    "quick": (160, 120, 100),
    "odd": (322, 242, 25),
    "mixed": (256, 192, 20),
    "shared": (240, 176, 25),
}
# One with a chain, which keeps state and gives each picture as it came.
CHAINED = "mixed"
CHAIN = [{"filter": "hflip,hflip,tmix=frames=1"}]
# One with a program in its chain, which gives each picture back as it came, and is slow at times.
STEPPED = "shared"
STEP = "detector"
STEP_CHAIN = [{"external": {"name": STEP, "timeout": "400ms"}}, {"filter": "hflip,hflip"}]
STEP_HOLD = 600  # ms
# The cameras with a ring "out", which their readers read.
WITH_OUT = (CHAINED, STEPPED)
# A camera whose JPEGs are passed through: camring's own stream of another.
ECHO = "echo"
ECHO_OF = "plain"
# What becomes of captured frames that are not encoded.
DROPPED = ("late", "oversize", "aborted", "encode_failed", "chain_failed", "chain_dropped")
# Watched in another quality, too.
VARIED = ("quick", "odd", ECHO)


class Fault(Exception):
    pass


def signal_exactly(process, number):
    """Signals a process known by pid and start time, and no other that has got its pid since.
    False: it is gone."""
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if not process.alive():
            return False
        signal.pidfd_send_signal(fd, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)


def is_stopped(process):
    try:
        return (
            pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
            == "T"
        )
    except (FileNotFoundError, ProcessLookupError):
        return False


class Watcher:
    """A watcher process (watch.h) and the newest of what it said."""

    def __init__(self, how, where, camera, size, *more):
        self.label = " ".join([how, camera, *(str(word) for word in more if "=" in str(word))])
        self.how = how
        self.frames = self.gap = self.restarts = 0
        self.fault = None
        self.ending = False
        command = [
            str(TOOLS / "watch"),
            how,
            str(where),
            camera,
            *map(str, size),
            str(STALL),
            *map(str, more),
        ]
        self._popen = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        self.process = product.Process(self._popen.pid)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        for line in self._popen.stdout:
            words = line.split()
            if words[0] == "frames" and len(words) == 6:
                self.frames, self.gap, self.restarts = int(words[1]), int(words[3]), int(words[5])
            elif words[0] == "FAULT":
                self.fault = f"{self.label}: {line[6:].strip()}"

    def check(self):
        """Raises the fault it has found, or that it has died of itself."""
        code = self._popen.poll()
        if code is not None and not self.ending:
            self._thread.join(5)
            raise Fault(self.fault or f"{self.label}: the watcher ended with {code}")

    def kill(self):
        """True if it lived until now."""
        if self.ending:
            return False
        self.ending = True
        killed = signal_exactly(self.process, signal.SIGKILL)
        self._popen.wait()
        self._thread.join()
        self._popen.stdout.close()
        return killed


class Chaos:
    def __init__(self, options, folder):
        self.options = options
        self.random = random.Random(options.seed)
        port = product.free_port()
        cameras = {
            name: {"source": f"test:?size={w}x{h}&fps={fps}"}
            for name, (w, h, fps) in CAMERAS.items()
        }
        cameras[CHAINED]["chain"] = CHAIN
        cameras[STEPPED]["chain"] = STEP_CHAIN
        cameras[ECHO_OF][
            "offline"
        ] = "last"  # "no signal" would come out of the other as a picture of its own
        cameras[ECHO] = {
            "source": f"http://127.0.0.1:{port}/cameras/{ECHO_OF}/stream.mjpeg?headers=length",
            "reconnect": {"every": "100ms", "for": "1h"},
        }
        # Restarts are never damped, and wait little where the death came before ready.
        self.camring = product.Camring(
            folder,
            cameras,
            port,
            restart={"burst": 1000000, "window": "1s", "max": "200ms"},
            encoder={"workers": 2},
            http={"workers": 2},
            shm={"reader_rows": 4},
            log={"level": "error"},
        )
        self.kills = collections.Counter()
        self.life_kills = collections.Counter()  # since the supervisor started
        self.lives = 1
        self.stops = 0
        self.caught = 0  # kills with a frame in hand, as far as is known
        self.said = 0  # seconds into the run
        self.off = 0  # the most that an account was off
        self.settled = 0
        self.returned = 0  # pictures of the program's that were used, by the accounts
        self.stopped = []  # (when to continue, process)
        self.watchers = []
        # readers that pin, by camera, and the program, by step: they may be killed
        self.victims = {}
        self.frames_before = 0  # of victims that are gone

    # -- the stage

    def begin(self):
        self.camring.run().wait_live(*CAMERAS, ECHO)
        instance = self.camring.instance
        for name, size in CAMERAS.items():
            self.watchers.append(
                Watcher("http", self.camring.port, name, size, *["repeats"] * (name == ECHO_OF))
            )
            ring = f"{name}.out" if name in WITH_OUT else name
            self.watchers.append(Watcher("pin", instance, ring, size, 300))
            self.watchers.append(Watcher("copy", instance, ring, size))
            self.victims[name] = self.new_victim(name)
        self.victims[STEP] = self.new_victim(STEP)
        self.watchers.append(Watcher("http", self.camring.port, ECHO, CAMERAS[ECHO_OF], "repeats"))
        for name in VARIED:
            size = CAMERAS[ECHO_OF if name == ECHO else name]
            self.watchers.append(
                Watcher("http", self.camring.port, name, size, "repeats", "quality=90")
            )

    def new_victim(self, name):
        """A reader of that camera, or the program of the external step."""
        if name == STEP:
            instance, size = self.camring.instance, CAMERAS[STEPPED]
            return Watcher("program", instance, STEPPED, size, STEP_HOLD, STEP)
        ring = f"{name}.out" if name in WITH_OUT else name
        return Watcher("pin", self.camring.instance, ring, CAMERAS[name], 200)

    def everyone(self):
        return [*self.watchers, *self.victims.values()]

    def end(self):
        """Ends everything; raises if something is left."""
        self.wake_everybody()
        self.check()
        for watcher in self.everyone():
            watcher.kill()
        self.camring.stop()

    def clear_up(self):
        """After whatever has happened nothing is left."""
        self.wake_everybody()
        for watcher in self.everyone():
            watcher.kill()
        with contextlib.suppress(Exception):
            self.camring.stop()
        if self.camring.shm():  # its supervisor is dead; the next one clears
            with contextlib.suppress(Exception):
                self.camring.run(wait=False).stop()
        self.camring.kill_all()
        self.camring.forget_log()

    # -- what is done to it

    def note_kill(self, kind):
        self.kills[kind] += 1
        self.life_kills[kind] += 1

    def kill_child(self, kind):
        children = self.camring.children(kind)
        if kind in ("capture", "encoder") and self.random.random() < 0.3:
            self.catch(children)
        elif children and self.random.random() > 0.1:
            children = [self.random.choice(children)]
        for victim in children:
            if signal_exactly(victim, signal.SIGKILL):
                self.note_kill(kind)

    def catch(self, processes):
        """Stops them when one has a frame in hand, which is seldom."""
        for _ in range(50):
            for process in processes:
                signal_exactly(process, signal.SIGSTOP)
            done = subprocess.run(
                [str(TOOLS / "accounts"), self.camring.instance, "hands"],
                capture_output=True,
                text=True,
            )
            if done.returncode or int(done.stdout):
                self.caught += int(done.stdout or 0) > 0
                return
            for process in processes:
                signal_exactly(process, signal.SIGCONT)
            time.sleep(self.random.uniform(0, 0.005))

    def kill_reader(self, name):
        old = self.victims[name]
        old.check()
        if old.kill():
            self.note_kill("program" if name == STEP else "reader")
        self.frames_before += old.frames
        self.victims[name] = self.new_victim(name)

    def stop_somebody(self):
        candidates = [
            *self.camring.children(),
            *(w.process for w in self.everyone()),
            self.camring.supervisor,
        ]
        seconds = self.random.choice([0.01, 0.1, 0.7]) * self.random.random()
        process = self.random.choice(candidates)
        if process not in [p for _, p in self.stopped] and signal_exactly(process, signal.SIGSTOP):
            self.stopped.append((time.monotonic() + seconds, process))
            self.stops += 1

    def wake(self, now):
        for due, process in list(self.stopped):
            if due <= now:
                signal_exactly(process, signal.SIGCONT)
                self.stopped.remove((due, process))

    def wake_everybody(self):
        self.wake(float("inf"))

    def kill_supervisor(self):
        """Then another is started, which sometimes is killed while it starts."""
        self.settle()
        self.note_kill("supervisor")
        while True:
            signal_exactly(self.camring.supervisor, signal.SIGKILL)
            self.camring.wait_exit()
            self.stopped.clear()
            self.life_kills.clear()
            self.lives += 1
            before = list(self.camring.seen.values())
            self.camring.run(wait=False)
            if self.random.random() > 0.3:
                break
            time.sleep(self.random.uniform(0, 0.2))
            self.camring.children()
            self.note_kill("supervisor")
        self.camring.wait_listening()
        alive = [p for p in before if p.alive()]
        if alive:
            raise Fault(f"outlived their supervisor and its successor's start: {alive}")

    def act(self):
        kind = self.random.choices(
            ["capture", "encoder", "server", "reader", "program"], [36, 30, 8, 18, 8]
        )[0]
        if kind == "program":
            self.kill_reader(STEP)
        elif kind == "reader":
            self.kill_reader(self.random.choice(list(CAMERAS)))
        else:
            self.kill_child(kind)

    # -- what must hold

    def accounts(self):
        done = subprocess.run(
            [str(TOOLS / "accounts"), self.camring.instance],
            capture_output=True,
            text=True,
            timeout=20,
        )
        if done.returncode:
            raise Fault(f"accounts: exit code {done.returncode} {done.stderr.strip()}")
        return json.loads(done.stdout)

    def settle(self):
        """Brings the instance to rest by stopping its captures, and adds up what it has counted."""
        self.wake_everybody()
        deadline = time.monotonic() + REST
        while True:
            captures = self.stop_captures(deadline)
            found = self.rest(deadline)
            if found or time.monotonic() > deadline:
                break
            # One was stopped between a frame and its bell: that frame waits with it.
            for capture in captures:
                signal_exactly(capture, signal.SIGCONT)
        try:
            if not found:
                raise Fault(f"no rest: {self.accounts()}")
            for camera in found:
                self.balance(camera)
            self.settled += 1
        finally:
            for capture in captures:
                signal_exactly(capture, signal.SIGCONT)

    def stop_captures(self, deadline):
        """All of them, those too that are just being started again."""
        while True:
            captures = self.camring.children("capture")
            for capture in captures:
                signal_exactly(capture, signal.SIGSTOP)
            # Those that stand still, under their own names: between fork and exec a process is none
            # of them yet.
            still = [p for p in self.camring.children("capture") if is_stopped(p)]
            if len(still) == len(CAMERAS) + 1 and {p.pid for p in still} == {
                p.pid for p in captures
            }:
                return still
            if time.monotonic() > deadline:
                raise Fault(f"captures: {captures} for {len(CAMERAS) + 1} cameras")
            time.sleep(0.01)

    def rest(self, deadline):
        """The accounts once no frame is on its way; None if one stays."""
        patience = min(deadline, time.monotonic() + 1)
        while time.monotonic() < patience:
            found = self.accounts()
            if all(
                (c["lease"] == -1 or c["id"] == ECHO)
                and c["finished"] == c["taken"] == c["raw"]["head"]
                and c["variants"]["lease"] == -1
                for c in found
            ):
                return found
            time.sleep(0.02)
        return None

    def balance(self, camera):
        """Captured = encoded + dropped; for each row published = taken + missed; off by at most one
        frame a kill."""
        raw, jpeg, kills = camera["raw"], camera["jpeg"], self.life_kills
        dropped = sum(camera[cause] for cause in DROPPED)
        encoder, variants = raw["rows"][0], camera["variants"]
        off = {
            "dropped for want of a slot": (camera["no_slot"] + raw["no_slot"] + jpeg["no_slot"], 0),
            "encoding failed": (camera["encode_failed"] + camera["oversize"], 0),
            "raw slots left half-written": (
                max(0, raw["half"] - 1),
                0,
            ),  # a capture may have been stopped with one in hand
            "JPEG slots left half-written": (max(0, jpeg["half"] - (camera["id"] == ECHO)), 0),
            "variants' slots left half-written": (variants["half"], 0),
            f"broken: {camera['broken']}": (len(camera["broken"]), 0),
            "variants taken up and booked": (
                variants["taken"] - variants["encoded"] - variants["failed"],
                0,
            ),
            "variants published and encoded": (
                variants["published"] - variants["encoded"],
                kills["encoder"],
            ),
            "variants failed": (variants["failed"], kills["encoder"]),
        }
        if camera["id"] == ECHO:
            off["JPEGs and captured"] = (jpeg["head"] - camera["captured"], kills["capture"])
        else:
            off["captured and encoded + dropped"] = (
                camera["captured"] - camera["encoded"] - dropped,
                kills.total(),
            )
            off["raw frames and captured"] = (raw["head"] - camera["captured"], kills["capture"])
            off["JPEGs and encoded"] = (jpeg["head"] - camera["encoded"], kills["encoder"])
            off["raw frames and the encoders' row"] = (
                raw["head"] - encoder["taken"] - encoder["missed"],
                kills["encoder"],
            )
            off["aborted"] = (camera["aborted"], kills["encoder"])
        if camera["id"] in WITH_OUT:
            out = camera["out"]
            off["processed and encoded"] = (
                camera["processed"] - camera["encoded"],
                kills["encoder"],
            )
            off["pictures of the chain and processed"] = (
                out["head"] - camera["processed"],
                kills["encoder"],
            )
            off["its slots left half-written"] = (out["half"] + out["no_slot"], 0)
            # A program takes the newest, and is dead or late at times.
            withheld = camera["chain_dropped"] if camera["id"] == CHAINED else 0
            off["failed or withheld by the chain"] = (camera["chain_failed"] + withheld, 0)
        if camera["id"] == STEPPED:
            step, ring = camera["step"], camera[STEP]
            self.returned += step["returned"]
            off["the program's pictures, taken and booked"] = (
                ring["rows"][0]["taken"] - step["returned"] - step["late"] - step["refused"],
                kills["encoder"],
            )
            off["its slots: too few"] = (ring["no_slot"], 0)
        for ring in (raw, jpeg, camera.get("out", {"rows": []})):
            for row in ring["rows"][1:]:
                off[f"row {row}"] = (
                    row["last"] - row["joined"] - row["taken"] - row["missed"],
                    0 if row["alive"] else 1,
                )
        for what, (difference, allowed) in off.items():
            if abs(difference) > allowed:
                raise Fault(
                    f"{camera['id']}: {what}: off by {difference} after {dict(kills)}: {camera}"
                )
            self.off = max(self.off, abs(difference))

    # -- all of it

    def check(self):
        for watcher in self.everyone():
            watcher.check()
        if self.camring.exited() is not None:
            raise Fault(f"camring run ended with {self.camring.exited()}")

    def wait(self, seconds):
        """Passes the time: continues who has been stopped long enough, looks after the watchers."""
        until = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            self.wake(now)
            self.check()
            if now >= until:
                return
            time.sleep(min(0.02, until - now))

    def progress(self, elapsed, final=False):
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(self.kills.items()))
        line = (
            f"{elapsed:5.0f} s  {self.kills.total()} kills ({kinds}; {self.caught} with a frame in "
            f"hand), {self.stops} stops, {self.frames()} pictures"
        )
        if sys.stdout.isatty():
            print(f"\r{line}\x1b[K", end="\n" if final else "", flush=True)
        elif final or elapsed >= self.said + 30:
            self.said = elapsed
            print(line, flush=True)

    def frames(self):
        return self.frames_before + sum(w.frames for w in self.everyone())

    def run(self):
        seconds, kills = self.options.seconds, self.options.kills
        begin = time.monotonic()
        supervisors = max(1, round(seconds / 45))
        while (elapsed := time.monotonic() - begin) < seconds:
            self.progress(elapsed)
            # As many as should have been by now, in no order that anybody could rely on.
            if self.kills["supervisor"] < supervisors * elapsed / seconds - 0.5:
                self.kill_supervisor()
            elif self.kills.total() < kills * elapsed / seconds:
                self.act()
            if self.random.random() < 0.5:
                self.stop_somebody()
            self.wait(
                self.random.expovariate(2 * kills / seconds) if self.random.random() < 0.8 else 0
            )
        while self.kills.total() < kills:
            self.act()
            self.wait(0.1)
        self.wake_everybody()
        self.wait(2)
        self.settle()
        if self.returned == 0:
            raise Fault(f"no picture of the program of {STEPPED} was used")
        self.wait(1)
        self.progress(time.monotonic() - begin, final=True)

    def summary(self):
        watchers = collections.defaultdict(list)
        for watcher in self.everyone():
            watchers[watcher.how].append(watcher)
        for how, those in watchers.items():
            print(
                f"  {how + ':':6}{sum(w.frames for w in those):8} pictures, "
                f"longest gap {max(w.gap for w in those)} ms, "
                f"{sum(w.restarts for w in those)} times attached anew"
            )
        print(
            f"  accounts: added up {self.settled} times over {self.lives} supervisors, "
            f"off by {self.off} at most; {self.returned} of the program's pictures were used"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument(
        "--expect-fault",
        action="store_true",
        help="the build breaks the protocol: that must be found",
    )
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    print(
        f"chaos: {product.BIN.parent.name}, {options.seconds:.0f} s, {options.kills} kills, "
        f"seed {options.seed}",
        flush=True,
    )
    os.nice(5)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    fault = None
    with tempfile.TemporaryDirectory(prefix="chaos.") as folder:
        chaos = Chaos(options, folder)
        try:
            chaos.begin()
            chaos.run()
            chaos.summary()
            chaos.end()
        except (Fault, AssertionError, subprocess.SubprocessError) as error:
            fault = str(error)
            if not options.expect_fault:
                print(f"\nlog of {chaos.camring.instance}:\n{chaos.camring.log()[-3000:]}")
        finally:
            chaos.clear_up()
    if options.expect_fault:
        found = fault is not None and "torn" in fault
        print(f"chaos: {'found, as it must: ' if found else 'NOT FOUND: '}{fault}")
        return 0 if found else 1
    missing = options.kills - chaos.kills.total()
    if not fault and missing > 0:
        fault = f"{missing} kills too few"
    print(f"chaos: {'FAULT: ' + fault if fault else 'no fault'} (seed {options.seed})")
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main())
