"""common/python/camring.py: frames as NumPy arrays, from cameras and between programs."""
import contextlib
import gc
import io
import itertools
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import threading
import time

import numpy
import pytest
from PIL import Image

from clips import jpeg_fault, number_in, read_number
from product import BIN, ROOT, Camring, running, wait_for

LIBRARY = BIN.parent / "lib/libcamring.so.1"
MODULES = ROOT / "common/python"
ENVIRONMENT = {
    **os.environ,
    "CAMRING_LIBRARY": str(LIBRARY),
    "PYTHONPATH": str(MODULES),
    "PYTHONDONTWRITEBYTECODE": "1",
}

if b"__asan_init" in LIBRARY.read_bytes():
    pytest.skip(
        "a library with a sanitizer in it can't be loaded into Python", allow_module_level=True
    )
os.environ["CAMRING_LIBRARY"] = str(LIBRARY)
sys.path.insert(0, str(MODULES))

import camring  # noqa: E402


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with running(
        tmp_path_factory.mktemp("python"), {"door": "test:?size=640x360&fps=20"}
    ) as instance:
        yield instance.wait_live("door")


@pytest.fixture
def name():
    """An instance of the test's own, and nothing left of it."""
    name = f"py{os.getpid()}"
    yield name
    gc.collect()
    assert not [file for file in os.listdir("/dev/shm") if file.startswith(f"camring.{name}.")]


def picture(width, height, value, half=(2, 2)):
    """Planes that differ from each other; `half`: by what chroma is smaller."""
    rows, columns = -(-height // half[0]), -(-width // half[1])
    y = (
        numpy.arange(height * width, dtype=numpy.uint32).reshape(height, width) * 7 + value
    ).astype(numpy.uint8)
    return (
        y,
        numpy.full((rows, columns), value, numpy.uint8),
        numpy.full((rows, columns), 255 - value, numpy.uint8),
    )


def address(array):
    return array.__array_interface__["data"][0]


def mapping_of(place):
    """The line of /proc/self/maps that `place` lies in."""
    for line in pathlib.Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(word, 16) for word in line.split()[0].split("-"))
        if first <= place < last:
            return line
    return ""


