"""Every kind of source shows moving, correctly numbered pictures, and none is lost on the way."""
import pytest

from clips import Clips, Order, jpeg_faults, read_number, split_jpegs
from multipart import Stream
from product import running, wait_for

SECONDS = 20
TEST_PERIOD = 1 << 16
CAMERAS = {"test": TEST_PERIOD, "rtsp": Clips.PERIOD, "http": Clips.PERIOD, "file": 250}


@pytest.fixture(scope="module")
def watched(tmp_path_factory, clips, rtsp_camera, http_camera):
    """Twenty seconds of each kind of camera, all at once: name -> parts."""
    cameras = {
        "test": "test:?size=1280x720&fps=30",
        "rtsp": f"rtsp://127.0.0.1:{rtsp_camera.port}/cam",
        "http": f"http://127.0.0.1:{http_camera.port}/video.mjpg",
        "file": f"file:{clips.mp4()}?loop=1&realtime=1",
    }
    with running(tmp_path_factory.mktemp("sources"), cameras) as camring:
        camring.wait_live(*cameras)
        streams = {name: Stream(camring.port, f"/cameras/{name}/stream.mjpeg") for name in cameras}
        for name, stream in streams.items():
            stream.wait(lambda s: s.parts and read_number(s.parts[-1].body) is not None, 30, f"a numbered picture of {name}")
        begin = {name: len(stream.parts) for name, stream in streams.items()}
        streams["test"].collect(SECONDS)
        parts = {name: stream.parts[begin[name]:] for name, stream in streams.items()}
        assert not [name for name, stream in streams.items() if stream.ended]
        for stream in streams.values():
            stream.close()
        yield parts


@pytest.mark.limit(180)
@pytest.mark.parametrize("name", CAMERAS)
def test_twenty_seconds(watched, name):
    parts = watched[name]
    numbers = [read_number(part.body) for part in parts]
    assert None not in numbers
    assert not jpeg_faults([part.body for part in parts])
    order = Order(numbers, CAMERAS[name])
    assert (order.duplicates, order.backward) == (0, 0), order
    assert order.delivered >= 0.99, order
    assert len(parts) >= 0.99 * 30 * (parts[-1].time - parts[0].time), f"{len(parts)} parts, {order}"


def test_mjpeg_is_passed_through_unchanged(watched, clips):
    originals = set(split_jpegs(clips.mjpeg().read_bytes()))
    assert all(part.body in originals for part in watched["http"])


def test_parts_are_dated(watched):
    for name, parts in watched.items():
        times = [float(part.headers["x-timestamp"]) for part in parts]
        assert times == sorted(set(times)), name
        assert abs((times[-1] - times[0]) - (parts[-1].time - parts[0].time)) < 2, name


def test_http_parts_without_length(instance, http_camera):
    camring = instance({"cam": f"http://127.0.0.1:{http_camera.port}/nolength.mjpg"}).run()
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        stream.wait(lambda s: sum(read_number(p.body) is not None for p in s.parts[-30:]) == 30, 30, "30 numbered pictures")
        assert not jpeg_faults([part.body for part in stream.parts])


def test_mjpeg_without_passthrough_is_encoded_anew(instance, http_camera, clips):
    camring = instance({"cam": {"source": f"http://127.0.0.1:{http_camera.port}/video.mjpg", "jpeg": {"passthrough": "off", "quality": 60}}}).run()
    originals = set(split_jpegs(clips.mjpeg().read_bytes()))
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        stream.wait(lambda s: sum(read_number(p.body) is not None for p in s.parts[-30:]) == 30, 30, "30 numbered pictures")
        assert not [part for part in stream.parts if part.body in originals]


@pytest.mark.parametrize("clip", ["mp4", "small_mjpeg"])
def test_a_file_loses_nothing(instance, clips, clip):
    """Without realtime a file is played as fast as its pictures can be encoded, every one of them."""
    path = getattr(clips, clip)()
    count = 250 if clip == "mp4" else Clips.PERIOD
    camring = instance({"cam": {"source": f"file:{path}", "jpeg": {"passthrough": "off"}}}).run()
    camring.wait_state("cam", "ended", 60)
    wait_for(lambda: camring.camera("cam")["counters"]["encoded"] == count, 10, f"{count} encoded pictures, {camring.camera('cam')}")
    assert read_number(camring.get("/cameras/cam/snapshot.jpg")[2]) == count - 1


def test_a_file_loops(instance, clips):
    camring = instance({"cam": f"file:{clips.mp4()}?loop=1"}).run()
    wait_for(lambda: camring.camera("cam")["counters"]["encoded"] > 600, 60, "the file played more than twice")
    assert camring.camera("cam")["state"] == "live"


@pytest.mark.parametrize("size", ["640x480", "321x243", "1920x1080"])
def test_test_camera_sizes(instance, size):
    camring = instance({"cam": f"test:?size={size}&fps=10"}).run().wait_live("cam")
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        stream.wait(lambda s: sum(read_number(p.body) is not None for p in s.parts) >= 5, 30, "5 numbered pictures")
    camera = camring.camera("cam")
    assert f"{camera['width']}x{camera['height']}" == size


def test_static_test_camera_stands_still(instance):
    camring = instance({"cam": "test:?size=320x240&fps=20&static=1"}).run().wait_live("cam")
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        bodies = {part.body for part in stream.wait_parts(20).parts[-10:]}
    assert len(bodies) == 1


def test_a_fast_source_comes_through(instance):
    """240 frames a second, with no fixed sleep in the way."""
    camring = instance({"cam": "test:?size=320x240&fps=240"}).run().wait_live("cam")
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        stream.wait_parts(10)
        parts = stream.collect(5)
    order = Order([read_number(part.body) for part in parts], TEST_PERIOD)
    assert (order.duplicates, order.backward) == (0, 0), order
    assert order.delivered >= 0.9, order
