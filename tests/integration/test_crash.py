"""Processes that are killed and cameras that go away, while somebody watches."""
import os
import re
import signal

import pytest

from clips import Clips, Order, jpeg_faults, read_number
from multipart import Stream
from product import wait_for

WIDE = {"burst": 1000, "window": "30s", "max": "60s"}  # restarts are never damped
BOUND = 15  # seconds until pictures come again; generous, for busy machines


def numbers(parts):
    return [n for part in parts if (n := read_number(part.body)) is not None]


def wait_new_numbers(stream, limit=BOUND, count=5):
    """Waits for `count` numbered pictures from now on."""
    begin = len(stream.parts)
    seen = {}

    def enough(s):
        for i in range(begin + len(seen), len(s.parts)):
            seen[i] = read_number(s.parts[i].body)
        return sum(n is not None for n in seen.values()) >= count

    stream.wait(enough, limit, f"{count} numbered pictures")


def wait_placeholder(stream, limit=BOUND):
    """Waits for a picture without a number from now on."""
    begin = len(stream.parts)
    stream.wait(
        lambda s: len(s.parts) > begin and read_number(s.parts[-1].body) is None,
        limit,
        "a picture that says there is no signal",
    )


def without_gaps(parts, seconds):
    """`parts` in pieces: wherever none came for so long, a new one begins."""
    pieces = [parts[:1]]
    for before, part in zip(parts, parts[1:]):
        if part.time - before.time < seconds:
            pieces[-1].append(part)
        else:
            pieces.append([part])
    return pieces


def assert_faultless(stream, period):
    parts = list(stream.parts)
    assert not jpeg_faults([part.body for part in parts])
    for piece in without_gaps(parts, period / Clips.FPS / 3):  # else the clip may have begun anew
        order = Order(numbers(piece), period)
        assert (order.duplicates, order.backward) == (0, 0), order
    times = [float(part.headers["x-timestamp"]) for part in parts]
    assert times == sorted(set(times))


def shm_shape(camring):
    """Names without generations, and how many bytes they hold."""
    names = camring.shm()
    return sorted(re.sub(r"\.\d+$", ".N", name) for name in names), sum(
        os.stat(f"/dev/shm/{name}").st_blocks * 512 for name in names
    )


@pytest.mark.quiet
@pytest.mark.limit(180)
@pytest.mark.parametrize("kind", ["capture", "encoder"])
def test_killed_while_somebody_watches(instance, rtsp_camera, kind):
    camring = (
        instance({"cam": f"rtsp://127.0.0.1:{rtsp_camera.port}/cam"}, restart=WIDE)
        .run()
        .wait_live("cam")
    )
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        wait_new_numbers(stream)
        before = shm_shape(camring)
        for _ in range(6):
            victims = camring.children(kind)
            assert victims
            for victim in victims:
                victim.kill()
            wait_new_numbers(stream)
            assert not [victim for victim in victims if victim.alive()]
        assert shm_shape(camring) == before
        assert_faultless(stream, Clips.PERIOD)
        assert not stream.ended


@pytest.mark.limit(180)
def test_one_of_two_encoders_killed(instance, rtsp_camera):
    """The other one goes on; the picture the dead one had in hand is counted, its lease is free
    again."""
    camring = (
        instance(
            {"cam": f"rtsp://127.0.0.1:{rtsp_camera.port}/cam"},
            restart=WIDE,
            encoder={"workers": 2},
        )
        .run()
        .wait_live("cam")
    )
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        wait_new_numbers(stream)
        for i in range(10):
            victims = camring.children("encoder")
            victims[i % len(victims)].kill()
            wait_new_numbers(stream, count=3)
        wait_for(lambda: len(camring.children("encoder")) == 2, BOUND, "two encoders again")
        assert_faultless(stream, Clips.PERIOD)


@pytest.mark.quiet
def test_passthrough_capture_killed(instance, http_camera):
    camring = (
        instance({"cam": f"http://127.0.0.1:{http_camera.port}/video.mjpg"}, restart=WIDE)
        .run()
        .wait_live("cam")
    )
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        wait_new_numbers(stream)
        before = shm_shape(camring)
        for _ in range(5):
            camring.children("capture")[0].kill()
            wait_new_numbers(stream)
        assert shm_shape(camring) == before
        assert_faultless(stream, Clips.PERIOD)


def test_server_killed(instance, rtsp_camera):
    """Its viewers lose their connection; the next one is served by its successor on the same
    port."""
    camring = (
        instance(
            {"cam": f"rtsp://127.0.0.1:{rtsp_camera.port}/cam"}, restart=WIDE, http={"workers": 1}
        )
        .run()
        .wait_live("cam")
    )
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        wait_new_numbers(stream)
    before = shm_shape(camring)
    for _ in range(4):
        with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
            wait_new_numbers(stream)
            camring.children("server")[0].kill()
            wait_for(lambda: stream.ended, BOUND, "the end of the stream")
        camring.wait_listening()
    camring.wait_live("cam")
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        wait_new_numbers(stream)
        assert_faultless(stream, Clips.PERIOD)
    assert shm_shape(camring) == before


def test_supervisor_killed(instance, rtsp_camera):
    camring = (
        instance({"cam": f"rtsp://127.0.0.1:{rtsp_camera.port}/cam", "two": "test:"})
        .run()
        .wait_live("cam", "two")
    )
    orphans = camring.children()
    assert len(orphans) >= 4
    camring.supervisor.kill()
    camring.wait_exit()
    wait_for(lambda: not [p for p in orphans if p.alive()], BOUND, f"the end of {orphans}")
    assert camring.cli("status").returncode == 3
    camring.run().wait_live("cam", "two")
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        wait_new_numbers(stream)
    camring.stop()


