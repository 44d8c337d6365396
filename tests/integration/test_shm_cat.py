"""camring-shm cat: a ring's frames into a pipe, for ffmpeg, GStreamer and all that reads y4m or
MJPEG."""
import contextlib
import json
import os
import pty
import subprocess

import pytest
from PIL import Image

from clips import jpeg_fault, number_in, read_number, split_jpegs
from product import BIN, running, wait_for
from shmtool import needs_library, program, rings, shm

WIDTH, HEIGHT, FPS = 320, 240, 25
FRAME = len(b"FRAME\n") + WIDTH * HEIGHT * 3 // 2


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with running(
        tmp_path_factory.mktemp("cat"), {"door": f"test:?size={WIDTH}x{HEIGHT}&fps={FPS}"}
    ) as camring:
        yield camring.wait_live("door")


@contextlib.contextmanager
def cat(instance, *words, stdout=subprocess.PIPE):
    """Its process; what it has said by then is in `errors` after the block."""
    process = subprocess.Popen(
        [BIN / "camring-shm", "cat", *words, "--instance", instance],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
        if process.stdout:
            process.stdout.close()
        process.errors = process.stderr.read().decode()
        process.wait(20)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def read_frame(pipe):
    """The number in the next frame of a y4m stream."""
    data = pipe.read(FRAME)
    assert len(data) == FRAME and data[:6] == b"FRAME\n"
    number = number_in(Image.frombytes("L", (WIDTH, HEIGHT), data[6 : 6 + WIDTH * HEIGHT]))
    assert number is not None
    return number


def run(*words, stdin):
    return subprocess.run(words, stdin=stdin, capture_output=True, timeout=60)


def rising(numbers):
    return all(0 < (b - a) % 65536 < 32768 for a, b in zip(numbers, numbers[1:]))


def test_ffmpeg_reads_raw_frames(live):
    with cat(live.instance, "door.raw", "--frames", "20") as process:
        words = "-v error -i - -f rawvideo -pix_fmt gray -"
        done = run("ffmpeg", *words.split(), stdin=process.stdout)
    size = WIDTH * HEIGHT
    assert (done.returncode, done.stderr, len(done.stdout)) == (0, b"", 20 * size)
    assert (process.returncode, process.errors) == (0, "")
    numbers = [
        number_in(Image.frombytes("L", (WIDTH, HEIGHT), done.stdout[at : at + size]))
        for at in range(0, 20 * size, size)
    ]
    assert None not in numbers and rising(numbers)


def test_ffprobe_knows_what_they_are(live):
    with cat(live.instance, "door", "--frames", "3") as process:
        words = "-v error -show_streams -of json -i -"
        done = run("ffprobe", *words.split(), stdin=process.stdout)
    (stream,) = json.loads(done.stdout)["streams"]
    (newest,) = [ring for ring in rings(live.instance).values() if ring["name"] == "door.raw"]
    assert (stream["width"], stream["height"]) == (WIDTH, HEIGHT)
    assert stream["pix_fmt"] in ("yuv420p", "yuvj420p")
    rate, unit = map(int, stream["r_frame_rate"].split("/"))
    assert rate / unit == pytest.approx(newest["fps"], rel=0.3)
    with cat(live.instance, "door.raw", "--frames", "1") as process:
        header = process.stdout.readline().decode().split()
    shown = json.loads(shm(live.instance, "show", "door.raw", "--json").stdout)["rings"][0]
    full = shown["slots"][0]["range"] == "full"
    assert header[-1] == f"XCOLORRANGE={'FULL' if full else 'LIMITED'}"
    assert header[-2] == f"C{'420jpeg' if full else '420mpeg2'}"


def test_gstreamer_reads_raw_frames(live):
    with cat(live.instance, "door.raw", "--frames", "20") as process:
        words = "-q fdsrc ! y4mdec ! video/x-raw,format=I420 ! fdsink"
        done = run("gst-launch-1.0", *words.split(), stdin=process.stdout)
    size = WIDTH * HEIGHT * 3 // 2
    assert (done.returncode, len(done.stdout)) == (0, 20 * size), done.stderr
    numbers = [
        number_in(Image.frombytes("L", (WIDTH, HEIGHT), done.stdout[at : at + WIDTH * HEIGHT]))
        for at in range(0, 20 * size, size)
    ]
    assert None not in numbers and rising(numbers)


def test_jpegs_come_as_they_are(live):
    with cat(live.instance, "door.jpeg", "--frames", "20") as process:
        data = process.stdout.read()
    jpegs = split_jpegs(data)
    assert len(jpegs) == 20 and not any(jpeg_fault(jpeg) for jpeg in jpegs)
    assert sum(len(jpeg) for jpeg in jpegs) == len(data)
    assert rising([read_number(jpeg) for jpeg in jpegs])
    with cat(live.instance, "door.jpeg", "--frames", "20") as process:
        words = "-v error -f mjpeg -i - -f rawvideo -pix_fmt gray -"
        done = run("ffmpeg", *words.split(), stdin=process.stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout) == 20 * WIDTH * HEIGHT


def newest_number(camring):
    return read_number(camring.get("/cameras/door/snapshot.jpg")[2])


def test_slow_pipe_gets_whole_frames_and_the_newest(live):
    with cat(live.instance, "door.raw") as process:
        assert process.stdout.readline().startswith(b"YUV4MPEG2 ")
        numbers = [read_frame(process.stdout)]
        for _ in range(3):
            before = rings(live.instance)["door.raw"]
            wait_for(
                lambda: rings(live.instance)["door.raw"]["frame"] > before["frame"] + FPS,
                20,
                "a second of frames",
            )
            newest = newest_number(live)
            numbers.append(read_frame(process.stdout))  # which the pipe had begun to take
            numbers.append(read_frame(process.stdout))
            assert (numbers[-1] - newest) % 65536 < 32768, (numbers, newest)
        assert rising(numbers)
        after = rings(live.instance)["door.raw"]
        (reader,) = [one for one in after["readers"] if one["pid"] == process.pid]
        assert reader["name"] == "camring-shm" and reader["missed"] > FPS
        assert after["no_slot"] == before["no_slot"] and not reader["trouble"]
        assert reader["pin"] is None
    assert (process.returncode, process.errors) == (0, "")


def test_it_ends_with_its_program_though_no_frame_comes(live):
    with program(live.instance, SILENT) as producer:
        with cat(live.instance, "mine.jpeg") as process:
            assert process.stdout.read(1002) == b"\xff\xd8" + bytes(1000)
        assert (process.returncode, process.errors) == (0, "")
        assert producer.process.poll() is None


# One picture, and then no other until it is told to; then ones of another size.
SILENT = """
import numpy
def picture(width, height):
    return [numpy.full((height >> i, width >> i), 90, numpy.uint8) for i in (0, 1, 1)]
producer = camring.Producer("mine.jpeg", instance=instance, jpeg=True)
producer.publish_jpeg(b"\\xff\\xd8" + bytes(1000), 64, 48)
print("ready", flush=True)
raw = None
for line in sys.stdin:
    width, height = map(int, line.split())
    raw = raw or camring.Producer("mine.raw", instance=instance)
    raw.publish(*picture(width, height))
    print(line, end="", flush=True)
raw.close()
print("closed", flush=True)
"""
pytestmark = needs_library


def test_other_size_ends_a_stream_of_raw_frames(live):
    with program(live.instance, SILENT) as producer:
        for size in ("64 48", "64 48"):
            producer.tell(size)
            assert producer.line() == size
        with cat(live.instance, "mine.raw") as process:
            header = process.stdout.readline()
            assert header.startswith(b"YUV4MPEG2 W64 H48 F")
            frame = 6 + 64 * 48 * 3 // 2
            data = process.stdout.read(frame)
            producer.tell("64 48")
            data += process.stdout.read(frame)
            producer.tell("128 96")
            data += process.stdout.read()
        assert process.returncode == 1
        assert data == 2 * (b"FRAME\n" + bytes([90]) * (frame - 6))
        assert process.errors == (
            "camring-shm: mine.raw: from frame 4 on the pictures are 128x96 I420 limited, before "
            "64x48 I420 limited; y4m can't change on the way, so this stream ends\n"
        )


def test_closed_ring_ends_the_stream(live):
    with program(live.instance, SILENT) as producer:
        for _ in range(2):
            producer.tell("64 48")
            producer.line()
        with cat(live.instance, "mine.raw") as process:
            process.stdout.readline()
            process.stdout.read(6)
            producer.process.stdin.close()
            process.stdout.read()
        assert process.returncode == 1
        assert process.errors == "camring-shm: mine.raw: the ring's owner has closed it\n"


def test_terminal_is_refused(live):
    controller, terminal = pty.openpty()
    with cat(live.instance, "door.raw", stdout=terminal) as process:
        pass
    os.close(terminal)
    os.close(controller)
    assert process.returncode == 2
    assert "video is no text" in process.errors and "| ffmpeg -i -" in process.errors


@pytest.mark.parametrize(
    "words, said",
    [
        (["door.raw", "--frames", "0"], '"0" is no number of frames'),
        (["door.raw", "--frames", "2x"], '"2x" is no number of frames'),
        (["door.raw", "--json"], "does not take --json"),
        (["door.raw", "--all"], "does not take --all"),
        ([], "which ring?"),
    ],
)
def test_wrong_usage(live, words, said):
    done = shm(live.instance, "cat", *words)
    assert (done.returncode, done.stdout) == (2, "") and said in done.stderr


def test_ring_that_is_not_there(live):
    done = shm(live.instance, "cat", "window")
    assert (done.returncode, done.stdout) == (1, "") and "door.raw" in done.stderr


def test_full_disk_is_said(live):
    with open("/dev/full", "wb") as full:
        with cat(live.instance, "door.raw", stdout=full) as process:
            pass
    assert process.returncode == 1
    assert "can't write to standard output: No space left on device" in process.errors
