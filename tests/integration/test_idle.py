"""An idle system sleeps: without a live camera next to no wake-ups, and none at all for a reader
that waits."""
import os
import pathlib
import re
import signal
import time

import pytest

from multipart import Stream
from product import free_port, wait_for
from shmtool import PRODUCE, needs_library, program, rings, shm

SECONDS = 10
MOST = 20  # wake-ups a second, in all processes together


def switches(pids):
    """How often the threads of these processes have waited so far, plus the hundredths of a second
    that they worked, lest one works and never waits. What a busy machine adds, that it lets others
    work meanwhile, is left out. By thread, so that one that comes or goes can be told."""
    found = {}
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            text = (task / "status").read_text()
            name = re.search(r"Name:\s+(.*)", text)[1]
            ticks = (task / "stat").read_text().rpartition(")")[2].split()[11:13]
            found[f"{name} {task.name}"] = sum(
                int(n) for n in re.findall(r"\nvoluntary_ctxt_switches:\s+(\d+)", text) + ticks
            )
    return found


def rate(camring, seconds=SECONDS):
    """`switches` a second of the whole instance, and who made how many."""
    pids = [camring.supervisor.pid, *(p.pid for p in camring.children())]
    before = switches(pids)
    time.sleep(seconds)
    after = switches(pids)
    assert pids == [camring.supervisor.pid, *(p.pid for p in camring.children())], "somebody died"
    made = {
        name: count - before.get(name, 0)
        for name, count in after.items()
        if count != before.get(name, 0)
    }
    return sum(made.values()) / seconds, made


def wait_away(camring, *names):
    for name in names:
        camring.wait_state(name, "away")


@pytest.mark.limit(120)
@pytest.mark.parametrize("source", ["rtsp://127.0.0.1:{port}/cam", "file:/nowhere.mp4"])
def test_a_camera_that_is_not_there(instance, source):
    """It is tried twice a second at first."""
    camring = instance({"cam": source.format(port=free_port())}).run()
    wait_away(camring, "cam")
    switched, by = rate(camring)
    assert switched < MOST, by


@pytest.mark.limit(120)
def test_many_cameras_that_are_not_there(instance):
    """Once they are tried but now and then, ten cost no more than one: what remains is the
    supervisor's look at its children's promises."""
    reconnect = {"every": "60s", "max": "60s"}
    camring = instance(
        {
            f"cam{i}": {"source": f"rtsp://127.0.0.1:{free_port()}/cam", "reconnect": reconnect}
            for i in range(10)
        }
    ).run()
    wait_away(camring, *(f"cam{i}" for i in range(10)))
    switched, by = rate(camring)
    assert switched < MOST / 4, by


@pytest.mark.limit(120)
def test_a_viewer_of_a_camera_that_is_not_there(instance):
    """The picture that says so comes once a second, and for each try the state changes twice."""
    camring = instance({"cam": f"rtsp://127.0.0.1:{free_port()}/cam"}).run()
    wait_away(camring, "cam")
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        stream.wait_parts(2)
        switched, by = rate(camring)
        assert switched < 2 * MOST, by
        assert not stream.ended


# In camring_next without a time limit, as a C program would be.
WAIT = """
raw, error = camring._Frame(), camring._Error()
reader = camring.Ring({ring!r}, instance=instance)
{first}
print("ready", flush=True)
camring._library.camring_next(reader._handle, raw, -1, error)
"""
FIRST = (
    "camring._library.camring_next(reader._handle, raw, -1, error)\n"
    "camring._library.camring_release(reader._handle)"
)


@needs_library
@pytest.mark.parametrize("ring", ["cam.raw", "cam.jpeg"])
def test_a_reader_that_waits_for_the_first_frame(instance, ring):
    camring = instance({"cam": "file:/nowhere.mp4"}).run()
    wait_away(camring, "cam")
    with program(camring.instance, WAIT.format(ring=ring, first="")) as reader:
        time.sleep(0.5)
        before = switches([reader.pid])
        time.sleep(5)
        assert switches([reader.pid]) == before


@needs_library
def test_a_reader_that_waits_for_the_next_frame(instance, http_camera):
    """The camera has gone silent."""
    camring = (
        instance(
            {
                "cam": {
                    "source": f"http://127.0.0.1:{http_camera.port}/video.mjpg",
                    "stall_timeout": "1s",
                }
            }
        )
        .run()
        .wait_live("cam")
    )
    wait_for(lambda: rings(camring.instance)["cam.jpeg"]["frame"] > 0, 10, "pictures")
    http_camera.signal(signal.SIGSTOP)
    try:
        wait_away(camring, "cam")
        with program(camring.instance, WAIT.format(ring="cam.jpeg", first=FIRST)) as reader:
            time.sleep(0.5)
            before = switches([reader.pid])
            time.sleep(5)
            assert switches([reader.pid]) == before
    finally:
        http_camera.signal(signal.SIGCONT)


@needs_library
def test_a_reader_without_a_supervisor_bounds_its_wait():
    """Nobody rings for a dead producer: it looks twice a second."""
    name = f"idle{os.getpid()}"
    with program(name, PRODUCE.format(ring="mine.jpeg")) as producer, program(
        name, WAIT.format(ring="mine.jpeg", first=FIRST)
    ) as reader:
        producer.kill()
        time.sleep(0.5)
        before = sum(switches([reader.pid]).values())
        time.sleep(5)
        assert 5 <= sum(switches([reader.pid]).values()) - before <= 40
    assert shm(name, "clean").returncode == 0
