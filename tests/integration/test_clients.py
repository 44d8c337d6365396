"""The programs people watch with: ffmpeg, curl, GStreamer."""
import subprocess

import pytest

from clips import Order, jpeg_fault, read_number, split_jpegs
from multipart import Stream
from product import running

PERIOD = 1 << 16


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with running(tmp_path_factory.mktemp("clients"), {"cam": "test:?size=640x360&fps=30"}) as camring:
        camring.wait_live("cam")
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
    "path", ["/cameras/cam/stream.mjpeg", "/stream", "/?action=stream", "/cameras/cam/stream.mjpeg?headers=advance"]
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
    done = run("curl", "--silent", "--no-buffer", "--max-time", "3", url + "/cameras/cam/stream.mjpeg")
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
