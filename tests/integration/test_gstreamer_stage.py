"""A GStreamer pipeline as a step of a camera's chain: camringsrc and camringsink with `stage`."""
import contextlib
import io
import json
import signal
import subprocess
import sys

import pytest
from PIL import Image

from clips import number_in, read_number
from multipart import Stream
from product import Camring, running, wait_for
from shmtool import program, rings, shm_json
from test_gstreamer import environment  # noqa: F401
from test_processing import reload

FLIP = "videoflip video-direction=180"


def external(name="detector"):
    return {"external": {"name": name, "timeout": "2s"}}


def door(*chain):
    return {"door": {"source": "test:?size=320x240&fps=20", "chain": list(chain)}}


def end(camring, kind, stage="detector"):
    return f"camring{kind} camera=door stage={stage} instance={camring.instance}"


@contextlib.contextmanager
def launched(environment, description):
    words = ["gst-launch-1.0", "-e", *description.split()]
    process = subprocess.Popen(
        words,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def pipeline(camring, environment, between=FLIP):
    return launched(environment, f"{end(camring, 'src')} ! {between} ! {end(camring, 'sink')}")


def stage_of(camring):
    return next(one for one in camring.camera("door")["stages"] if one["name"] == "detector")


def wait_state(camring, state):
    wait_for(lambda: stage_of(camring)["state"] == state, 30, f"the step {state}")


def is_flipped(jpeg):
    """None where the picture bears no number, or can be read both ways by chance."""
    with Image.open(io.BytesIO(jpeg)) as image:
        turned, straight = number_in(image.convert("L").rotate(180)), read_number(jpeg)
    return None if (turned is None) == (straight is None) else turned is not None


def wait_shown(stream, flipped):
    seen = len(stream.parts)
    stream.wait(
        lambda s: any(is_flipped(part.body) is flipped for part in s.parts[seen:][-1:]),
        30,
        "flipped pictures" if flipped else "pictures as they came",
    )


# Prints of 40 frames of a ring: the number that is burnt in, by the frame's own, and its times.
COLLECT = """
import json
from PIL import Image
from clips import number_in
ring, seen = camring.Ring({ring!r}, instance), {{}}
signal.signal(signal.SIGTERM, lambda *_: ring.close())
print("ready", flush=True)
while len(seen) < 40 and (frame := ring.next(20)):
    image = Image.fromarray(frame.array).rotate({turn})
    seen[frame.source or frame.number] = number_in(image), frame.captured_ns, frame.camera_ns
print(json.dumps(seen), flush=True)
"""


def collected(camring, ring, turn):
    return program(camring.instance, COLLECT.format(ring=ring, turn=turn))


def check_numbers(camring, turn=180, ring="door.detector"):
    """Each picture of the ring is the one whose number it bears."""
    with collected(camring, ring, turn) as made, collected(camring, "door.raw", 0) as came:
        made, came = json.loads(made.line()), json.loads(came.line())
    both = made.keys() & came.keys()
    assert len(both) >= 10, (sorted(made), sorted(came))
    assert {number: made[number] for number in both} == {number: came[number] for number in both}
    assert all(burnt is not None for burnt, *_ in made.values())


# jpegdec gives its buffers no offset, so that the meta alone carries the number.
@pytest.mark.parametrize(
    "between",
    [
        FLIP,
        f"queue ! videoconvert ! video/x-raw,format=RGB ! {FLIP} ! queue ! videoconvert",
        f"{FLIP} ! jpegenc quality=95 ! jpegdec",
    ],
    ids=["flip", "convert", "codec"],
)
def test_pipeline_is_a_step(tmp_path, environment, between):  # noqa: F811
    with running(tmp_path, door(external())) as camring:
        camring.wait_live("door")
        with Stream(camring.port, "/cameras/door/stream.mjpeg") as stream:
            wait_shown(stream, False)
            with pipeline(camring, environment, between) as it:
                wait_shown(stream, True)
                wait_state(camring, "attached")
                check_numbers(camring)
                before = stage_of(camring)
                wait_for(
                    lambda: stage_of(camring)["returned"] > before["returned"] + 20, 30, "pictures"
                )
                assert stage_of(camring)["refused"] == 0
                it.kill()
            wait_shown(stream, False)
            wait_state(camring, "absent")
            with pipeline(camring, environment, between) as it:
                wait_shown(stream, True)
                it.send_signal(signal.SIGINT)
                assert it.wait(30) == 0
            wait_shown(stream, False)
            assert "door.detector" in rings(camring.instance)
        assert stage_of(camring)["refused"] == 0
        assert shm_json(camring.instance, "verify")["faults"] == []


def test_pipeline_comes_back_by_itself(tmp_path, environment):  # noqa: F811
    """It was there before camring, which is stopped, and killed, and started again."""
    camring = Camring(tmp_path, door(external()))
    try:
        with pipeline(camring, environment) as it:
            for killed in False, True, False:
                camring.run().wait_live("door")
                with Stream(camring.port, "/cameras/door/stream.mjpeg") as stream:
                    wait_shown(stream, True)
                    wait_state(camring, "attached")
                    assert stage_of(camring)["refused"] == 0
                if killed:
                    camring.supervisor.kill()
                    camring.wait_exit()
                    wait_for(
                        lambda: not any(p.alive() for p in camring.seen.values()), 20, "no process"
                    )
                else:
                    camring.stop()
                assert it.poll() is None, it.stdout.read()
                assert killed or not rings(camring.instance)
    finally:
        camring.kill_all()


def test_pipeline_follows_reloads(tmp_path, environment):  # noqa: F811
    """Its step goes and comes, and so do steps before it, whose ring it reads then."""
    with running(tmp_path, door()) as camring:
        camring.wait_live("door")
        with pipeline(camring, environment) as it, Stream(
            camring.port, "/cameras/door/stream.mjpeg"
        ) as stream:
            wait_shown(stream, False)
            for _ in range(2):
                reload(camring, door(external()))
                wait_shown(stream, True)
                assert stage_of(camring)["reads"] == "door.raw"
                reload(camring, door({"filter": "vflip"}, {"filter": "hflip"}, external()))
                wait_shown(stream, False)
                wait_state(camring, "attached")
                assert stage_of(camring)["reads"] == "door.detector-in"
                readers = shm_json(camring.instance, "list")["rings"]
                (read,) = [r for r in readers if r["name"] == "door.detector-in"]
                assert it.pid in [reader["pid"] for reader in read["readers"]]
                check_numbers(camring, turn=0)
                reload(camring, door())
                stream.wait_parts(len(stream.parts) + 20)  # of which the pipeline makes none anew
                assert "door.detector" not in rings(camring.instance)
            assert it.poll() is None, it.stdout.read()


# As a program of its own that goes over Python: its buffers have the offset, and no metas.
APPLICATION = """
import sys
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import Gst, GstApp
Gst.init(None)
reader = Gst.parse_launch(sys.argv[1] + " ! videoconvert ! appsink name=in drop=true")
writer = Gst.parse_launch("appsrc name=out format=time is-live=true ! " + sys.argv[2])
for one in reader, writer:
    one.set_state(Gst.State.PLAYING)
while sample := reader.get_by_name("in").pull_sample():
    buffer = sample.get_buffer()
    made = Gst.Buffer.new_wrapped(buffer.extract_dup(0, buffer.get_size()))
    made.offset = buffer.offset
    writer.get_by_name("out").set_caps(sample.get_caps())
    writer.get_by_name("out").push_buffer(made)
"""


def test_offset_is_enough(tmp_path, environment):  # noqa: F811
    with running(tmp_path, door(external())) as camring:
        camring.wait_live("door")
        flip = f"{FLIP} ! {end(camring, 'sink')}"
        with subprocess.Popen(
            [sys.executable, "-B", "-c", APPLICATION, end(camring, "src"), flip], env=environment
        ) as application:
            with Stream(camring.port, "/cameras/door/stream.mjpeg") as stream:
                wait_shown(stream, True)
                wait_state(camring, "attached")
            assert stage_of(camring)["returned"] > 0 and stage_of(camring)["refused"] == 0
            application.kill()


def test_pictures_of_no_frame_are_refused(tmp_path, environment):  # noqa: F811
    with running(tmp_path, door(external())) as camring:
        camring.wait_live("door")
        test = "videotestsrc is-live=true ! video/x-raw,width=320,height=240 ! jpegenc ! jpegdec"
        with launched(environment, f"{test} ! {end(camring, 'sink')}") as it:
            wait_for(lambda: stage_of(camring)["refused"] > 5, 30, "refused pictures")
            assert stage_of(camring)["returned"] == 0
            it.send_signal(signal.SIGINT)
            said = it.communicate(timeout=30)[0]
        assert said.count("without the number of the camera's frame") == 1


def test_other_program_has_the_step(tmp_path, environment):  # noqa: F811
    with running(tmp_path, door(external())) as camring:
        camring.wait_live("door")
        with pipeline(camring, environment):
            wait_state(camring, "attached")
            with pipeline(camring, environment) as other:
                said = []
                while "another process writes this ring" not in "".join(said):
                    said.append(other.stdout.readline())
                    assert said[-1], said


def test_other_sinks_tell_the_source_too(tmp_path, environment):  # noqa: F811
    with running(tmp_path, door()) as camring:
        camring.wait_live("door")
        name = f"instance={camring.instance}"
        words = f"camringsrc camera=door {name} ! {FLIP} ! camringsink camera=mine {name}"
        with launched(environment, words):
            wait_for(lambda: "mine.raw" in rings(camring.instance), 30, "the pipeline's ring")
            check_numbers(camring, ring="mine.raw")
