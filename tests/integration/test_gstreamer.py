"""The GStreamer plugin: camera's frames in pipelines of gst-launch-1.0, of applications and of
OpenCV."""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import zlib

import pytest

from clips import jpeg_fault, number_in, read_number, split_jpegs
from PIL import Image
from product import BIN, ROOT, Camring, running, wait_for
from shmtool import ENVIRONMENT as LIBRARY_ENVIRONMENT
from shmtool import Program, program, rings, shm_json

PLUGIN = BIN.parent / "lib/gstreamer-1.0/libgstcamring.so"
if not PLUGIN.exists():
    pytest.skip("the plugin was not built: GStreamer's headers are needed", allow_module_level=True)

WIDTH, HEIGHT, FPS = 320, 240, 25
RAW = WIDTH * HEIGHT * 3 // 2
GST_PROGRAM = pathlib.Path(__file__).parent / "gst_program.py"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """With a registry of its own, so that none of another build is believed."""
    return {
        **LIBRARY_ENVIRONMENT,
        "GST_PLUGIN_PATH": str(PLUGIN.parent),
        "GST_REGISTRY": str(tmp_path_factory.mktemp("gst") / "registry.bin"),
    }


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with running(
        tmp_path_factory.mktemp("live"), {"door": f"test:?size={WIDTH}x{HEIGHT}&fps={FPS}"}
    ) as camring:
        yield camring.wait_live("door")


