"""camring-shm verify: what is broken is found and named, in whatever part; what lives or was killed
is never called broken."""
import contextlib
import json
import mmap
import os
import pathlib
import random
import signal
import struct
import subprocess
import time

import pytest

from multipart import Stream
from product import BIN, running, wait_for
from shmtool import ENCODER_CHILDREN, HOLD, needs_library, program, rings, shm, shm_json

CAMERAS = {"door": "test:?size=320x240&fps=25", "nothing": "file:/nowhere.mp4"}
WIDE = {"burst": 10000, "window": "30s", "max": "60s"}  # restarts are never damped

# Where things lie in a camera's place on the board (common/board.h).
LEASE, TAKEN, FINISHED, ENCODED, CAPTURED = 192, 200, 208, 216, 152
VARIANT_LEASE, VARIANT_TAKEN = 448, 456
STATE_WORKER = 612
FIRST_EPOCH = 1 << 48  # of a place, in a lease's word


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with running(tmp_path_factory.mktemp("verify"), CAMERAS) as camring:
        camring.wait_live("door")
        wait_for(lambda: rings(camring.instance)["door.jpeg"]["frame"] > 0, 20, "pictures")
        yield camring


@contextlib.contextmanager
def mapped(name):
    with open(f"/dev/shm/{name}", "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        yield memory


@contextlib.contextmanager
def poked(name, at, form, value):
    """Something else stands there for a while."""
    with mapped(name) as memory:
        before = memory[at : at + struct.calcsize(form)]
        memory[at : at + len(before)] = struct.pack(form, value)
        try:
            yield
        finally:
            memory[at : at + len(before)] = before


def board_of(camring):
    return f"camring.{camring.instance}"


def place(camring, camera):
    """Where the camera's place begins."""
    with mapped(board_of(camring)) as memory:
        at = memory.find(camera.encode() + b"\0")
        assert at > 0 and at % 64 == 0
        return at


def faults(camring, *words, told=""):
    said = shm_json(camring.instance, "verify", *words, code=1)
    assert not said["ok"] and said["faults"]
    assert any(told in fault["text"] for fault in said["faults"]), said
    return [(fault["ring"], fault["fault"], fault["where"]) for fault in said["faults"]]


def assert_right(camring):
    assert shm_json(camring.instance, "verify") == {
        "ok": True,
        "checked": 4,
        "faults": [],
        "remains": [],
    }


def test_what_lives_is_all_right(live):
    assert_right(live)
    done = shm(live.instance, "verify")
    assert (done.returncode, done.stdout, done.stderr) == (0, "4 rings checked: all right\n", "")
    assert shm_json(live.instance, "verify", "door")["checked"] == 2
    assert shm_json(live.instance, "verify", "door.raw")["checked"] == 1
    assert live.cli("shm", "verify").stdout == "4 rings checked: all right\n"


def test_of_all_instances(live):
    done = subprocess.run(
        [BIN / "camring-shm", "verify", "door", "--all", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert json.loads(done.stdout)["checked"] >= 2


def test_nothing_and_nobody(live):
    assert shm_json("nobody-here", "verify") == {
        "ok": True,
        "checked": 0,
        "faults": [],
        "remains": [],
    }
    done = shm(live.instance, "verify", "nobody")
    assert (
        done.returncode == 1
        and "nobody" in done.stderr
        and "door.raw" in done.stderr
        and not done.stdout
    )
    assert shm(live.instance, "verify", "door", "gate").returncode == 2
    assert shm(live.instance, "verify", "--dry-run").returncode == 2
    done = subprocess.run(
        [BIN / "camring-shm", "verify", "nobody-at-all", "--all"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and "nobody-at-all" in done.stderr


def test_damage_is_for_people_too(live):
    with poked(board_of(live), place(live, "nothing") + TAKEN, "<Q", 7):
        done = shm(live.instance, "verify")
        assert done.returncode == 1 and not done.stderr
        lines = done.stdout.splitlines()
        assert lines[0].startswith(f"{live.instance}: nothing ") and lines[0].endswith(
            " (accounts)"
        )
        assert lines[-1].startswith("4 rings checked: ") and "fault" in lines[-1]
    assert_right(live)


# The camera that is not there: nobody but the test writes in its place.
@pytest.mark.parametrize(
    "offset, form, value, wanted, told",
    [
        (
            TAKEN,
            "<Q",
            7,
            [(None, "accounts", "nothing")] * 3,
            "the newest raw one is 0",
        ),  # nor is it finished, or booked
        (ENCODED, "<Q", 3, [(None, "accounts", "nothing")] * 2, "the newest JPEG is 0"),
        (FINISHED, "<Q", 3, [(None, "accounts", "nothing")], "nobody holds the lease"),
        (CAPTURED, "<Q", 3, [(None, "accounts", "nothing")], "0 published"),
        (
            LEASE,
            "<Q",
            FIRST_EPOCH | 700 ^ 0xFFFF,
            [(None, "lease", "nothing")],
            "worker 700, whom there can't be",
        ),
        (
            VARIANT_LEASE,
            "<Q",
            FIRST_EPOCH | 700 ^ 0xFFFF,
            [(None, "variant lease", "nothing")],
            "worker 700, whom there can't be",
        ),
        (STATE_WORKER, "<I", 701, [(None, "state", "nothing")], "worker 700, whom there can't be"),
        (VARIANT_TAKEN, "<Q", 3, [(None, "accounts", "nothing")], "3 pictures of variants"),
        (0, "<B", ord("/"), [(None, "board", "")], "no proper name"),
    ],
)
def test_the_board_is_checked(live, offset, form, value, wanted, told):
    with poked(board_of(live), place(live, "nothing") + offset, form, value):
        found = faults(live, told=told)
        orphans = [
            fault for fault in found if fault[1] == "orphan"
        ]  # rings of a camera that lost its name
        assert [fault for fault in found if fault not in orphans] == wanted
        assert bool(orphans) == (offset == 0)
    assert_right(live)


def test_a_lease_of_the_dead(live):
    """Its worker's place is empty as long as the supervisor is stopped."""
    live.supervisor.kill(signal.SIGSTOP)
    try:
        victim = live.children("encoder")[0]
        with mapped(board_of(live)) as memory:
            pids = [
                struct.unpack_from("<i", memory, ENCODER_CHILDREN + 64 * i)[0] for i in range(256)
            ]
        worker = pids.index(victim.pid)
        victim.kill()
        wait_for(lambda: not victim.alive(), 10, "a dead encoder")
        with poked(
            board_of(live), place(live, "nothing") + LEASE, "<Q", FIRST_EPOCH | worker ^ 0xFFFF
        ):
            assert (None, "lease", "nothing") in faults(live)
    finally:
        live.supervisor.kill(signal.SIGCONT)
    wait_for(
        lambda: len(live.children("encoder")) == len(os.sched_getaffinity(0)), 20, "another encoder"
    )
    live.wait_live("door")
    wait_for(lambda: shm(live.instance, "verify").returncode == 0, 20, "everything in order")


def test_the_encoders_row_without_a_lease(live):
    """Row 0 of a ring that nobody encodes has a pin."""
    with poked(f"{board_of(live)}.nothing.raw", 320, "<Q", 1 << 32 | 1):
        assert ("nothing.raw", "pin", "row 0") in faults(
            live, told="nobody holds the camera's lease"
        )
    assert_right(live)


def test_a_passing_state_is_no_fault(live):
    """What is put right within a fraction of a second was about to be."""
    with renamed(f"{board_of(live)}.nothing.jpeg", f"{board_of(live)}.away"):
        verify = subprocess.Popen(
            [BIN / "camring-shm", "verify", "--instance", live.instance],
            stdout=subprocess.PIPE,
            text=True,
        )
        time.sleep(0.1)
        assert verify.poll() is None  # it looks again
    out, _ = verify.communicate(timeout=30)
    assert verify.returncode == 0 and "all right" in out, out


def test_a_board_that_is_none(live):
    with poked(board_of(live), 0, "<I", 7):
        assert (None, "unreadable", "") in faults(live)
    assert_right(live)


@contextlib.contextmanager
def renamed(name, to):
    os.rename(f"/dev/shm/{name}", f"/dev/shm/{to}")
    try:
        yield
    finally:
        os.rename(f"/dev/shm/{to}", f"/dev/shm/{name}")


def test_rings_that_are_missing_or_too_many(live):
    with renamed(f"{board_of(live)}.nothing.jpeg", f"{board_of(live)}.other.jpeg"):
        found = faults(live)
        assert ("nothing.jpeg", "missing", "") in found and ("other.jpeg", "name", "") in found
    with renamed(board_of(live), f"{board_of(live)}.away"):
        found = faults(live)
        assert (None, "missing", "") in found and (None, "stray", "") in found
    assert_right(live)


@pytest.mark.parametrize(
    "name, ring",
    [("door.raw.77x", None), ("door", None), ("Door.raw", None), ("gate.raw.1", "gate.raw")],
)
def test_strays(live, name, ring):
    path = pathlib.Path(f"/dev/shm/{board_of(live)}.{name}")
    path.write_bytes(b"x")
    try:
        assert faults(live) == [(ring, "stray", "")]
        assert shm_json(live.instance, "verify", "door")["ok"]  # which is not about the rest
    finally:
        path.unlink()
    assert_right(live)


def test_garbage(live):
    path = pathlib.Path(f"/dev/shm/{board_of(live)}.bad.raw")
    for content in (b"", b"x" * 100, os.urandom(4096), bytes(100000)):
        path.write_bytes(content)
        try:
            assert ("bad.raw", "unreadable", "") in faults(live)
        finally:
            path.unlink()
    assert_right(live)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give things away")
def test_others_things(live):
    path = f"/dev/shm/{board_of(live)}.nothing.raw"
    os.chown(path, 12345, -1)
    try:
        assert ("nothing.raw", "owner", "") in faults(live)
    finally:
        os.chown(path, 0, -1)
    os.chown(f"/dev/shm/{board_of(live)}", 12345, -1)
    try:
        assert (None, "owner", "") in faults(live)
    finally:
        os.chown(f"/dev/shm/{board_of(live)}", 0, -1)
    assert_right(live)


def test_looking_writes_nothing(live):
    """Every object that only the dead write is the same afterwards."""
    path = pathlib.Path(f"/dev/shm/{board_of(live)}.nothing.raw")
    before = path.read_bytes(), path.stat().st_mtime_ns
    assert shm(live.instance, "verify").returncode == 0
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


@pytest.mark.limit(300)
def test_busy_and_mortal(tmp_path_factory):
    """Children are killed all the time, under load: nothing is ever called broken."""
    cameras = {
        "fast": "test:?size=64x64&fps=240",
        "door": "test:?size=320x240&fps=60",
        "nothing": "file:/nowhere.mp4",
    }
    with running(
        tmp_path_factory.mktemp("busy"), cameras, restart=WIDE, encoder={"workers": 3}
    ) as camring:
        camring.wait_live("fast", "door")
        chance = random.Random(1)
        with Stream(camring.port, "/cameras/door/stream.mjpeg") as stream, Stream(
            camring.port, "/cameras/fast/stream.mjpeg"
        ):
            for i in range(500):
                if i % 5 == 0:
                    victims = camring.children(chance.choice(["capture", "encoder"]))
                    if victims:
                        chance.choice(victims).kill()
                done = shm(camring.instance, "verify", "--json")
                assert done.returncode == 0, (i, done.stdout)
            stream.wait_parts(len(stream.parts) + 20)
        camring.wait_live("fast", "door")
        wait_for(
            lambda: shm_json(camring.instance, "verify")["remains"] == [],
            20,
            "nothing left by the dead",
        )


@needs_library
def test_the_dead_break_nothing(tmp_path_factory):
    """An instance killed with all its children, and a reader with it: what it left is listed, and
    no fault."""
    with running(tmp_path_factory.mktemp("dead"), CAMERAS) as camring:
        camring.wait_live("door")
        with program(camring.instance, HOLD.format(ring="door")) as holder:
            for process in [camring.supervisor, *camring.children()]:
                process.kill(signal.SIGSTOP)
            holder.kill()
            for process in [*camring.children(), camring.supervisor]:
                process.kill()
            camring.wait_exit()
            wait_for(
                lambda: not any(p.alive() for p in camring.seen.values()),
                10,
                "the end of all children",
            )
        begin = time.monotonic()
        said = shm_json(camring.instance, "verify")
        assert time.monotonic() - begin < 10
        assert said["ok"] and said["checked"] == 4 and not said["faults"]
        assert ("door.raw", "dead-reader") in [(r["ring"], r["fault"]) for r in said["remains"]]
        text = shm(camring.instance, "verify").stdout
        assert "left by the dead: door.raw: row " in text and "4 rings checked: all right, " in text
        path = pathlib.Path(f"/dev/shm/{board_of(camring)}")
        board = path.read_bytes()
        path.unlink()
        said = shm_json(camring.instance, "verify")
        assert said["ok"] and ("door.raw", "orphan") in [
            (r["ring"], r["fault"]) for r in said["remains"]
        ]
        path.write_bytes(board)
        path.chmod(0o600)
        camring.run()  # which clears up
