"""External steps: programs of their own in a camera's chain, that work, are slow, hang, die, come
late or mean ill."""
import io
import json
import re
import signal
import subprocess

import numpy
import pytest
from PIL import Image

from clips import jpeg_faults, read_number
from events import Events
from multipart import Stream
from product import BIN, ROOT, Camring, running, wait_for
from shmtool import needs_library, program, rings
from test_processing import counters, dump, looks_of, reload, snapshot, status_of, verify

pytestmark = needs_library

SOURCE = "test:?size=640x360&fps=20"
MIRROR = {"filter": "hflip"}
WIDE = {"burst": 10000, "window": "30s", "max": "60s"}  # restarts are never damped
MARK = (300, 280)  # rows and columns of the white square that the program draws; 30 of each

# A program that gives back what it is given; `draw` is done to y, cb, cr, and may `continue`.
STAGE = """
stage = camring.Stage({camera!r}, {name!r}, instance)
signal.signal(signal.SIGTERM, lambda *_: stage.close())
print("ready", flush=True)
for frame in stage:
    y, cb, cr = (plane.copy() for plane in frame.planes)
    {draw}
    stage.publish(frame, y, cb, cr)
"""
DRAW = f"y[{MARK[0]}:{MARK[0] + 30}, {MARK[1]}:{MARK[1] + 30}] = 235"
DARKEN = f"y[{MARK[0]}:{MARK[0] + 30}, {MARK[1]}:{MARK[1] + 30}] = 16"


def external(name="detector", **more):
    return {"external": {"name": name, "timeout": "2s", **more}}


def door(*chain, **more):
    return {"door": {"source": SOURCE, "chain": list(chain), **more}}


def stage(camring, draw=DRAW, name="detector", camera="door"):
    return program(camring.instance, STAGE.format(camera=camera, name=name, draw=draw))


def stage_of(camring, name="detector"):
    return next(one for one in camring.camera("door")["stages"] if one["name"] == name)


def wait_stage(camring, state, name="detector"):
    wait_for(lambda: stage_of(camring, name)["state"] == state, 30, f"{name} {state}")


def level(image):
    """The mean level of where the program draws."""
    y = numpy.asarray(image.convert("L")).astype(int)
    return y[MARK[0] + 4 : MARK[0] + 26, MARK[1] + 4 : MARK[1] + 26].mean()


def is_marked(jpeg):
    with Image.open(io.BytesIO(jpeg)) as image:
        return level(image) > 160


def is_mirrored(jpeg):
    return "mirrored" in looks_of(jpeg)


def wait_marked(stream, marked=True):
    """Until a new picture of the stream's is marked, or not."""
    seen = len(stream.parts)
    stream.wait(
        lambda s: any(is_marked(p.body) == marked for p in s.parts[seen:][-1:]),
        30,
        "marked pictures" if marked else "pictures without a mark",
    )


def check_stream(stream, period=65536):
    """All whole, and no number comes twice or again."""
    assert not stream.ended
    pictures = [part.body for part in stream.parts]
    assert not jpeg_faults(pictures)
    looks = [looks_of(picture) for picture in pictures]
    numbers = [n for found in looks if len(found) == 1 for n in found.values()]
    steps = [(b - a) % period for a, b in zip(numbers, numbers[1:])]
    assert len(numbers) > 0 and all(0 < step < 2000 for step in steps), numbers
    return numbers


def settle(camring):
    """The accounts, when all that was captured is encoded or booked as lost: within the frames that
    programs have at the moment."""
    lost = ("late", "oversize", "aborted", "encode_failed", "chain_failed", "chain_dropped")

    def add_up():
        found = counters(camring)
        sum = found["encoded"] + sum_of(found, lost)
        return abs(found["captured"] - sum) <= 3

    wait_for(add_up, 30, "accounts that add up")
    verify(camring)


def sum_of(found, names):
    return sum(found[name] for name in names)


# ---- it works