def test_everything_killed_at_once(instance):
    camring = instance({"cam": "test:"}).run().wait_live("cam")
    for process in [*camring.children(), camring.supervisor]:
        process.kill()
    camring.wait_exit()
    assert camring.shm()
    camring.run().wait_live("cam")


def test_a_stopped_capture_delays_nobody(instance):
    """A capture that hangs (here: stopped) is its own camera's trouble only, and stop is still
    prompt."""
    camring = instance({"good": "test:", "hung": "test:"}).run().wait_live("good", "hung")
    hung = [p for p in camring.children("capture") if "hung" in descriptor_names(p)]
    assert len(hung) == 1
    hung[0].kill(signal.SIGSTOP)
    with Stream(camring.port, "/cameras/good/stream.mjpeg") as stream:
        wait_new_numbers(stream, count=60)
        assert_faultless(stream, 1 << 16)


def descriptor_names(process):
    """Cameras whose rings the process has mapped."""
    with open(f"/proc/{process.pid}/maps") as maps:
        return set(re.findall(r"/dev/shm/camring\.[^.]+\.([^.]+)\.", maps.read()))


@pytest.mark.parametrize("kind", ["rtsp", "http"])
def test_a_camera_goes_away_and_comes_back(instance, own_rtsp_camera, own_http_camera, kind):
    source, url = {
        "rtsp": (own_rtsp_camera, f"rtsp://127.0.0.1:{own_rtsp_camera.port}/cam"),
        "http": (own_http_camera, f"http://127.0.0.1:{own_http_camera.port}/video.mjpg"),
    }[kind]
    camring = (
        instance({"cam": {"source": url, "stall_timeout": "2s"}, "other": "test:"}, restart=WIDE)
        .run()
        .wait_live("cam", "other")
    )
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream, Stream(
        camring.port, "/cameras/other/stream.mjpeg"
    ) as other:
        wait_new_numbers(stream)
        source.stop()
        wait_placeholder(stream)
        wait_for(lambda: camring.camera("cam")["state"] == "away", BOUND, "the camera away")
        assert camring.camera("cam")["why"]
        assert camring.get("/readyz")[0] == 503
        wait_new_numbers(other)
        source.start()
        wait_new_numbers(stream)
        wait_for(lambda: camring.get("/readyz")[0] == 200, BOUND, "ready again")
        assert not stream.ended and not other.ended
        assert not jpeg_faults([part.body for part in stream.parts])
        assert_faultless(other, 1 << 16)


@pytest.mark.parametrize("kind", ["rtsp", "http"])
def test_a_camera_falls_silent(instance, own_rtsp_camera, own_http_camera, kind):
    """Its connection stays open, but nothing comes: after stall_timeout it is away, and live again
    when it speaks again."""
    source, url = {
        "rtsp": (own_rtsp_camera, f"rtsp://127.0.0.1:{own_rtsp_camera.port}/cam"),
        "http": (own_http_camera, f"http://127.0.0.1:{own_http_camera.port}/video.mjpg"),
    }[kind]
    camring = (
        instance({"cam": {"source": url, "stall_timeout": "1s"}}, restart=WIDE)
        .run()
        .wait_live("cam")
    )
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        wait_new_numbers(stream)
        source.signal(signal.SIGSTOP)
        wait_placeholder(stream)
        assert camring.camera("cam")["state"] != "live"
        begin = len(stream.parts)
        stream.wait(lambda s: len(s.parts) >= begin + 4, BOUND, "the same picture again and again")
        times = [float(part.headers["x-timestamp"]) for part in stream.parts[begin : begin + 4]]
        assert times == sorted(set(times)), "each says how things are as it is sent"
        source.signal(signal.SIGCONT)
        wait_new_numbers(stream, limit=30)


def test_dates_rise_where_a_placeholder_is_overtaken(instance, own_http_camera):
    """A picture that was captured before a placeholder was shown, but encoded after that."""
    camera = {
        "source": f"http://127.0.0.1:{own_http_camera.port}/video.mjpg",
        "fps": 0.2,
        "jpeg": {"passthrough": "off"},
    }
    camring = instance({"cam": camera}, restart=WIDE, encoder={"workers": 1}).run().wait_live("cam")
    with Stream(camring.port, "/cameras/cam/stream.mjpeg?info=1") as stream:

        def wait_part(drawn):
            begin = len(stream.parts)
            stream.wait(
                lambda s: any((p.headers["x-frame"] == "0") == drawn for p in s.parts[begin:]),
                BOUND,
                "a placeholder" if drawn else "a picture",
            )

        stream.wait_parts(1)
        (encoder,) = camring.children("encoder")
        own_http_camera.stop()
        wait_part(drawn=True)
        captured = camring.camera("cam")["counters"]["captured"]
        encoder.kill(signal.SIGSTOP)
        try:
            own_http_camera.start()
            wait_for(
                lambda: camring.camera("cam")["counters"]["captured"] > captured,
                BOUND,
                "a picture that waits for its encoder",
            )
            wait_part(drawn=True)
        finally:
            encoder.kill(signal.SIGCONT)
        wait_part(drawn=False)
        times = [float(part.headers["x-timestamp"]) for part in stream.parts]
        assert times == sorted(set(times))


def test_http_camera_that_closes_again_and_again(instance, http_camera):
    """Twenty pictures a connection: the stream goes on over all of them."""
    camring = instance({"cam": f"http://127.0.0.1:{http_camera.port}/close.mjpg"}).run()
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        wait_new_numbers(stream, limit=30, count=50)
        assert_faultless(stream, Clips.PERIOD)
