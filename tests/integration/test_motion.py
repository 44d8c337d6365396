"""Motion at real cameras: what the API, its events and the metrics say of footage in which bottles
come and go, and of a camera at which nothing moves."""
import os
import re
import signal
import subprocess
import time

import jsonschema
import pytest

from events import Events
from product import ROOT, running, wait_for
from test_api import API, schema_of
from test_metrics import Metrics

CLIP = ROOT / "tests/clips/bottle-detection.mp4"
LOOP = "?loop=1&realtime=1"
# The test camera's frame number, at the top, is all that changes in its picture.
STILL = "test:?size=640x360&static=1"
BELOW = [[0, 60, 640, 60, 640, 360, 0, 360]]
WORKERS = {"encoder": {"workers": 2}}


def motion(camring, name):
    return camring.camera(name)["motion"]


def looks(camring, name):
    return Metrics(camring).get("motion_looks_total", camera=name)


def wait_looks(camring, name, more):
    before = looks(camring, name)
    wait_for(lambda: looks(camring, name) >= before + more, 60, f"{more} more looks at {name}")


def next_motion(events):
    """The next event of motion, as openapi.json has it."""
    name = None
    while name != "motion":
        name, data, _ = events.event()
    camera = data.pop("id")
    jsonschema.validate(data, schema_of({"$ref": "#/components/schemas/Motion"}))
    return camera, data


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    cameras = {
        "bottle": {"source": f"file:{CLIP}{LOOP}", "motion": {"enabled": True}},
        "still": {"source": STILL, "motion": {"enabled": True, "zones": BELOW}},
        "unwatched": STILL,
    }
    with running(tmp_path_factory.mktemp("motion"), cameras, **WORKERS) as camring:
        yield camring.wait_live("bottle", "still")


@pytest.mark.limit(180)
def test_events_begin_and_end(live):
    with Events(live.port).begin() as events:
        events.socket.settimeout(90)
        camera, began = next_motion(events)
        while not began["active"]:
            camera, began = next_motion(events)
        assert camera == "bottle" and began["event"] >= 1 and began["ended"] is None
        assert 1 <= began["score"] <= 100 and began["boxes"]
        for x, y, width, height in began["boxes"]:
            assert x + width <= 640 and y + height <= 360
        told = motion(live, "bottle")
        assert told["event"] >= began["event"] and told["since"] >= began["since"]
        camera, ended = next_motion(events)
        assert camera == "bottle" and not ended["active"]
        assert (ended["event"], ended["since"]) == (began["event"], began["since"])
        assert ended["ended"] > ended["since"] and ended["peak"] >= began["score"]
        assert ended["score"] == 0 and not ended["boxes"]
        _, second = next_motion(events)
        assert second["active"] and second["event"] == ended["event"] + 1
        assert second["since"] > began["since"]


@pytest.mark.limit(120)
def test_nothing_moves_within_the_zones(live):
    wait_looks(live, "still", 40)
    assert motion(live, "still") == {
        "active": False,
        "event": 0,
        "since": None,
        "ended": None,
        "score": 0,
        "peak": 0,
        "boxes": [],
    }
    assert motion(live, "unwatched") is None


@pytest.mark.limit(120)
def test_metrics(live):
    wait_for(lambda: motion(live, "bottle")["event"] >= 1, 60, "an event")
    metrics = Metrics(live).check()
    told = motion(live, "bottle")
    assert metrics.get("motion_events_total", camera="bottle") in (told["event"], told["event"] - 1)
    assert metrics.get("motion_active", camera="still") == 0
    assert metrics.get("motion_score", camera="still") == 0
    assert metrics.get("motion_cpu_seconds_total", camera="still") > 0
    assert metrics.get("motion_looks_total", camera="unwatched") is None
    manual = (ROOT / "common/supervisor/camring.1").read_text()
    for name in re.findall(r"^# TYPE camring_(motion_\w+)", metrics.text, re.MULTILINE):
        assert name in manual