def own_rows(instance, ring="door.raw"):
    done = subprocess.run(
        [BIN / "camring-shm", "show", ring, "--instance", instance, "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    shown = json.loads(done.stdout)["rings"][0]
    return [row for row in shown["readers"] if row["pid"] == os.getpid()]


def script(text, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", text, *map(str, arguments)],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


# -- a live camera


def test_raw_frames_are_pictures_in_shared_memory(live):
    with camring.Ring("door", live.instance) as ring:
        numbers = []
        for frame in itertools.islice(ring, 10):
            assert (frame.format, frame.width, frame.height, frame.array.shape) == (
                "I420",
                640,
                360,
                (360, 640),
            )
            assert [plane.shape for plane in frame.planes] == [(360, 640), (180, 320), (180, 320)]
            assert number_in(Image.fromarray(frame.array)) is not None
            assert (
                0 <= time.monotonic_ns() - frame.committed_ns < 10e9
                and frame.captured_ns <= frame.committed_ns
            )
            numbers.append(frame.number)
            for plane in frame.planes:
                line = mapping_of(address(plane))
                assert f"/dev/shm/camring.{live.instance}.door.raw." in line and " r--s " in line
                assert not plane.flags.writeable
        assert numbers == sorted(set(numbers))
        stat = ring.stat()
        assert stat["taken"] in (9, 10)  # without the one that was there before it
        assert (
            stat["taken"] + stat["missed"] == numbers[-1] - stat["joined"] and stat["writer_alive"]
        )


def test_jpeg_frames_are_whole_files(live):
    with camring.Ring("door.jpeg", live.instance) as ring:
        before = 0
        for frame in itertools.islice(ring, 5):
            data = frame.array.tobytes()
            assert frame.format == "JPEG" and len(frame.planes) == 1 and not jpeg_fault(data)
            assert read_number(data) is not None and frame.source > before
            before = frame.source


def test_frame_is_pinned_until_it_is_released(live):
    with camring.Ring("door", live.instance) as ring:
        with ring.next() as frame:
            (row,) = own_rows(live.instance)
            assert row["pin"] is not None and row["name"] == (
                camring._program() or pathlib.Path("/proc/self/comm").read_text().strip()
            )
            kept = frame.array.copy()
            wait_for(
                lambda: ring.stat()["published"] > frame.number + 25, 20, "25 more frames"
            )  # as many as the ring has slots for
            assert (frame.array == kept).all()
        assert own_rows(live.instance)[0]["pin"] is None
        ring.next()
        assert own_rows(live.instance)[0]["pin"] is not None
        ring.next().release()
        assert own_rows(live.instance)[0]["pin"] is None
    assert not own_rows(live.instance)


def test_observer_takes_no_row_and_gets_copies(live):
    with camring.Ring("door", live.instance, observe=True, ready=True) as ring:
        frame = ring.next()
        assert number_in(Image.fromarray(frame.array)) is not None and "/dev/shm" not in mapping_of(
            address(frame.array)
        )
        kept = frame.array.copy()
        ring.next()
        assert not own_rows(live.instance)
    assert (frame.array == kept).all()  # a copy stays what it is, even without its ring


def test_frames_that_are_taken(live):
    with camring.Ring("door", live.instance) as ring:
        frames = [ring.take() for _ in range(4)]
        assert [row["held"] for row in own_rows(live.instance)] == [4]
        kept = [frame.array.copy() for frame in frames]
        wait_for(lambda: ring.stat()["published"] > frames[-1].number + 25, 20, "25 more frames")
        numbers = [number_in(Image.fromarray(frame.array)) for frame in frames]
        assert len(set(numbers)) == 4 and all(
            (frame.array == copy).all() for frame, copy in zip(frames, kept)
        )
        stat = ring.stat()
        assert stat["taken"] + stat["missed"] == frames[-1].number - stat["joined"]


def test_descriptor_for_select(live):
    with camring.Ring("door", live.instance) as ring:
        got = 0
        while got < 10:
            assert select.select([ring], [], [], 10)[0]
            while ring.next(0):
                got += 1


def test_iteration_ends_with_the_instance(tmp_path):
    instance = Camring(tmp_path, {"door": "test:?size=320x180&fps=20"}).run().wait_live("door")
    try:
        ring = camring.Ring("door", instance.instance)
        frame = ring.next(10)
        instance.stop()
        assert all(later.number > frame.number for later in ring)
        with pytest.raises(camring.Error) as caught:
            ring.next(0)
        assert caught.value.code == "CLOSED"
        ring.close()
        assert (
            frame.array.shape == (180, 320) and frame.array.sum() > 0
        )  # its memory is still there
    finally:
        instance.kill_all()


def test_opencv_example(live):
    path = ROOT / "scripts/examples/opencv_count.py"
    assert len(path.read_text().splitlines()) <= 15
    example = subprocess.Popen(
        [sys.executable, path, "door", live.instance],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = [example.stdout.readline().split() for _ in range(10)]
    example.send_signal(signal.SIGINT)
    errors = example.communicate(timeout=10)[1]
    assert all(len(line) == 2 for line in lines), (lines, errors)
    numbers, moved = zip(*((int(a), int(b)) for a, b in lines))
    assert list(numbers) == sorted(set(numbers)) and all(
        moved
    ), lines  # the test camera's clock moves
    assert "KeyboardInterrupt" in errors


# -- between programs


@pytest.mark.parametrize(
    "size, half, format",
    [
        ((64, 48), (2, 2), "I420"),
        ((63, 47), (2, 2), "I420"),
        ((63, 47), (1, 2), "I422"),
        ((5, 3), (1, 1), "I444"),
        ((1, 1), (1, 1), "I420"),
    ],
)
def test_round_trip(name, size, half, format):
    planes = picture(*size, 90, half)
    with camring.Producer("mine", name, rows=2) as out, camring.Ring("mine", name) as ring:
        assert (
            out.publish(
                *planes, source=5, captured_ns=1234, camera_ns=99, full_range=True, bt709=True
            )
            == 1
        )
        frame = ring.next(0)
        assert (frame.width, frame.height, frame.format, frame.source) == (*size, format, 5)
        assert (frame.captured_ns, frame.camera_ns, frame.full_range, frame.bt709) == (
            1234,
            99,
            True,
            True,
        )
        assert all((got == sent).all() for got, sent in zip(frame.planes, planes))
        transposed = picture(*size[::-1], 17, half[::-1] if format != "I420" else half)
        if format != "I422":
            assert (
                out.publish(*(plane.T for plane in transposed)) == 2
            )  # arrays that don't lie row after row
            assert all((got == sent.T).all() for got, sent in zip(ring.next(0).planes, transposed))
        assert out.stat()["readers"] == 1 and out.stat()["published"] == ring.stat()["published"]


def test_opencv_layout(name):
    cv2 = pytest.importorskip("cv2")
    colours = numpy.zeros((48, 64, 3), numpy.uint8)
    colours[:, :32] = (200, 40, 90)
    image = cv2.cvtColor(colours, cv2.COLOR_BGR2YUV_I420)
    with camring.Producer("mine", name) as out, camring.Ring("mine", name) as ring:
        out.publish_i420(image)
        frame = ring.next(0)
        assert (frame.i420() == image).all()
        back = cv2.cvtColor(frame.i420(), cv2.COLOR_YUV2BGR_I420).astype(int)
        assert abs(back - colours).max() <= 4


def test_jpeg_round_trip(name):
    file = io.BytesIO()
    Image.new("RGB", (80, 60), "red").save(file, "JPEG")
    with camring.Producer("mine", name, jpeg=True) as out, camring.Ring("mine.jpeg", name) as ring:
        for data in (
            file.getvalue(),
            memoryview(file.getvalue()),
            numpy.frombuffer(file.getvalue(), numpy.uint8),
        ):
            out.publish_jpeg(data, 80, 60)
            assert ring.next(0).array.tobytes() == file.getvalue()


def test_arrays_outlive_frame_generation_ring_and_producer(name):
    out, ring = camring.Producer("mine", name), camring.Ring("mine", name)
    out.publish(*picture(64, 48, 1))
    old = ring.next(0).array
    assert out.publish(*picture(1280, 720, 2)) == 2  # too large for the first generation
    frame = ring.next(0)
    new = frame.planes[1][10:20]
    assert frame.array.shape == (720, 1280) and ring.stat()["generation"] == 2
    del frame
    ring.close()
    out.close()
    assert (old == picture(64, 48, 1)[0]).all() and (new == 2).all()
    maps = pathlib.Path("/proc/self/maps")
    # the retired generation is kept for the array; of the current one it has a copy, so that the
    # slot can go
    assert f"camring.{name}.mine.raw.1" in maps.read_text()
    assert f"camring.{name}.mine.raw.2" not in maps.read_text()
    del old, new
    gc.collect()
    assert f"camring.{name}.mine" not in maps.read_text()  # and no longer


def test_arrays_of_a_taken_frame_keep_it(name):
    with camring.Producer("mine", name, rows=12) as out:
        ring = camring.Ring("mine", name)

        def held():
            return sum(row["held"] for row in own_rows(name, "mine.raw"))

        out.publish(*picture(64, 48, 1))
        with ring.take(5) as frame:
            part = frame.planes[2][3:7, 4:]
        with pytest.raises(ValueError, match="given back"):
            frame.array.sum()
        assert held() == 1
        out.publish(*picture(64, 48, 2))
        with ring.take(5) as frame, ring.next(0) or frame:
            assert held() == 2 and frame.number == 2
        assert held() == 1  # given back with the block, as no array of it is kept
        threads = []
        for value in range(3, 3 + camring.MAX_TAKEN - 1):
            out.publish(*picture(64, 48, value))
            threads.append(
                threading.Thread(target=lambda frame: frame.array.sum(), args=[ring.take(0)])
            )
        out.publish(*picture(64, 48, 99))
        assert held() == camring.MAX_TAKEN and code(ring.take, 0) == "USAGE"
        while threads:
            thread = threads.pop()
            thread.start()
            thread.join()
            del thread
        assert held() == 1
        ring.close()
        for value in range(50):
            out.publish(*picture(64, 48, 99))
        assert (part == 254).all() and held() == 1 and out.stat()["readers"] == 1
        del part
        assert out.stat()["readers"] == 0


def test_thousands_of_frames_leave_nothing_mapped(name):
    with camring.Producer("mine", name) as out, camring.Ring("mine", name) as ring:
        planes = picture(64, 48, 1)
        for number in range(1, 2001):
            out.publish(*planes)
            assert ring.next(0).number == number
        assert (
            pathlib.Path("/proc/self/maps").read_text().count(f"camring.{name}.mine.raw.1") == 2
        )  # the producer's, the reader's


def test_ring_that_is_forgotten_gives_its_row_back(name):
    with camring.Producer("cam", name, rows=2) as producer:
        gc.disable()
        try:
            for value in range(10):
                producer.publish(*picture(64, 48, value))
                frame = camring.Ring("cam", name).next(5)
                assert (
                    frame.planes[1][0, 0] == value and producer.stat()["readers"] == 1
                )  # the frame keeps its ring
                del frame
                assert producer.stat()["readers"] == 0
        finally:
            gc.enable()


def test_kept_ring_goes_on_with_the_next_producer(name):
    producer = script(
        "import sys, camring, numpy\n"
        "p = numpy.ones((8, 8), numpy.uint8)\n"
        "camring.Producer('mine', sys.argv[1], keep=True).publish(p, p, p)",
        name,
    )
    assert producer.communicate(timeout=20) == ("", "")
    with camring.Ring("mine", name) as ring:
        assert ring.next(0).number == 1
        assert not ring.stat()["writer_alive"]
        with camring.Producer("mine", name) as out:
            assert out.publish(*picture(8, 8, 2)) == 2
            assert ring.next(0).number == 2


# -- as a step of a chain


def test_stage_gives_back_what_it_was_given(name):
    with camring.Producer("cam", name) as raw, camring.Producer(
        "cam.step", name, keep=True
    ) as made, camring.Ring("cam.step", name) as out:
        made.close()
        with camring.Stage("cam", "step", name) as stage:
            for full_range, bt709 in ((True, False), (False, True)):
                raw.publish(
                    *picture(64, 48, 7),
                    captured_ns=11,
                    camera_ns=12,
                    full_range=full_range,
                    bt709=bt709,
                )
                frame = next(stage)
                assert stage.publish(frame, *frame.planes)
                back = out.next(5)
                assert (back.source, back.captured_ns, back.camera_ns) == (frame.number, 11, 12)
                assert (back.full_range, back.bt709) == (full_range, bt709)
                assert all((a == b).all() for a, b in zip(back.planes, frame.planes))
            assert code(camring.Stage("cam", "step", name).__next__) == "BUSY"
            assert stage.publish(frame, frame.i420())  # in one piece
            assert (out.next(5).i420() == frame.i420()).all()
            with pytest.raises(ValueError):
                stage.publish(frame, frame.array[:5])
        with pytest.raises(StopIteration):
            next(stage)
        assert not stage.publish(frame, *frame.planes)
    ring_unlinked(name, "cam.step")


def ring_unlinked(instance, ring):
    """Takes a ring away that a program has left."""
    camring.Producer(ring, instance).close()


def test_stage_reads_what_steps_before_it_have_made(name):
    """Also once those come in a reload; `source` is the raw frame's number then."""
    with camring.Producer("cam", name) as raw, camring.Producer(
        "cam.step", name, keep=True
    ) as made, camring.Ring("cam.step", name) as out:
        made.close()
        with camring.Stage("cam", "step", name) as stage:
            raw.publish(*picture(64, 48, 7))
            assert next(stage).width == 64
            with camring.Producer("cam.step-in", name) as input:
                input.publish(*picture(32, 24, 7), source=70)
                for frame in stage:  # the raw ring's, until it has looked
                    if frame.width == 32:
                        break
                    raw.publish(*picture(64, 48, 7))
                assert stage.publish(frame, *frame.planes)
                back = out.next(5)
                assert back.source == 70 and back.width == 32
            raw.publish(*picture(64, 48, 8))  # the step before is gone again
            assert next(stage).width == 64
    ring_unlinked(name, "cam.step")


def test_stage_waits_for_its_rings_and_makes_none(name):
    began = threading.Event()
    frames = []

    def work():
        stage = camring.Stage("cam", "step", name)
        began.set()
        for frame in stage:
            frames.append(frame.array[0, 0])
            if not stage.publish(frame, *frame.planes):
                frames.append(None)
            if len(frames) >= 4:
                return stage.close()

    with camring.Producer("cam", name) as raw:
        thread = threading.Thread(target=work)
        thread.start()
        began.wait(10)
        raw.publish(*picture(64, 48, 1))
        assert code(camring.Ring, "cam.step", name) == "ABSENT"
        value = 0
        while thread.is_alive():  # the step's ring comes and goes
            value = value % 200 + 1
            with contextlib.suppress(camring.Error):  # the program has it
                camring.Producer("cam.step", name, keep=value % 2 > 0).close()
            raw.publish(*picture(64, 48, value))
            thread.join(0.02)
        assert len(frames) >= 4 and frames[0] > 0
    ring_unlinked(name, "cam.step")


# -- waiting


def test_timeout(name):
    with camring.Producer("mine", name) as out, camring.Ring("mine", name) as ring:
        for timeout in (0, 0.2, 1.5):
            begin = time.monotonic()
            assert ring.next(timeout) is None
            assert timeout <= time.monotonic() - begin < timeout + 1
        later = threading.Timer(0.2, lambda: out.publish(*picture(8, 8, 1)))
        later.start()
        begin = time.monotonic()
        assert ring.next().number == 1 and time.monotonic() - begin < 1
        later.join()


WAITING = """
import sys, camring
ring = camring.Ring("mine", sys.argv[1])
print("waiting", flush=True)
ring.next()
"""


def test_ctrl_c_is_heard_while_waiting_which_costs_nothing(name):
    with camring.Producer("mine", name):
        waiting = script(WAITING, name)
        assert waiting.stdout.readline() == "waiting\n"
        switches = re.compile(r"^voluntary_ctxt_switches:\s*(\d+)$", re.M)
        status = pathlib.Path(f"/proc/{waiting.pid}/status")
        time.sleep(0.2)
        before = int(switches.search(status.read_text())[1])
        time.sleep(2)
        assert int(switches.search(status.read_text())[1]) - before <= 10
        waiting.send_signal(signal.SIGINT)
        begin = time.monotonic()
        errors = waiting.communicate(timeout=10)[1]
        assert (
            time.monotonic() - begin < 1
            and "KeyboardInterrupt" in errors
            and waiting.returncode == -signal.SIGINT
        )


def test_signal_handler_may_close_the_ring(name):
    with camring.Producer("mine", name), camring.Ring("mine", name) as ring:
        before = signal.signal(signal.SIGUSR1, lambda *_: ring.close())
        sender = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1))
        sender.start()
        assert list(ring) == []
        sender.join()
        signal.signal(signal.SIGUSR1, before)
        with pytest.raises(ValueError, match="closed"):
            ring.next(0)


# -- what can't be done


def code(call, *arguments, **options):
    with pytest.raises(camring.Error) as caught:
        call(*arguments, **options)
    assert len(str(caught.value)) > 10
    return caught.value.code


def test_each_error_has_its_code(name):
    assert code(camring.Ring, "mine", name) == "ABSENT"
    assert code(camring.Ring, "mine/../x", name) == "USAGE"
    with camring.Producer("mine", name, rows=1) as out:
        with pytest.raises(ValueError, match="null"):
            camring.Ring("mine\0x", name)
        assert code(camring.Producer, "mine", name) == "BUSY"
        assert code(camring.Producer, "other", name, rows=0) == "ABSENT"
        assert code(camring.Producer, "mine.raw", name, jpeg=True) in ("BUSY", "USAGE")
        assert code(camring.Ring, "mine", name, ready=True) == "EMPTY"
        with camring.Ring("mine", name) as ring:
            assert code(camring.Ring, "mine", name) == "ROWS"
            assert code(camring.Ring, "mine", name, observe=True, ready=True) == "EMPTY"
            out.publish(*picture(8, 8, 1))
            frame = ring.next()
            out.close()
            assert code(ring.next) == "CLOSED" and code(ring.stat) == "CLOSED"
            frame.release()
            frame.release()
        ring.close()
        for call in (ring.next, ring.stat, ring.fileno, out.stat):
            with pytest.raises(ValueError, match="closed"):
                call()


def test_another_users_ring(name):
    if os.geteuid() != 0:
        pytest.skip("needs root, to be another user")
    with camring.Producer("mine", name):
        child = os.fork()
        if child == 0:
            os.setuid(65534)
            try:
                camring.Ring("mine", name)
            except camring.Error as error:
                os._exit(0 if error.code == "OWNER" and "belongs to user 0" in str(error) else 1)
            os._exit(2)
        assert os.waitpid(child, 0)[1] == 0


def test_pictures_that_are_none(name):
    y, cb, cr = picture(64, 48, 1)
    with camring.Producer("mine", name) as out:
        for planes in (
            (y, cb, cr[:-1]),
            (y, cb[:, :-1], cr[:, :-1]),
            (y.astype(float), cb, cr),
            (y, cb, cr.reshape(-1)),
            (y[:0], cb, cr),
        ):
            with pytest.raises(ValueError):
                out.publish(*planes)
        with pytest.raises(ValueError):
            out.publish_i420(y[:47])
        assert code(out.publish_jpeg, b"\xff\xd8", 8, 8) == "USAGE"  # the ring carries raw frames
        with pytest.raises(TypeError):
            out.publish(y, cb, cr, tiem=1)
        assert out.publish(y, cb, cr) == 1


def test_two_threads_at_one_ring(name):
    with camring.Producer("mine", name) as out, camring.Ring("mine", name) as ring:
        waiting = threading.Thread(target=ring.next)
        waiting.start()

        def refused():
            try:
                ring.stat()
            except RuntimeError as error:
                return "another thread" in str(error)

        wait_for(refused, 10, "a refusal")
        out.publish(*picture(8, 8, 1))
        waiting.join(10)
        assert not waiting.is_alive()


def test_fork_leaves_the_parents_frame_alone(name):
    with camring.Producer("mine", name, rows=1) as out, camring.Ring("mine", name) as ring:
        out.publish(*picture(8, 8, 1))
        frame = ring.next()
        child = os.fork()
        if child == 0:
            refused = 0
            for call in (ring.next, ring.stat, lambda: out.publish(*picture(8, 8, 9))):
                try:
                    call()
                except camring.Error as error:
                    refused += error.code == "USAGE"
            frame.release()
            ring.close()
            out.close()
            os._exit(0 if refused == 3 else 1)
        assert os.waitpid(child, 0)[1] == 0
        for value in range(20):
            out.publish(*picture(8, 8, 50 + value))
        assert (frame.array == picture(8, 8, 1)[0]).all()
        assert own_rows(name, "mine.raw")[0]["pin"] is not None


@pytest.mark.parametrize("get", ["next", "take"])
@pytest.mark.parametrize("end", ["", "import gc; gc.collect()", "sys.exit(3)", "1 / 0"])
def test_program_may_end_with_a_frame_in_hand(name, end, get):
    text = (
        "import sys, camring\nring = camring.Ring('mine', sys.argv[1])\n"
        f"frame = ring.{get}()\narray = frame.array\n{end}"
    )
    with camring.Producer("mine", name) as out:
        out.publish(*picture(8, 8, 1))
        program = script(text, name)
        errors = program.communicate(timeout=20)[1]
        assert program.returncode == {"sys.exit(3)": 3, "1 / 0": 1}.get(end, 0)
        assert ("Exception ignored" not in errors) and (not errors or end == "1 / 0"), errors
        assert out.stat()["readers"] == 0