def run(environment, *words):
    return subprocess.run(
        [str(word) for word in words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )


def source(camring, **properties):
    words = {"camera": "door", "instance": camring.instance, **properties}
    return "camringsrc " + " ".join(f"{name}={value}" for name, value in words.items())


def launch(environment, description):
    return run(environment, "gst-launch-1.0", "-q", *description.split())


class Application:
    def __init__(self, environment, description):
        self.process = subprocess.Popen(
            [sys.executable, "-B", GST_PROGRAM, description],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self.process.pid

    def tell(self, *words):
        print(*words, file=self.process.stdin, flush=True)

    def hear(self):
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)

    def ask(self, *words):
        self.tell(*words)
        return self.hear()

    def pull(self, count):
        self.tell("pull", count)
        samples = [self.hear() for _ in range(count)]
        assert not any("error" in sample for sample in samples), samples
        return samples

    def end(self):
        """What it has written to stderr."""
        self.process.stdin.close()
        assert self.hear() == {"ended": True}
        assert self.process.wait(20) == 0
        return self.process.stderr.read()


@contextlib.contextmanager
def application(*words):
    it = Application(*words)
    try:
        yield it
    finally:
        it.process.kill()
        it.process.wait()
        for pipe in (it.process.stdin, it.process.stdout, it.process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()


def readers(camring, pid, ring="door.raw"):
    return [one for one in rings(camring.instance)[ring]["readers"] if one["pid"] == pid]


def rising(numbers):
    return all(0 < (b - a) % 65536 < 32768 for a, b in zip(numbers, numbers[1:]))


def test_inspection_is_clean(environment):
    for words in (["camring"], ["camringsrc"], ["camringsink"]):
        done = run(environment, "gst-inspect-1.0", *words)
        assert (done.returncode, done.stderr) == (0, b"") and b"camring" in done.stdout


def test_frames_come_whole_and_in_order(live, environment):
    done = launch(environment, f"{source(live)} num-buffers=30 ! fdsink")
    assert (done.returncode, done.stderr, len(done.stdout)) == (0, b"", 30 * RAW)
    numbers = [
        number_in(Image.frombytes("L", (WIDTH, HEIGHT), done.stdout[at : at + WIDTH * HEIGHT]))
        for at in range(0, 30 * RAW, RAW)
    ]
    assert None not in numbers and rising(numbers)


def test_jpegs_come_as_they_are(live, environment):
    done = launch(environment, f"{source(live, ring='jpeg')} num-buffers=10 ! fdsink")
    jpegs = split_jpegs(done.stdout)
    assert len(jpegs) == 10 and not any(jpeg_fault(jpeg) for jpeg in jpegs)
    assert rising([read_number(jpeg) for jpeg in jpegs])


CAPTURED = """
reader = camring.Ring("door", instance=instance)
print("ready", flush=True)
for frame in reader:
    print(frame.number, frame.captured_ns, flush=True)
"""


def test_timestamps_are_when_the_frames_were_captured(live, environment):
    with program(live.instance, CAPTURED) as reader:
        with application(environment, f"{source(live)} ! appsink name=out sync=true") as one:
            pulled = {sample["number"]: sample for sample in one.pull(20)}
            captured = {}
            while max(captured, default=0) < max(pulled):
                number, ns = map(int, reader.line().split())
                captured[number] = ns
            both = [number for number in sorted(pulled)[1:] if number in captured]
            assert len(both) >= 5
            assert all(abs(pulled[number]["at"] - captured[number]) < 1e6 for number in both)
            for before, after in zip(sorted(pulled), sorted(pulled)[1:]):
                assert pulled[after]["pts"] > pulled[before]["pts"]
                assert pulled[after]["gap"] == (after != before + 1)
            is_live, least, most = one.ask("latency")["latency"]
            assert is_live and 0 < least <= most < 10e9
            one.end()


def test_caps_say_what_the_frames_are(live, environment):
    with application(environment, f"{source(live)} ! appsink name=out") as one:
        caps = one.pull(1)[0]["caps"]
        assert f"width=(int){WIDTH}, height=(int){HEIGHT}" in caps and "format=(string)I420" in caps
        rate, unit = map(int, re.search(r"framerate=\(fraction\)(\d+)/(\d+)", caps).groups())
        assert rate / unit == pytest.approx(FPS, rel=0.3)
        assert "colorimetry=(string)bt601" in caps or "colorimetry=(string)1:4:16:4" in caps
        assert one.end() == ""


# A ring of its own: a line "WIDTH HEIGHT FORMAT VALUE" is a picture, whose planes count from VALUE,
# VALUE + 1 and VALUE + 2 on.
PRODUCE = """
import numpy
producer = camring.Producer("mine", instance=instance, rows={rows})
print("ready", flush=True)
for line in sys.stdin:
    width, height, form, value = line.split()
    width, height, value = int(width), int(height), int(value)
    across = width if form == "I444" else (width + 1) // 2
    down = (height + 1) // 2 if form == "I420" else height
    shapes = [(height, width), (down, across), (down, across)]
    planes = [(numpy.arange(rows * columns) + value + i).reshape(rows, columns).astype(numpy.uint8)
              for i, (rows, columns) in enumerate(shapes)]
    print(producer.publish(*planes, full_range=form == "I444", bt709=form == "I422"), flush=True)
"""


def publish(producer, *words):
    producer.tell(" ".join(map(str, words)))
    assert int(producer.line()) > 0


def counting(first, size):
    return bytes(value % 256 for value in range(first, first + size))


def mine(camring):
    return source(camring, camera="mine")


# An appsink is content with planes where they always are; videoflip can be told where they lie.
@pytest.mark.parametrize("between", ["", "videoflip video-direction=180 !"], ids=["copied", "not"])
def test_other_sizes_and_formats_come_with_their_caps(live, environment, between):
    pictures = [
        (64, 48, "I420", "I420", [64 * 48, 32 * 24, 32 * 24], "2:4:16:4"),
        (63, 47, "I420", "I420", [63 * 47, 32 * 24, 32 * 24], "2:4:16:4"),
        (63, 47, "I422", "Y42B", [63 * 47, 32 * 47, 32 * 47], "bt709"),
        (1280, 720, "I420", "I420", [1280 * 720, 640 * 360, 640 * 360], "2:4:16:4"),
        (66, 50, "I444", "Y444", [66 * 50, 66 * 50, 66 * 50], "1:4:16:4"),
    ]
    if between:  # videoflip knows no Y42B
        pictures = [picture for picture in pictures if picture[2] != "I422"]
    with program(live.instance, PRODUCE.format(rows=8)) as producer, application(
        environment, f"{mine(live)} ! {between} appsink name=out"
    ) as one:
        for value, (width, height, form, word, sizes, colours) in enumerate(pictures, 10):
            wait_for(lambda: readers(live, one.pid, "mine.raw"), 20, "the pipeline's reader")
            publish(producer, width, height, form, value)
            (sample,) = one.pull(1)
            assert f"format=(string){word}, width=(int){width}, height=(int){height}," in (
                sample["caps"]
            )
            assert f"colorimetry=(string){colours}" in sample["caps"] or (
                colours == "2:4:16:4" and "colorimetry=(string)bt601" in sample["caps"]
            )
            expected = [counting(value + i, size) for i, size in enumerate(sizes)]
            if between:
                expected = [plane[::-1] for plane in expected]
            assert sample["sums"] == [zlib.crc32(plane) for plane in expected]
        assert one.end() == ""


def queued(size):
    """Full queues before an element that reads frames where they lie."""
    return (
        f"queue max-size-buffers={size} max-size-bytes=0 max-size-time=0 ! videoconvert ! "
        "video/x-raw,format=GRAY8 ! appsink name=out max-buffers=1 sync=false"
    )


def test_buffers_that_are_kept_keep_few_frames_from_the_ring(live, environment):
    with application(environment, f"{source(live)} ! {queued(8)}") as one:
        first = one.pull(1)[0]["number"]
        wait_for(lambda: readers(live, one.pid)[0]["lag"] > 2 * FPS, 20, "a full queue")
        before = rings(live.instance)["door.raw"]
        assert readers(live, one.pid)[0]["held"] == 3
        pulled = one.pull(40)
        numbers = [first] + [sample["number"] for sample in pulled]
        assert numbers == sorted(set(numbers))
        # eight in the queue, and one each in the hands of source, converter and sink
        behind = [number for number in numbers if number < before["frame"] - FPS]
        assert 8 <= len(behind) <= 12
        burnt = [sample["burnt"] for sample in pulled]
        assert None not in burnt and rising(burnt)
        steps = [b - a for a, b in zip(numbers[1:], numbers[2:])]
        assert steps == [(b - a) % 65536 for a, b in zip(burnt, burnt[1:])]
        after = rings(live.instance)["door.raw"]
        assert after["no_slot"] == before["no_slot"]
        assert one.end() == ""
    wait_for(lambda: not readers(live, one.pid), 20, "no reader any more")


def test_ring_with_one_row_is_enough(live, environment):
    with program(live.instance, PRODUCE.format(rows=1)) as producer, application(
        environment, f"{mine(live)} ! {queued(20)}"
    ) as one:
        wait_for(lambda: readers(live, one.pid, "mine.raw"), 20, "the pipeline's reader")
        for value in range(10, 20):
            publish(producer, 64, 48, "I420", value)
            wait_for(
                lambda: readers(live, one.pid, "mine.raw")[0]["lag"] == 0, 20, "the frame is taken"
            )
        assert [sample["number"] for sample in one.pull(10)] == list(range(1, 11))
        assert one.end() == ""


def test_branches_share_frames(live, environment):
    branch = "queue ! videoconvert ! video/x-raw,format=BGR ! fakesink sync=true"
    done = launch(
        environment, f"{source(live)} num-buffers=50 ! tee name=t ! {branch} t. ! {branch}"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_it_goes_on_when_camring_is_back(tmp_path, environment):
    camring = Camring(tmp_path, {"door": f"test:?size={WIDTH}x{HEIGHT}&fps={FPS}"})
    try:
        camring.run().wait_live("door")
        with application(environment, f"{source(camring)} ! appsink name=out drop=true") as one:
            before = one.pull(10)
            camring.stop()
            camring.run().wait_live("door")
            wait_for(lambda: readers(camring, one.pid), 20, "the pipeline's reader")
            after = one.pull(60)
            assert any(sample["gap"] for sample in after)
            assert after[-1]["number"] < before[0]["number"] + 1000
            assert all(b["pts"] > a["pts"] for a, b in zip(after[30:], after[31:]))
            assert one.end() == ""
        camring.stop()
    finally:
        camring.kill_all()


@pytest.mark.parametrize("away", [False, True], ids=["running", "while the ring is away"])
def test_ctrl_c_ends_it_at_once(tmp_path, environment, away):
    camring = Camring(tmp_path, {"door": f"test:?size={WIDTH}x{HEIGHT}&fps={FPS}"})
    try:
        camring.run().wait_live("door")
        words = ["gst-launch-1.0", "-e", *source(camring).split(), "!", "fakesink"]
        process = subprocess.Popen(
            words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        wait_for(lambda: readers(camring, process.pid), 20, "a reader")
        assert any("PLAYING" in line for line in process.stdout)  # it knows Ctrl-C only now
        if away:
            camring.stop()
            assert any("waiting for it to come back" in line for line in process.stdout)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)[0]
        assert process.returncode == 0, said
        assert "EOS" in said and time.monotonic() - begin < 20
        if not away:
            camring.stop()
    finally:
        camring.kill_all()


@pytest.mark.parametrize(
    "properties, said",
    [
        ("camera=window", "window.raw"),
        ("camera=door ring=nothing", "door.nothing"),
        ("camera=../x", "is no name of a ring"),
        ("", "which camera?"),
    ],
)
def test_what_is_not_there_is_said(live, environment, properties, said):
    words = f"camringsrc instance={live.instance} {properties} ! fakesink"
    done = run(environment, "gst-launch-1.0", *words.split())
    assert done.returncode != 0 and said in done.stderr.decode()


OPENCV = """
import sys, cv2
source = cv2.VideoCapture(sys.argv[1] + " ! videoconvert ! appsink", cv2.CAP_GSTREAMER)
assert source.isOpened()
for _ in range(10):
    good, image = source.read()
    assert good
    print(*image.shape, int(image.mean()))
source.release()
"""


def test_opencv_reads_it(live, environment):
    done = run(environment, sys.executable, "-c", OPENCV, source(live))
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0 and len(lines) == 10, done.stderr
    assert all(line.startswith(f"{HEIGHT} {WIDTH} 3 ") for line in lines)
    assert all(10 < int(line.split()[3]) < 245 for line in lines)


def test_plugin_knows_the_public_library_alone():
    needed = subprocess.run(["readelf", "-d", PLUGIN], capture_output=True, text=True).stdout
    assert "[libcamring.so.1]" in needed
    symbols = subprocess.run(["nm", "-D", PLUGIN], capture_output=True, text=True).stdout
    used = set(re.findall(r" U (camring_\w+)@CAMRING", symbols))
    header = (ROOT / "common/camring.h").read_text()
    assert used and all(re.search(rf"\b{name}\(", header) for name in used)
    defined = re.findall(r" T (\w+)", symbols)
    assert all(name.startswith("gst_plugin_camring_") for name in defined)


# -- camringsink


# Prints what comes in a ring, frame by frame.
WATCH = """
import zlib
for ring in (None,):
    while ring is None:
        try:
            ring = camring.Ring({ring!r}, instance=instance)
        except camring.Error as error:
            assert error.code == "ABSENT", error
            time.sleep(0.01)
print("ready", flush=True)
for frame in ring:
    print(frame.number, frame.format, frame.width, frame.height, int(frame.full_range),
          int(frame.bt709), frame.captured_ns, frame.committed_ns,
          *(zlib.crc32(plane.tobytes()) for plane in frame.planes), flush=True)
print("closed", flush=True)
"""


class Sink:
    """A pipeline that ends in a camringsink, and who watches its ring."""

    def __init__(self, camring, environment, description, ring="mine.raw"):
        words = f"gst-launch-1.0 -q -e {description} ! camringsink camera=mine"
        self.process = subprocess.Popen(
            [*words.split(), f"instance={camring.instance}"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.watcher = Program(camring.instance, WATCH.format(ring=ring))

    def frame(self):
        number, form, *numbers = self.watcher.line().split()
        return int(number), form, tuple(map(int, numbers))

    def end(self):
        """What the pipeline said."""
        self.process.send_signal(signal.SIGINT)
        said = self.process.communicate(timeout=30)[0]
        assert self.process.returncode == 0
        while self.watcher.line() != "closed":
            pass
        return said

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.watcher.end()


@contextlib.contextmanager
def sink(*words, **options):
    it = Sink(*words, **options)
    try:
        yield it
    finally:
        it.stop()


@pytest.mark.parametrize(
    "form, word, shift",
    [("I420", "I420", (1, 1)), ("Y42B", "I422", (1, 0)), ("Y444", "I444", (0, 0))],
)
@pytest.mark.parametrize("width, height", [(320, 240), (63, 47)])
@pytest.mark.parametrize("colours, full, bt709", [("bt709", 0, 1), ("1:4:16:4", 1, 0)])
def test_what_is_written_is_what_is_read(
    live, environment, form, word, shift, width, height, colours, full, bt709
):
    caps = (
        f"video/x-raw,format={form},width={width},height={height},framerate=50/1,"
        f"colorimetry={colours}"
    )
    rows, columns = -(-height // (1 << shift[1])), -(-width // (1 << shift[0]))
    shapes = [(height, width), (rows, columns), (rows, columns)]
    reference = launch(
        environment, f"videotestsrc pattern=colors num-buffers=1 ! {caps} ! fdsink"
    ).stdout
    expected, at = [], 0
    for high, wide in shapes:
        stride = -(-wide // 4) * 4
        padded = -(-high // (1 << shift[1])) * (1 << shift[1]) if not expected else high
        plane = b"".join(reference[at + y * stride :][:wide] for y in range(high))
        expected.append(zlib.crc32(plane))
        at += stride * padded
    with sink(live, environment, f"videotestsrc pattern=colors is-live=true ! {caps}") as one:
        before = 0
        for _ in range(3):
            number, got, (*numbers, captured, committed, a, b, c) = one.frame()
            assert number > before and got == word
            assert numbers == [width, height, full, bt709]
            assert 0 <= committed - captured < 5e9
            assert [a, b, c] == expected
            before = number
        assert one.end() == ""


def test_jpegs_are_written_as_they_are(live, environment):
    caps = "video/x-raw,width=160,height=120,framerate=50/1"
    reference = launch(
        environment, f"videotestsrc pattern=colors num-buffers=1 ! {caps} ! jpegenc ! fdsink"
    ).stdout
    pipeline = f"videotestsrc pattern=colors is-live=true ! {caps} ! jpegenc"
    with sink(live, environment, pipeline, ring="mine.jpeg") as one:
        number, form, (width, height, full, bt709, captured, committed, crc) = one.frame()
        assert (form, width, height) == ("JPEG", 160, 120)
        assert crc == zlib.crc32(reference)
        assert one.end() == ""


def test_source_and_sink_hand_on_frames_and_their_times(live, environment):
    with program(live.instance, CAPTURED) as reader:
        pipeline = f"{source(live)} ! videoflip video-direction=180"
        with sink(live, environment, pipeline) as one:
            times = [one.frame()[2][4] for _ in range(15)]
            captured = []
            while max(captured, default=0) < times[-1] - 1e6:
                captured.append(int(reader.line().split()[1]))
            for ns in times[1:]:
                if ns > captured[0] - 1e6:
                    assert min(abs(ns - other) for other in captured) < 1e6
            assert times == sorted(set(times))
            assert one.end() == ""


# Prints the numbers that are burnt in a ring's pictures.
NUMBERS = """
import numpy
from PIL import Image
from clips import number_in
ring = None
while ring is None:
    try:
        ring = camring.Ring("mine", instance=instance)
    except camring.Error as error:
        assert error.code == "ABSENT", error
        time.sleep(0.01)
print("ready", flush=True)
for frame in ring:
    print(number_in(Image.fromarray(frame.array)), flush=True)
"""


@pytest.mark.parametrize(
    "between, in_place",
    [
        ("videoflip video-direction=180 ! videoflip video-direction=180", True),
        ("videoflip video-direction=180 ! queue ! videoflip video-direction=180 ! queue", True),
        # keeps a buffer, and shows it again
        (
            "videoflip video-direction=180 ! videoflip video-direction=180 ! "
            "videorate ! video/x-raw,framerate=100/1",
            False,
        ),
        ("tee name=t ! queue ! fakesink t. ! queue", False),
    ],
)
def test_frames_are_drawn_in_the_ring_where_no_other_element_has_them(
    live, environment, between, in_place
):
    words = f"{source(live)} ! {between} ! camringsink name=s camera=mine instance={live.instance}"
    with application(environment, words) as one:
        with program(live.instance, NUMBERS) as watcher:
            numbers = [watcher.line() for _ in range(60)]
            assert "None" not in numbers
            steps = [(int(b) - int(a)) % 65536 for a, b in zip(numbers, numbers[1:])]
            assert all(step < 32768 for step in steps) and sum(steps) > 5
            assert (one.ask("get", "s", "copied")["value"] == 0) == in_place
            assert shm_json(live.instance, "verify")["faults"] == []
        assert one.end() == ""
    assert "mine.raw" not in rings(live.instance)


def test_other_size_is_a_new_generation(live, environment):
    with program(live.instance, PRODUCE.replace('"mine"', '"other"').format(rows=8)) as producer:
        pipeline = f"{source(live, camera='other')} ! videoflip video-direction=180 ! queue"
        publish(producer, 64, 48, "I420", 1)
        with sink(live, environment, pipeline) as one:
            for width, height in ((64, 48), (640, 480), (65, 49)):
                publish(producer, width, height, "I420", 1)
                while one.frame()[2][:2] != (width, height):
                    pass
            assert rings(live.instance)["mine.raw"]["generation"] == 2
            assert one.end() == ""


@pytest.mark.parametrize(
    "properties, said",
    [
        ("camera=door", "door.raw: another process writes this ring"),
        ("camera=door ring=jpeg", "door.jpeg: written by the encoders of a running instance"),
        ("camera=../x", "is no name of a ring"),
        ("", "which camera?"),
    ],
)
def test_what_cannot_be_written_is_said(live, environment, properties, said):
    """Not by gst-launch-1.0, which in Debian 12 may hang after an error of a stream."""
    words = f"videotestsrc ! camringsink instance={live.instance} {properties}"
    with application(environment, words) as one:
        assert said in one.ask("error")["error"]
        assert one.end() == ""