def test_a_program_that_changes_nothing(tmp_path):
    """Each byte of the out ring is the raw ring's, number by number."""
    collect = (
        "import zlib\n"
        "ring, seen = camring.Ring({ring!r}, instance), {{}}\n"
        "signal.signal(signal.SIGTERM, lambda *_: ring.close())\n"
        'print("ready", flush=True)\n'
        "while len(seen) < 60 and (frame := ring.next(20)):\n"
        "    planes = b''.join(plane.tobytes() for plane in frame.planes)\n"
        "    seen[frame.source or frame.number] = (zlib.crc32(planes), frame.captured_ns,\n"
        "        frame.camera_ns, frame.full_range, frame.bt709)\n"
        "import json\n"
        "print(json.dumps(seen), flush=True)\n"
    )
    with running(tmp_path, door(external())) as camring, stage(camring, draw="pass"):
        camring.wait_live("door")
        wait_stage(camring, "attached")
        with program(camring.instance, collect.format(ring="door.out")) as out, program(
            camring.instance, collect.format(ring="door.raw")
        ) as raw:
            made, came = json.loads(out.line()), json.loads(raw.line())
        both = made.keys() & came.keys()
        assert len(both) >= 20, (sorted(made), sorted(came))
        assert {n: made[n] for n in both} == {n: came[n] for n in both}
        found = stage_of(camring)
        assert found["returned"] >= 20 and found["refused"] == 0
        assert (found["reads"], found["writes"]) == ("door.raw", "door.detector")
        settle(camring)


def test_what_the_program_draws_is_shown(tmp_path):
    with running(tmp_path, door(external())) as camring:
        camring.wait_live("door")
        with Stream(camring.port, "/cameras/door/stream.mjpeg") as stream, Stream(
            camring.port, "/cameras/door/stream.mjpeg?quality=30"
        ) as other:
            wait_marked(stream, False)
            assert stage_of(camring)["state"] == "absent"
            with stage(camring):
                for one in stream, other:
                    wait_marked(one)
                wait_stage(camring, "attached")
                assert is_marked(snapshot(camring))
                dump(camring, "door.out", tmp_path)
                with Image.open(tmp_path / "door.out.png") as image:
                    assert level(image) > 160
                dump(camring, "door.raw", tmp_path)
                with Image.open(tmp_path / "door.raw.png") as image:
                    assert level(image) < 160
                text = camring.get("/metrics")[2].decode()
                label = 'camera="door",stage="detector",result="returned"'
                count = re.search(rf"^camring_stage_frames_total{{{label}}} (\d+)$", text, re.M)
                assert int(count[1]) > 0
                settle(camring)
            wait_marked(stream, False)
            wait_stage(camring, "absent")
            check_stream(stream)
            part = stream.parts[-1].headers
            assert "x-timestamp" in part
        settle(camring)


def test_steps_before_and_behind(tmp_path):
    """The program reads what the steps before have made of the picture, in a ring of its own."""
    chain = [{"scale": {"width": 320}}, external(), "gray", {"scale": {"width": 640}}]
    draw = "assert y.shape == (180, 320); y[150:165, 140:155] = 235; cb[:] = 200"
    with running(tmp_path, door(*chain)) as camring, stage(camring, draw):
        camring.wait_live("door")
        with Stream(camring.port, "/cameras/door/stream.mjpeg") as stream:
            wait_marked(stream)
            check_stream(stream)
        assert stage_of(camring)["reads"] == "door.detector-in"
        found = rings(camring.instance)
        assert {"door.raw", "door.detector-in", "door.detector", "door.out"} <= set(found)
        with Image.open(io.BytesIO(snapshot(camring))) as image:
            assert image.size == (640, 360)
            planes = numpy.asarray(image.convert("YCbCr")).astype(int)
            assert abs(planes[:, :, 1:] - 128).max() <= 2
        settle(camring)


def test_two_programs_with_a_step_between(tmp_path):
    """The second sees what the first one and the step between have made."""
    chain = [external("first"), {"filter": "hflip"}, external("second")]
    draw = f"y[{MARK[0]}:{MARK[0] + 30}, 640 - {MARK[1]} - 30:640 - {MARK[1]}] = 235"
    with running(tmp_path, door(*chain)) as camring, stage(camring, draw, "first") as first:
        camring.wait_live("door")
        saw = f"print(int(y[{MARK[0] + 5}:{MARK[0] + 25}, {MARK[1] + 5}:{MARK[1] + 25}].mean()), "
        saw += "flush=True)"
        with stage(camring, saw, "second") as second, Stream(
            camring.port, "/cameras/door/stream.mjpeg"
        ) as stream:
            wait_for(lambda: int(second.line()) == 235, 30, "the first one's mark")
            wait_marked(stream)
            for name in "first", "second":
                wait_for(lambda: stage_of(camring, name)["returned"] > 3, 30, f"pictures of {name}")
            assert [one["name"] for one in camring.camera("door")["stages"]] == ["first", "second"]
            first.kill()
            wait_stage(camring, "absent", "first")
            wait_marked(stream, False)
            assert stage_of(camring, "second")["state"] == "attached"
        settle(camring)


