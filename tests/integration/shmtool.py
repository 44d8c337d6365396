"""Runs camring-shm, and programs of other people (Python, over libcamring) that it is to tell
about."""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

from product import BIN, ROOT, wait_for

LIBRARY = BIN.parent / "lib/libcamring.so.1"
ENCODER_CHILDREN = 10368  # where they are on the board, 64 bytes each (common/board.c)
ENVIRONMENT = {
    **os.environ,
    "CAMRING_LIBRARY": str(LIBRARY),
    "PYTHONPATH": f"{ROOT / 'common/python'}:{ROOT / 'tests/integration'}",
    "PYTHONDONTWRITEBYTECODE": "1",
}

needs_library = pytest.mark.skipif(
    b"__asan_init" in LIBRARY.read_bytes(),
    reason="a library with a sanitizer in it can't be loaded into Python",
)


def shm(instance, *words, text=True):
    command = [BIN / "camring-shm", *map(str, words), "--instance", instance]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=text, timeout=60
    )


def shm_json(instance, *words, code=0):
    done = shm(instance, *words, "--json")
    assert done.returncode == code and not done.stderr, done
    return json.loads(done.stdout)


def rings(instance, *words):
    return {ring["name"]: ring for ring in shm_json(instance, *(words or ["list"]))["rings"]}


def objects(instance):
    """Names and bytes of what the instance has in /dev/shm."""
    found = {}
    for name in os.listdir("/dev/shm"):
        if re.fullmatch(rf"camring\.{instance}(\..*)?", name):
            with contextlib.suppress(FileNotFoundError):  # gone since
                found[name] = os.stat(f"/dev/shm/{name}").st_blocks * 512
    return found


class Program:
    """A Python program with `camring` imported and `instance` set, in a process of its own, which
    lets go of everything on SIGTERM. It says "ready" once it is where the test wants it."""

    def __init__(self, instance, code, ready=True):
        code = (
            "import camring, signal, sys, time\n"
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit())\n"
            f"instance = {instance!r}\n{code}"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=ENVIRONMENT,
            text=True,
        )
        self.pid = self.process.pid
        if ready:
            assert self.process.stdout.readline() == "ready\n"

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def tell(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def stop(self):
        """Stopped for sure: the signal alone takes effect when it pleases."""
        self.process.send_signal(signal.SIGSTOP)
        wait_for(
            lambda: pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
            == "T",
            10,
            "a stopped process",
        )

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.send_signal(signal.SIGCONT)
        try:
            self.process.wait(10)
        finally:
            self.kill()
            self.process.stdin.close()
            self.process.stdout.close()


@contextlib.contextmanager
def program(instance, code, ready=True):
    it = Program(instance, code, ready)
    try:
        yield it
    finally:
        it.end()


# A reader that takes one frame and never gives it back.
HOLD = """
reader = camring.Ring({ring!r}, instance=instance)
frame = next(iter(reader))
print("ready", flush=True)
time.sleep(1000)
"""

# One that takes several, and says which.
TAKE = """
reader = camring.Ring({ring!r}, instance=instance)
frames = [reader.take() for _ in range({count})]
print("ready", flush=True)
print(*(frame.number for frame in frames), flush=True)
time.sleep(1000)
"""

# One that only waits for the next frame.
READ = """
reader = camring.Ring({ring!r}, instance=instance)
signal.signal(signal.SIGTERM, lambda *_: reader.close())
print("ready", flush=True)
for frame in reader:
    pass
"""

# A producer of 20 small JPEGs a second that never unlinks its ring; the picture's size is the
# number of bytes on a line of its stdin.
PRODUCE = """
import select
producer = camring.Producer({ring!r}, instance=instance, jpeg=True, keep=True)
size, first = 1000, True
while True:
    producer.publish_jpeg(b"\\xff\\xd8" + bytes(size), 64, 48)
    if first:
        print("ready", flush=True)
    first = False
    if select.select([sys.stdin], [], [], 0.05)[0]:
        size = int(sys.stdin.readline() or sys.exit())
"""