@pytest.mark.limit(180)
def test_workers_that_die(live):
    """Another goes on; numbers of events rise on."""
    wait_for(lambda: motion(live, "bottle")["event"] >= 1, 60, "an event")
    before = motion(live, "bottle")
    for worker in live.children("encoder"):
        worker.kill()
        wait_looks(live, "bottle", 5)
        wait_looks(live, "still", 5)
    after = motion(live, "bottle")
    assert after["event"] >= before["event"]
    wait_for(
        lambda: motion(live, "bottle")["event"] > after["event"], 90, "another event after that"
    )
    assert motion(live, "still")["event"] == 0


@pytest.mark.limit(180)
def test_jpegs_that_are_passed_through(tmp_path):
    """They are looked at, and reach viewers as the camera sent them."""
    clip = tmp_path / "bottle.avi"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", CLIP, "-t", "9", "-c:v", "mjpeg", "-q:v", "3", clip],
        check=True,
        timeout=120,
    )
    with running(
        tmp_path, {"bottle": {"source": f"file:{clip}{LOOP}", "motion": {"enabled": True}}}
    ) as camring:
        camring.wait_live("bottle")
        wait_for(lambda: motion(camring, "bottle")["event"] >= 1, 90, "an event")
        wait_for(lambda: motion(camring, "bottle")["boxes"], 90, "boxes")
        camera = camring.camera("bottle")
        assert camera["codec"] == "mjpeg" and camera["counters"]["encoded"] == 0
        metrics = Metrics(camring)
        seen = metrics.get("motion_looks_total", camera="bottle")
        captured = metrics.get("camera_frames_total", camera="bottle", stage="captured")
        assert 0 < seen < captured / 2, "every JPEG of thirty a second was looked at"


def reload(camring, cameras):
    camring.write_config(cameras, **WORKERS)
    done = camring.cli("reload", "-c", str(camring.config), limit=60)
    assert done.returncode == 0, done
    return done.stdout


@pytest.mark.limit(180)
def test_reload(tmp_path):
    """Other settings take effect; capture goes on."""
    with running(tmp_path, {"still": STILL}, **WORKERS) as camring:
        camring.wait_live("still")
        capture = [p.pid for p in camring.children("capture")]
        assert motion(camring, "still") is None
        reload(camring, {"still": {"source": STILL, "motion": {"enabled": True}}})
        wait_for(lambda: motion(camring, "still")["active"], 60, "its number is seen to change")
        watched = {"enabled": True, "zones": BELOW}
        reload(camring, {"still": {"source": STILL, "motion": watched}})
        wait_for(lambda: not motion(camring, "still")["active"], 60, "nothing moves below it")
        number = motion(camring, "still")["event"]
        wait_looks(camring, "still", 20)
        assert motion(camring, "still")["event"] == number
        reload(camring, {"still": STILL})
        assert motion(camring, "still") is None
        assert [p.pid for p in camring.children("capture")] == capture
        frames = camring.camera("still")["counters"]["encoded"]
        wait_for(
            lambda: camring.camera("still")["counters"]["encoded"] > frames + 10, 60, "pictures"
        )


@pytest.mark.limit(120)
def test_a_camera_that_goes_away_moves_no_more(tmp_path):
    cameras = {
        "bottle": {
            "source": f"file:{CLIP}{LOOP}",
            "motion": {"enabled": True},
            "stall_timeout": "500ms",
        }
    }
    with running(tmp_path, cameras) as camring:
        camring.wait_live("bottle")
        with Events(camring.port).begin() as events:
            events.socket.settimeout(90)
            while not next_motion(events)[1]["active"]:
                pass
            [capture] = camring.children("capture")
            os.kill(capture.pid, signal.SIGSTOP)
            try:
                ended = next_motion(events)[1]
                told = motion(camring, "bottle")
            finally:
                os.kill(capture.pid, signal.SIGCONT)
            assert not ended["active"] and ended["ended"] >= ended["since"]
            assert not told["active"] and told["ended"] < time.time()