def test_of_a_file_nothing_is_lost(tmp_path, clips):
    """Its next frame comes when the program has given the last one back."""
    cameras = {"film": {"source": f"file:{clips.small_h264()}", "chain": [external()]}}
    camring = Camring(tmp_path, cameras)
    with stage(camring, draw="pass", camera="film"):
        camring.run()
        try:
            camring.wait_state("film", "ended", limit=60)
            found = counters(camring, "film")
            assert found["captured"] == found["encoded"] == clips.PERIOD
            assert found["processed"] == clips.PERIOD and found["chain_dropped"] == 0
            step = camring.camera("film")["stages"][0]
            assert step["returned"] >= clips.PERIOD - 50 and step["late"] + step["refused"] <= 2
            verify(camring)
        finally:
            camring.stop()


# ---- absent, late


def test_viewers_are_told_that_it_is_absent(tmp_path):
    with running(tmp_path, door(external(absent="placeholder"))) as camring:
        camring.wait_state("door", "away")
        assert camring.camera("door")["why"] == "program detector is absent"
        assert status_of(camring)["why"] == "program detector is absent"
        with Stream(camring.port, "/cameras/door/stream.mjpeg") as stream:
            stream.wait_parts(2)
            assert all(read_number(part.body) is None for part in stream.parts)
            with stage(camring) as it:
                camring.wait_live("door")
                wait_marked(stream)
                it.stop()
                camring.wait_state("door", "away")
                assert camring.camera("door")["why"] == "program detector is late"
                it.process.send_signal(signal.SIGCONT)
                camring.wait_live("door")
                wait_marked(stream)
                it.kill()
            camring.wait_state("door", "away")
            assert camring.camera("door")["why"] == "program detector is absent"
            shown = [p.body for p in stream.parts if read_number(p.body) is not None]
            assert shown and all(map(is_marked, shown))  # none without the program's work
            check_stream(stream)
        settle(camring)


def test_a_slow_program_is_late(tmp_path):
    """Each of its pictures comes when a newer one has gone on without it."""
    slow = f"time.sleep(1); {DRAW}"
    with running(tmp_path, door(external(timeout="100ms"))) as camring:
        camring.wait_live("door")
        with Stream(camring.port, "/cameras/door/stream.mjpeg") as stream, stage(camring, slow):
            wait_for(lambda: stage_of(camring)["late"] >= 3, 60, "late pictures")
            assert stage_of(camring)["refused"] == 0
            numbers = check_stream(stream)
            assert len(numbers) > 20
        settle(camring)


def test_a_stopped_program_is_late_and_comes_back(tmp_path):
    with running(tmp_path, door(external(timeout="300ms"))) as camring:
        camring.wait_live("door")
        with Stream(camring.port, "/cameras/door/stream.mjpeg") as stream, stage(camring) as it:
            wait_marked(stream)
            since = stage_of(camring)["since"]
            for _ in range(3):
                it.stop()
                wait_stage(camring, "late")
                wait_marked(stream, False)
                it.process.send_signal(signal.SIGCONT)
                wait_stage(camring, "attached")
                wait_marked(stream)
            assert stage_of(camring)["since"] > since
            check_stream(stream)
        settle(camring)


# ---- life


def test_a_program_that_is_killed_again_and_again(tmp_path):
    with running(tmp_path, door(external())) as camring:
        camring.wait_live("door")
        with Stream(camring.port, "/cameras/door/stream.mjpeg") as stream:
            for _ in range(20):
                with stage(camring) as it:
                    before = stage_of(camring)["returned"]
                    wait_for(lambda: stage_of(camring)["returned"] > before + 2, 30, "pictures")
                    it.kill()
                    wait_stage(camring, "absent")
            wait_marked(stream, False)
            check_stream(stream)
            assert sum(map(is_marked, (part.body for part in stream.parts))) >= 20
        assert stage_of(camring)["refused"] == 0
        settle(camring)


