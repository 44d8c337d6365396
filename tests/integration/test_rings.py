"""What `camring shm` sees of a running instance."""
import json
import subprocess
import time

import pytest
from PIL import Image

from clips import jpeg_fault, number_in, read_number
from multipart import Stream
from product import BIN, running

KEYS = {
    "name",
    "camera",
    "variant",
    "kind",
    "generation",
    "state",
    "writer",
    "frame",
    "age_ns",
    "fps",
    "bytes",
    "readers",
}


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with running(
        tmp_path_factory.mktemp("rings"),
        {"door": "test:?size=640x360&fps=20", "dead": "file:/nowhere.mp4"},
    ) as camring:
        yield camring.wait_live("door")


def rings(camring):
    done = camring.cli("shm", "list", "--json")
    assert done.returncode == 0, done
    return {ring["name"]: ring for ring in json.loads(done.stdout)["rings"]}


def test_list(live):
    with Stream(live.port, "/cameras/door/stream.mjpeg") as stream:
        stream.wait_parts(5)
        found = rings(live)
    assert {"door.raw", "door.jpeg"} <= set(found)
    for name in ("door.raw", "door.jpeg"):
        ring = found[name]
        assert KEYS <= set(ring)
        assert (ring["camera"], ring["kind"]) == ("door", name.partition(".")[2])
        assert ring["frame"] > 0 and ring["generation"] > 0 and ring["bytes"] > 0
    assert found["door.raw"]["writer"]
    table = live.cli("shm", "list")
    assert table.returncode == 0 and "door.raw" in table.stdout


def test_frames_move_on(live):
    before = rings(live)["door.raw"]["frame"]
    deadline = time.monotonic() + 10
    while rings(live)["door.raw"]["frame"] <= before:
        assert time.monotonic() < deadline


def test_show(live):
    for name in ("door", "door.raw", "door.jpeg"):
        done = live.cli("shm", "show", name)
        assert done.returncode == 0 and "640" in done.stdout, done
    json.loads(live.cli("shm", "show", "door.raw", "--json").stdout)


def test_dump(live, tmp_path):
    for name in ("a.jpg", "a.png", "a.ppm", "a.raw"):
        done = live.cli("shm", "dump", "door", "-o", tmp_path / name)
        assert done.returncode == 0, done
    assert not jpeg_fault((tmp_path / "a.jpg").read_bytes())
    assert read_number((tmp_path / "a.jpg").read_bytes()) is not None
    for name in ("a.png", "a.ppm"):
        with Image.open(tmp_path / name) as image:
            assert image.size == (640, 360) and number_in(image) is not None
    assert (tmp_path / "a.raw").stat().st_size == 640 * 360 * 3 // 2


def test_dump_of_what_is_not_there(live, tmp_path):
    for words, word in ((["nobody"], "nobody"), (["dead"], "dead")):
        done = live.cli("shm", "dump", *words, "-o", tmp_path / "a.jpg")
        assert done.returncode == 1 and word in done.stderr
        assert not (tmp_path / "a.jpg").exists()


def test_looking_never_hurts(live):
    """A tool that is killed while it looks leaves nothing that matters to writer or viewers."""
    with Stream(live.port, "/cameras/door/stream.mjpeg") as stream:
        stream.wait_parts(5)
        for _ in range(20):
            tool = subprocess.Popen(
                [
                    BIN / "camring-shm",
                    "dump",
                    "door.raw",
                    "--instance",
                    live.instance,
                    "-o",
                    "/dev/null",
                    "--format",
                    "raw",
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(0.005)
            tool.kill()
            tool.wait()
        stream.wait_parts(len(stream.parts) + 20)
    assert not [ring for ring in rings(live).values() if ring["state"] == "retired"]
