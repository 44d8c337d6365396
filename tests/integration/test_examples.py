"""The programs of scripts/examples/ and the pipelines that README.md shows for the middle of a
camera's chain, each run as README shows it, and `make demo`. What they do is seen in the camera's
pictures."""
import contextlib
import io
import json
import os
import signal
import subprocess

import cv2
import numpy
import pytest
from PIL import Image

from product import BIN, ROOT, children_of, wait_for
from readme import commands

if BIN.parent != ROOT / "build":
    pytest.skip("what is installed is the ordinary build", allow_module_level=True)

pytestmark = pytest.mark.limit(300)
EXAMPLES = sorted(
    path for path in (ROOT / "scripts/examples").iterdir() if path.suffix in (".py", ".c")
)
FILM = ROOT / "tests/clips/bottle-detection.mp4"
LIMIT = 120  # seconds; for what a busy machine takes long for


def command(word):
    """The one that README shows with that word in it."""
    (found,) = [command for command in commands() if word in command]
    return found


def picture(box, camera="door", port=8080):
    """The camera's newest, as an array of RGB; None while there is none."""
    data = box.get(f"http://127.0.0.1:{port}/cameras/{camera}/snapshot.jpg")
    return numpy.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int) if data else None


def state(box):
    """Of the step's program."""
    return json.loads(box.get("http://127.0.0.1:8080/api/v1/cameras/door"))["stages"][0]["state"]


def yellow(rgb):
    """How many pixels have the colour of the boxes of numpy_motion.py."""
    return int(((rgb[..., :2] > 190).all(2) & (rgb[..., 2] < 100)).sum())


def green(rgb):
    """Of those of opencv_faces.py."""
    return int(((rgb[..., 1] > 190) & (rgb[..., ::2] < 100).all(2)).sum())


def colour(rgb):
    """How far the most colourful pixels are from grey."""
    return float(numpy.percentile(rgb.max(2) - rgb.min(2), 99))


def table(rgb):
    """How bright the film's table is, which is white."""
    return float(rgb[-20:, -60:].mean())