def test_a_program_that_was_there_before(tmp_path):
    """It waits for camring, and goes on when that is started again."""
    camring = Camring(tmp_path, door(external()))
    with stage(camring):
        for how in signal.SIGTERM, None, signal.SIGTERM:
            camring.run().wait_live("door")
            with Stream(camring.port, "/cameras/door/stream.mjpeg") as stream:
                wait_marked(stream)
                check_stream(stream)
            if how:
                camring.stop(how)
            else:
                camring.supervisor.kill()
                camring.wait_exit()
                wait_for(
                    lambda: not any(p.alive() for p in camring.seen.values()), 20, "no process"
                )


def test_workers_that_die_with_pictures_out(tmp_path):
    options = {"encoder": {"workers": 2}, "restart": WIDE}
    with running(tmp_path, door(external()), **options) as camring:
        camring.wait_live("door")
        with Stream(camring.port, "/cameras/door/stream.mjpeg") as stream, stage(camring):
            for _ in range(5):
                wait_marked(stream)
                workers = camring.children("encoder")
                for process in workers:
                    process.kill()
                wait_for(
                    lambda: len(camring.children("encoder")) == 2
                    and not any(process.alive() for process in workers),
                    30,
                    "other workers",
                )
            wait_marked(stream)
            check_stream(stream)
            assert stage_of(camring)["state"] == "attached"
        settle(camring)


# ---- reload


def test_steps_come_are_renamed_and_go(tmp_path):
    with running(tmp_path, door()) as camring:
        camring.wait_live("door")
        captures = [process.pid for process in camring.children("capture")]
        with stage(camring), stage(camring, DARKEN, "other"), Stream(
            camring.port, "/cameras/door/stream.mjpeg"
        ) as stream:
            wait_marked(stream, False)
            for _ in range(2):
                reload(camring, door(external()))
                wait_marked(stream)
                assert {"door.detector"} == {n for n in rings(camring.instance) if "detector" in n}
                reload(camring, door(MIRROR, external()))
                assert "door.detector-in" in rings(camring.instance)
                stream.wait(
                    lambda s: set(looks_of(s.parts[-1].body)) == {"mirrored"}, 30, "mirrored"
                )
                wait_marked(stream)
                assert all(
                    is_mirrored(stream.wait_parts(len(stream.parts) + 1).parts[-1].body)
                    for _ in range(20)
                )
                verify(camring)
                reload(camring, door(external("other")))
                wait_marked(stream, False)
                wait_stage(camring, "attached", "other")
                assert [one["name"] for one in camring.camera("door")["stages"]] == ["other"]
                assert not {n for n in rings(camring.instance) if "detector" in n}
                reload(camring, door())
                wait_marked(stream, False)
                assert camring.camera("door")["stages"] == []
                assert not {n for n in rings(camring.instance) if "other" in n}
                verify(camring)
            check_stream(stream)
        assert [process.pid for process in camring.children("capture")] == captures
        settle(camring)


# ---- ill will

HOSTILE = """
import numpy
out = camring.Producer("door.detector", instance, keep=True)
ring = camring.Ring("door", instance)
numbers = [lambda n: 0, lambda n: n + 1000, lambda n: 2**64 - 1, lambda n: 1, lambda n: n]
sizes = [(2, 2), (16, 3000), (360, 640), (1, 1), (1080, 1920)]
print("ready", flush=True)
for i, frame in zip(range(10**9), ring):
    rows, columns = sizes[i % 5]
    y = numpy.full((rows, columns), i % 256, numpy.uint8)
    c = numpy.full(((rows + 1) // 2, (columns + 1) // 2), 90, numpy.uint8)
    for of in numbers if i % 2 else numbers[:4]:
        out.publish(y, c, c, source=of(frame.number), captured_ns=2**62, camera_ns=-5)
"""

# Takes the ring and a loan, and nothing comes of it.
KEEPS = """
import ctypes
out = camring.Producer("door.detector", instance, keep=True)
error = camring._Error()
assert camring._library.camring_loan(out._handle, 345600, error)
print("ready", flush=True)
time.sleep(1000)
"""


