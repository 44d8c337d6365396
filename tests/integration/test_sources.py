"""Every kind of source shows moving, correctly numbered pictures, and none is lost on the way."""
import io

import pytest
from PIL import Image

from clips import BAR_ROWS, Clips, Order, jpeg_faults, number_in, read_number, split_jpegs
from multipart import Stream
from product import running, wait_for

SECONDS = 20
DELIVERED = 0.99
TEST_PERIOD = 1 << 16
CAMERAS = {"test": TEST_PERIOD, "rtsp": Clips.PERIOD, "http": Clips.PERIOD, "file": 250}


def watch(camring):
    """Twenty seconds of each camera, all at once: name -> parts. What was lost is judged later;
    here nothing may be wrong."""
    streams = {name: Stream(camring.port, f"/cameras/{name}/stream.mjpeg") for name in CAMERAS}
    try:
        for name, stream in streams.items():
            stream.wait(
                lambda s: s.parts and read_number(s.parts[-1].body) is not None,
                30,
                f"a numbered picture of {name}",
            )
        begin = {name: len(stream.parts) for name, stream in streams.items()}
        streams["test"].collect(SECONDS)
        assert not [name for name, stream in streams.items() if stream.ended]
    finally:
        for stream in streams.values():
            stream.close()
    return {name: stream.parts[begin[name] :] for name, stream in streams.items()}


def order_of(name, parts):
    numbers = [read_number(part.body) for part in parts]
    assert None not in numbers
    return Order(numbers, CAMERAS[name])


@pytest.fixture(scope="module")
def watched(tmp_path_factory, clips, rtsp_camera, http_camera):
    """Each attempt's parts. A machine that has other work to do may lose pictures, but nothing else
    may ever go wrong: it is watched up to three times, until nearly all pictures come through, and
    every attempt counts for all the rest."""
    cameras = {
        "test": "test:?size=1280x720&fps=30",
        "rtsp": f"rtsp://127.0.0.1:{rtsp_camera.port}/cam",
        "http": f"http://127.0.0.1:{http_camera.port}/video.mjpg",
        "file": f"file:{clips.mp4()}?loop=1&realtime=1",
    }
    attempts = []
    with running(tmp_path_factory.mktemp("sources"), cameras) as camring:
        camring.wait_live(*cameras)
        while len(attempts) < 3:
            attempts.append(watch(camring))
            if min(order_of(name, attempts[-1][name]).delivered for name in CAMERAS) >= DELIVERED:
                break
        yield attempts


@pytest.mark.quiet
@pytest.mark.limit(240)
@pytest.mark.parametrize("name", CAMERAS)
def test_twenty_seconds(watched, name):
    for attempt in watched:
        parts = attempt[name]
        assert not jpeg_faults([part.body for part in parts])
        order = order_of(name, parts)
        assert (order.duplicates, order.backward) == (0, 0), order
    assert order.delivered >= DELIVERED, order
    assert (
        len(parts) >= DELIVERED * 30 * (parts[-1].time - parts[0].time) - 1
    ), f"{len(parts)} parts, {order}"


@pytest.mark.quiet
def test_mjpeg_is_passed_through_unchanged(watched, clips):
    originals = set(split_jpegs(clips.mjpeg().read_bytes()))
    assert all(part.body in originals for attempt in watched for part in attempt["http"])


@pytest.mark.quiet
def test_parts_are_dated(watched):
    for name, parts in watched[-1].items():
        times = [float(part.headers["x-timestamp"]) for part in parts]
        assert times == sorted(times), name
        assert abs((times[-1] - times[0]) - (parts[-1].time - parts[0].time)) < 2, name


def test_http_parts_without_length(instance, http_camera):
    camring = instance({"cam": f"http://127.0.0.1:{http_camera.port}/nolength.mjpg"}).run()
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        stream.wait(
            lambda s: sum(read_number(p.body) is not None for p in s.parts[-30:]) == 30,
            30,
            "30 numbered pictures",
        )
        assert not jpeg_faults([part.body for part in stream.parts])


def test_mjpeg_without_passthrough_is_encoded_anew(instance, http_camera, clips):
    camring = instance(
        {
            "cam": {
                "source": f"http://127.0.0.1:{http_camera.port}/video.mjpg",
                "jpeg": {"passthrough": "off", "quality": 60},
            }
        }
    ).run()
    originals = set(split_jpegs(clips.mjpeg().read_bytes()))
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        stream.wait(
            lambda s: sum(read_number(p.body) is not None for p in s.parts[-30:]) == 30,
            30,
            "30 numbered pictures",
        )
        assert not [part for part in stream.parts if part.body in originals]


@pytest.mark.parametrize("clip", ["mp4", "small_mjpeg"])
def test_a_file_loses_nothing(instance, clips, clip):
    """Without realtime a file is played as fast as its pictures can be encoded, every one of
    them."""
    path = getattr(clips, clip)()
    count = 250 if clip == "mp4" else Clips.PERIOD
    camring = instance({"cam": {"source": f"file:{path}", "jpeg": {"passthrough": "off"}}}).run()
    camring.wait_state("cam", "ended", 60)
    wait_for(
        lambda: camring.camera("cam")["counters"]["encoded"] == count,
        10,
        f"{count} encoded pictures, {camring.camera('cam')}",
    )
    assert read_number(camring.get("/cameras/cam/snapshot.jpg")[2]) == count - 1


def test_a_file_loops(instance, clips):
    camring = instance({"cam": f"file:{clips.mp4()}?loop=1"}).run()
    wait_for(
        lambda: camring.camera("cam")["counters"]["encoded"] > 600,
        60,
        "the file played more than twice",
    )
    assert camring.camera("cam")["state"] == "live"


@pytest.mark.parametrize("size", ["640x480", "321x243", "1920x1080"])
def test_test_camera_sizes(instance, size):
    camring = instance({"cam": f"test:?size={size}&fps=10"}).run().wait_live("cam")
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        stream.wait(
            lambda s: sum(read_number(p.body) is not None for p in s.parts) >= 5,
            30,
            "5 numbered pictures",
        )
    camera = camring.camera("cam")
    assert f"{camera['width']}x{camera['height']}" == size


def test_static_test_camera_stands_still(instance):
    """Nothing moves but the number."""
    camring = instance({"cam": "test:?size=320x240&fps=20&static=1"}).run().wait_live("cam")
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        pictures = [
            Image.open(io.BytesIO(part.body)).convert("L")
            for part in stream.wait_parts(20).parts[-10:]
        ]
    assert len({number_in(picture) for picture in pictures}) == 10
    assert (
        len({picture.crop((0, BAR_ROWS + 16, *picture.size)).tobytes() for picture in pictures})
        == 1
    )


@pytest.mark.quiet
def test_a_fast_source_comes_through(instance):
    """240 frames a second, with no fixed sleep in the way. Up to three attempts, for busy
    machines."""
    camring = instance({"cam": "test:?size=320x240&fps=240"}).run().wait_live("cam")
    for _ in range(3):
        with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
            stream.wait_parts(10)
            parts = stream.collect(5)
        order = Order([read_number(part.body) for part in parts], TEST_PERIOD)
        assert (order.duplicates, order.backward) == (0, 0), order
        if order.delivered >= 0.95:
            return
    pytest.fail(f"{order} of {camring.camera('cam')}")