@contextlib.contextmanager
def camera(box, source, chain=True, before=()):
    """camring as `make install` installs it, with camera "door", from `source`, and a step for a
    program after those of `before`. Gives a function that runs a command of README's in the folder
    where README and the examples are."""
    subprocess.run(
        ["make", "install", f"DESTDIR={box.folder}/staged"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    assert box.run("mount", "--bind", box.folder / "staged/usr/local", "/usr/local").returncode == 0
    door = {"source": source}
    if chain:
        door["chain"] = [*before, {"external": {"name": "detector", "timeout": "10s"}}]
    (box.folder / "camring.yaml").write_text(json.dumps({"cameras": {"door": door}}))
    started = box.run("/usr/local/bin/camring", "start")
    assert started.returncode == 0, started
    documents = box.folder / "staged/usr/local/share/doc/camring"
    (documents / "camring.yaml").unlink()  # is not the one that runs
    words = [
        "PATH=/usr/bin:/bin:/usr/local/bin",
        "PYTHONDONTWRITEBYTECODE=1",
        "LD_LIBRARY_PATH=/usr/local/lib",  # for ldconfig
        "GST_PLUGIN_PATH=/usr/local/lib/gstreamer-1.0",
        f"GST_REGISTRY={box.folder}/registry.bin",
    ]

    def run(line, **options):
        return box.popen("env", *words, "sh", "-c", line, cwd=documents, **options)

    yield run
    stopped = box.run("/usr/local/bin/camring", "stop")
    assert stopped.returncode == 0, stopped
    assert not box.left()


def sees(box, process, what):
    """Waits until what(picture) is true, which it has not been without the program."""
    wait_for(lambda: picture(box) is not None, LIMIT, "a picture")
    for _ in range(5):
        assert not what(picture(box))
    program = process()
    wait_for(lambda: program.poll() is not None or state(box) == "attached", LIMIT, "the program")
    assert program.poll() is None
    wait_for(lambda: what(picture(box)), LIMIT, "the effect in the picture")
    assert program.poll() is None


def film():
    return f"file:{FILM}?loop=1&realtime=1"


def face(path):
    """A film of a face, drawn."""
    drawn = numpy.full((360, 640, 3), 120, numpy.uint8)
    parts = [  # centre, half axes, colour
        ((320, 180), (70, 95), (150, 180, 215)),
        ((290, 165), (18, 10), (60, 70, 90)),
        ((350, 165), (18, 10), (60, 70, 90)),
        ((320, 212), (14, 5), (90, 110, 140)),
        ((320, 238), (28, 8), (70, 70, 150)),
    ]
    for centre, axes, shade in parts:
        cv2.ellipse(drawn, centre, axes, 0, 0, 360, shade, -1)
    cv2.ellipse(drawn, (320, 110), (75, 45), 0, 180, 360, (30, 40, 50), -1)
    for x in (290, 350):
        cv2.line(drawn, (x - 20, 148), (x + 20, 148), (40, 50, 60), 6)
    cv2.line(drawn, (320, 165), (320, 205), (190, 215, 240), 10)
    cv2.imwrite(str(path / "face.png"), cv2.GaussianBlur(drawn, (9, 9), 0))
    subprocess.run(
        ["ffmpeg", "-v", "error", "-loop", "1", "-i", path / "face.png", "-t", "2", "-r", "10"]
        + ["-pix_fmt", "yuv420p", path / "face.mp4"],
        stdin=subprocess.DEVNULL,
        check=True,
    )
    return f"file:{path}/face.mp4?loop=1&realtime=1"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_short_and_shown(path):
    assert len(path.read_text().splitlines()) <= 30
    assert f"scripts/examples/{path.name}" in " ".join(commands())


def test_numpy(box):
    with camera(box, film()) as run:
        sees(box, lambda: run(command("numpy_motion.py")), lambda rgb: yellow(rgb) > 100)


def test_opencv_finds_a_face(box):
    with camera(box, face(box.folder)) as run:
        sees(box, lambda: run(command("opencv_faces.py")), lambda rgb: green(rgb) > 500)
        rows, columns = ((picture(box)[..., 1] > 190) & (picture(box)[..., 0] < 100)).nonzero()
        assert rows.min() < 180 < rows.max() and columns.min() < 320 < columns.max()


def test_c(box):
    with camera(box, film()) as run:
        sees(box, lambda: run(command("stage.c")), lambda rgb: table(rgb) < 100)


@pytest.mark.parametrize("before", [(), ({"flip": "horizontal"},)], ids=["first", "second"])
def test_gstreamer(box, before):
    if not (BIN.parent / "lib/gstreamer-1.0/libgstcamring.so").exists():
        pytest.skip("the plugin was not built: GStreamer's headers are needed")
    line = command("camringsink")
    with camera(box, film(), before=before) as run:
        sees(box, lambda: run(line), lambda rgb: colour(rgb) < 20)


def test_opencv_counts(box):
    with camera(box, film(), chain=False) as run:
        counting = run(command("opencv_count.py"), stdout=subprocess.PIPE, text=True)
        lines = [counting.stdout.readline().split() for _ in range(5)]
        assert all(len(line) == 2 and line[1].isdigit() for line in lines), lines
        counting.stdout.close()


def test_ffmpeg(box):
    with camera(box, film(), chain=False) as run:
        assert run(command("ffmpeg")).wait(LIMIT) == 0
        made = box.folder / "staged/usr/local/share/doc/camring/door.mp4"
        words = ["-show_entries", "stream=width,height:format=duration", "-of", "json"]
        told = subprocess.run(
            ["ffprobe", "-v", "error", *words, made],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        ).stdout
        told = json.loads(told)
        assert told["streams"] == [{"width": 640, "height": 360}]
        assert 4.5 < float(told["format"]["duration"]) < 5.5


# -- make demo


def shows_marks(box, demo, port):
    def marks():
        assert demo.poll() is None, "it has ended"
        rgb = picture(box, "table", port)
        return rgb is not None and yellow(rgb) > 100

    wait_for(marks, LIMIT, "marks in the picture")
    assert box.get(f"http://127.0.0.1:{port}/")


def nothing_is_left(box, programs):
    wait_for(lambda: not any(program.alive() for program in programs), 30, "their end")
    assert not box.left()


def test_make_demo(box):
    demo = box.popen("make", "demo", cwd=ROOT)
    shows_marks(box, demo, 8080)
    (script,) = [child for child in children_of(demo.pid) if child.name.startswith("python")]
    programs = children_of(script.pid)
    assert len(programs) == 2
    script.kill(signal.SIGINT)
    assert demo.wait(60) == 0
    nothing_is_left(box, programs)


def test_demo_on_the_next_port(box):
    """Ended by Ctrl-C, which goes to all that a terminal runs."""
    other = box.popen(
        *["/usr/bin/python3", "-m", "http.server", "8080", "--bind", "127.0.0.1"],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    wait_for(lambda: box.get("http://127.0.0.1:8080/"), 60, "the other server")
    demo = box.popen("/usr/bin/python3", "-B", ROOT / "scripts/demo.py", BIN.parent)
    shows_marks(box, demo, 8081)
    programs = children_of(demo.pid)
    os.killpg(demo.pid, signal.SIGINT)
    assert demo.wait(60) == 0
    nothing_is_left(box, programs)
    assert other.poll() is None