def test_a_hostile_program_does_no_harm(tmp_path):
    cameras = door(external(timeout="300ms"))
    cameras["other"] = SOURCE
    with running(tmp_path, cameras) as camring:
        camring.wait_live("door", "other")
        workers = [process.pid for process in camring.children("encoder")]
        with Stream(camring.port, "/cameras/door/stream.mjpeg") as stream, Stream(
            camring.port, "/cameras/other/stream.mjpeg"
        ) as other:
            with program(camring.instance, HOSTILE):
                wait_for(lambda: stage_of(camring)["refused"] > 30, 60, "refused pictures")
                wait_for(lambda: stage_of(camring)["returned"] > 3, 60, "pictures of its")
                seen = len(other.parts)
                other.wait_parts(seen + 20)
                assert not jpeg_faults([part.body for part in stream.parts])
            wait_stage(camring, "absent")
            with program(camring.instance, KEEPS):
                wait_stage(camring, "late")
                wait_marked(stream, False)
            wait_stage(camring, "absent")
            with stage(camring):
                wait_marked(stream)
            assert not jpeg_faults([part.body for part in stream.parts])
            assert not stream.ended
            times = [float(part.headers["x-timestamp"]) for part in stream.parts]
            assert times == sorted(times) and times[-1] < 4e9  # not of the program's making
            check_stream(other)
        assert [process.pid for process in camring.children("encoder")] == workers
        settle(camring)


def test_no_program_takes_what_is_not_its(tmp_path):
    """One has the step, the other is refused; and rings that workers write are no program's."""
    code = """
for ring in "door.detector", "door.detector-in", "door.out", "door.raw":
    try:
        camring.Producer(ring, instance, keep=True)
        print("open", flush=True)
    except camring.Error as error:
        print(error.code, flush=True)
"""
    with running(tmp_path, door("gray", external())) as camring, stage(camring):
        camring.wait_live("door")
        wait_stage(camring, "attached")
        with program(camring.instance, code, ready=False) as other:
            assert [other.line() for _ in range(4)] == ["BUSY"] * 4
        assert stage_of(camring)["state"] == "attached"


# ---- telling


def test_changes_of_its_state_are_events(tmp_path):
    with running(tmp_path, door(external())) as camring:
        camring.wait_live("door")
        with Events(camring.port) as events:
            events.begin()

            def until(state):
                camera = events.until(lambda c: [s["state"] for s in c["stages"]] == [state])
                assert camera["id"] == "door"
                return camera["stages"][0]

            assert until("absent")["name"] == "detector"
            with stage(camring) as it:
                since = until("attached")["since"]
                it.stop()
                assert until("late")["since"] > since
                it.process.send_signal(signal.SIGCONT)
                until("attached")
                it.kill()
                until("absent")
        log = camring.log()
        for words in "is there", "is late", "is absent":
            assert f"camera door: program detector {words}" in log


# ---- in C, and the example

C_PROGRAM = r"""
#include <camring.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct camring_error error;
    struct camring_frame frame;
    (void)argc;
    struct camring_reader *in = camring_attach(argv[1], "door", 0, &error);
    struct camring_writer *out =
        camring_writer_open(argv[1], "door.detector", CAMRING_KIND_RAW, 0, &error);
    if (!in || !out) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    puts("ready");
    fflush(stdout);
    while (camring_next(in, &frame, INT64_C(20000000000), &error) > 0) {
        uint8_t *to = camring_loan(out, frame.bytes, &error), *at = to;
        if (!to)
            break;
        for (int i = 0; i < 3; i++) {
            uint32_t rows = i > 0 ? frame.height / 2 : frame.height;
            memcpy(at, frame.plane[i], (size_t)rows * frame.stride[i]);
            frame.plane[i] = at;
            at += (size_t)rows * frame.stride[i];
        }
        for (int row = 300; row < 330; row++)
            memset(to + row * frame.stride[0] + 280, 235, 30);
        frame.source = frame.number;
        camring_release(in);
        if (camring_commit(out, &frame, &error) < 0)
            break;
    }
    fprintf(stderr, "%s\n", error.text);
    camring_writer_close(out, 0);
    camring_detach(in);
    return 0;
}
"""


def test_a_program_in_c(tmp_path):
    (tmp_path / "draw.c").write_text(C_PROGRAM)
    library = BIN.parent / "lib/libcamring.a"
    build = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/common", "-o", "draw"]
    subprocess.run([*build, "draw.c", library, "-pthread"], cwd=tmp_path, check=True)
    with running(tmp_path, door(external())) as camring:
        camring.wait_live("door")
        with subprocess.Popen(
            [tmp_path / "draw", camring.instance], stdout=subprocess.PIPE, text=True
        ) as draw:
            assert draw.stdout.readline() == "ready\n"
            with Stream(camring.port, "/cameras/door/stream.mjpeg") as stream:
                wait_marked(stream)
                check_stream(stream)
            draw.kill()
        settle(camring)
