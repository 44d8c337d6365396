"""The programs people watch with: ffmpeg, curl, GStreamer, OpenCV, mpv, motion."""
import subprocess

import pytest
from PIL import Image

from clips import Order, jpeg_fault, number_in, read_number, split_jpegs
from multipart import Stream
from product import running, wait_for

PERIOD = 1 << 16


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    # without placeholders, on a busy machine too, and before the first picture is encoded
    camera = {"source": "test:?size=640x360&fps=30", "stall_timeout": "2m"}
    with running(tmp_path_factory.mktemp("clients"), {"cam": camera}) as camring:
        camring.wait_live("cam")

        def has_picture():
            status, _, body = camring.get("/cameras/cam/snapshot.jpg")
            return status == 200 and read_number(body) is not None

        wait_for(has_picture, 30, "a picture")
        yield f"http://127.0.0.1:{camring.port}"


def run(*words, limit=40):
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit)


def check(jpegs, count):
    numbers = [read_number(jpeg) for jpeg in jpegs]
    order = Order(numbers, PERIOD)
    assert len(jpegs) == count and None not in numbers
    assert (order.duplicates, order.backward) == (0, 0), order


@pytest.mark.parametrize("options", [("-f", "mpjpeg"), ()], ids=["mpjpeg", "probed"])
@pytest.mark.parametrize(
    "path",
    [
        "/cameras/cam/stream.mjpeg",
        "/stream",
        "/?action=stream",
        "/cameras/cam/stream.mjpeg?headers=advance",
    ],
)
def test_ffmpeg(url, options, path):
    done = run(
        "ffmpeg",
        "-nostdin",
        "-loglevel",
        "error",
        *options,
        "-i",
        url + path,
        "-frames:v",
        "45",
        "-vsync",
        "passthrough",
        "-c:v",
        "copy",
        "-f",
        "image2pipe",
        "-",
    )
    assert (done.returncode, done.stderr) == (0, b"")
    check(split_jpegs(done.stdout), 45)


def test_curl_reads_the_stream(url):
    done = run(
        "curl", "--silent", "--no-buffer", "--max-time", "3", url + "/cameras/cam/stream.mjpeg"
    )
    assert done.returncode == 28, done.stderr  # the time is up
    jpegs = split_jpegs(done.stdout)[:-1]  # the last one may be cut
    assert len(jpegs) >= 30
    check([jpeg[: jpeg.rindex(b"\xff\xd9") + 2] for jpeg in jpegs], len(jpegs))


def test_curl_saves_a_snapshot(url, tmp_path):
    for path in ("/cameras/cam/snapshot.jpg", "/snapshot", "/?action=snapshot"):
        done = run(
            "curl",
            "--silent",
            "--show-error",
            "--fail",
            "--output",
            tmp_path / "a.jpg",
            "--write-out",
            "%{http_code} %{content_type}",
            url + path,
        )
        assert (done.returncode, done.stdout) == (0, b"200 image/jpeg"), (path, done)
        jpeg = (tmp_path / "a.jpg").read_bytes()
        assert not jpeg_fault(jpeg)
        assert read_number(jpeg) is not None


def test_gstreamer(url, tmp_path):
    done = run(
        "gst-launch-1.0",
        "-q",
        "souphttpsrc",
        f"location={url}/cameras/cam/stream.mjpeg",
        "!",
        "multipartdemux",
        "!",
        "jpegdec",
        "!",
        "identity",
        "eos-after=46",
        "!",
        "jpegenc",
        "quality=95",
        "!",
        "multifilesink",
        f"location={tmp_path}/%05d.jpg",
    )
    assert done.returncode == 0, done.stderr
    check([path.read_bytes() for path in sorted(tmp_path.glob("*.jpg"))], 45)


def test_opencv(url):
    cv2 = pytest.importorskip("cv2")
    capture = cv2.VideoCapture(url + "/cameras/cam/stream.mjpeg")
    assert capture.isOpened()
    pictures = [capture.read() for _ in range(45)]
    capture.release()
    assert all(ok for ok, _ in pictures)
    numbers = [number_in(Image.fromarray(picture[:, :, ::-1])) for _, picture in pictures]
    order = Order(numbers, PERIOD)
    assert None not in numbers
    assert (order.duplicates, order.backward) == (0, 0), order


def test_mpv(url, tmp_path):
    done = run(
        "mpv",
        "--no-config",
        "--really-quiet",
        "--untimed",
        "--frames=45",
        "--ao=null",
        "--vo=image",
        "--vo-image-format=jpg",
        f"--vo-image-outdir={tmp_path}",
        url + "/cameras/cam/stream.mjpeg",
    )
    assert done.returncode == 0, done
    check([path.read_bytes() for path in sorted(tmp_path.glob("*.jpg"))], 45)


MOTION = """
daemon off
setup_mode off
webcontrol_port 0
stream_port 0
netcam_url {url}/cameras/cam/stream.mjpeg
width 640
height 360
framerate 10
emulate_motion on
picture_output on
movie_output off
target_dir {folder}
picture_filename %Y%m%d%H%M%S-%q
"""


def test_motion(url, tmp_path):
    """motion takes pictures at a rate of its own, so it may take one twice."""
    (tmp_path / "motion.conf").write_text(MOTION.format(url=url, folder=tmp_path))
    motion = subprocess.Popen(
        ["motion", "-n", "-c", str(tmp_path / "motion.conf")],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: len(list(tmp_path.glob("*.jpg"))) >= 20, 40, "20 pictures")
    finally:
        motion.terminate()
        motion.wait(20)
    pictures = sorted(
        tmp_path.glob("*.jpg"), key=lambda path: path.stat().st_mtime_ns
    )  # the names count within a second only
    numbers = [read_number(path.read_bytes()) for path in pictures[:-1]]
    known = [number for number in numbers if number is not None]
    assert len(known) >= 10  # before the camera is there, motion saves a gray picture that says so
    assert Order(known, PERIOD).backward == 0


def test_many_clients_see_the_same(url):
    """The copies of one frame are one frame: what two clients get under one time stamp is equal."""
    port = int(url.rpartition(":")[2])
    streams = [Stream(port, "/cameras/cam/stream.mjpeg") for _ in range(10)]
    try:
        for stream in streams:
            stream.wait_parts(60)
    finally:
        for stream in streams:
            stream.close()
    seen = {}
    for stream in streams:
        for part in stream.parts:
            assert seen.setdefault(part.headers["x-timestamp"], part.body) == part.body
    assert sum(len(stream.parts) for stream in streams) > 4 * len(seen)
