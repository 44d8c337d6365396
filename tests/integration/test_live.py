"""/live: many cameras on one connection, each part naming its camera."""
import collections
import io
import json
import re
import subprocess
import time

import pytest
from PIL import Image

import network
from clips import Order, jpeg_faults, read_number, split_jpegs
from multipart import Stream
from product import free_port, running, wait_for

PERIOD = 1 << 16
FAST, SLOW = 20, 2  # pictures a second
CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Safari/537.36"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    cameras = {
        "fast": f"test:?size=640x360&fps={FAST}",
        "slow": f"test:?size=320x240&fps={SLOW}",
        "other": f"test:?size=160x120&fps={FAST}",
        "dead": f"rtsp://127.0.0.1:{free_port()}/cam",
        "closed": {"source": f"rtsp://127.0.0.1:{free_port()}/cam", "offline": "close"},
    }
    with running(tmp_path_factory.mktemp("live"), cameras) as camring:
        camring.wait_live("fast", "slow", "other").wait_state("dead", "away")
        yield camring


@pytest.fixture(scope="module")
def thirty(tmp_path_factory):
    """Small pictures, often."""
    cameras = {f"c{i:02}": "test:?size=160x120&fps=10" for i in range(30)}
    with running(tmp_path_factory.mktemp("thirty"), cameras) as camring:
        yield camring.wait_live(*cameras)


def by_camera(parts):
    found = collections.defaultdict(list)
    for part in parts:
        found[part.headers["x-camera"]].append(part)
    return found


def error_of(answer):
    status, headers, body = answer
    assert headers["content-type"].startswith("application/json"), headers
    return status, json.loads(body)["error"]


def test_all_pictures_of_the_cameras_asked_for(server):
    with Stream(server.port, "/live?cameras=slow,fast") as stream:
        stream.wait_parts(1)
        parts = stream.collect(4)
        assert stream.headers["content-type"].startswith("multipart/x-mixed-replace")
        assert "no-store" in stream.headers["cache-control"]
        assert stream.headers["x-accel-buffering"] == "no"
    found = by_camera(parts)
    assert set(found) == {"fast", "slow"}
    for part in parts:
        assert part.headers["content-type"] == "image/jpeg" and re.fullmatch(
            r"\d+\.\d{6}", part.headers["x-timestamp"]
        )
        assert "x-frame" not in part.headers
    assert not jpeg_faults([part.body for part in parts])
    for name, rate in (("fast", FAST), ("slow", SLOW)):
        order = Order([read_number(part.body) for part in found[name]], PERIOD)
        assert (order.duplicates, order.backward) == (0, 0), (name, order)
        assert order.delivered >= 0.9 and len(found[name]) >= 4 * rate * 0.5, (name, order)


def test_the_right_pictures(server):
    """Sizes tell them apart."""
    sizes = {"fast": (640, 360), "slow": (320, 240), "other": (160, 120)}
    with Stream(server.port, "/live?cameras=fast,slow,other") as stream:
        for part in stream.wait_parts(60).parts:
            with Image.open(io.BytesIO(part.body)) as image:
                assert image.size == sizes[part.headers["x-camera"]]


def test_all_cameras_by_default(server):
    """One that is away shows its placeholder, one that is to be closed then says nothing."""
    with Stream(server.port, "/live") as stream:
        stream.wait(
            lambda s: len({p.headers["x-camera"] for p in s.parts}) == 4, 20, "four cameras"
        )
        found = by_camera(stream.collect(3))
    assert set(found) == {"fast", "slow", "other", "dead"}
    assert read_number(found["dead"][-1].body) is None


def test_each_camera_once(server):
    with Stream(server.port, "/live?cameras=slow,slow,slow") as stream:
        numbers = [read_number(part.body) for part in stream.wait_parts(6).parts]
    assert len(set(numbers)) == len(numbers)


def test_info(server):
    with Stream(server.port, "/live?cameras=fast&info=1") as stream:
        parts = stream.wait_parts(10).parts
    frames = [int(part.headers["x-frame"]) for part in parts]
    assert frames == sorted(set(frames))
    for part in parts:
        ages = [
            float(part.headers[f"x-age-{stage}"])
            for stage in ("captured", "encode-start", "committed")
        ]
        assert ages == sorted(ages, reverse=True) and ages[2] >= 0


def test_header_and_picture_come_together_for_any_browser(server):
    """In Chromium's form a part's header would have to come before anybody knows whose picture is
    next."""
    with Stream(server.port, "/live?cameras=fast", headers={"User-Agent": CHROME}) as stream:
        assert all(part.headers["x-camera"] == "fast" for part in stream.wait_parts(3).parts)


def test_head_and_options(server):
    status, headers, body = server.get("/live", method="HEAD")
    assert (status, body) == (200, b"") and headers["content-type"].startswith(
        "multipart/x-mixed-replace"
    )
    status, headers, _ = server.get("/live", method="OPTIONS")
    assert status in (200, 204) and "GET" in headers["allow"]


@pytest.mark.parametrize(
    "query, status, named",
    [
        ("cameras=fast,nobody", 404, "nobody"),
        ("cameras=" + "x" * 40, 404, "x" * 40),
        ("cameras=fast,%00", 400, "cameras"),
        ("cameras=", 400, "cameras"),
        ("cameras=fast,", 400, "cameras"),
        ("cameras=fast,,slow", 400, "cameras"),
        ("cameras=" + "a" * 7500, 400, "cameras"),
        ("cameras=fast&headers=advance", 400, "headers"),
        ("cameras=fast&headers=x", 400, "headers"),
        ("cameras=fast&info=2", 400, "info"),
        ("&".join(["k=v"] * 17), 400, "16"),
    ],
)
def test_what_is_wrong_is_named(server, query, status, named):
    for method in ("GET", "HEAD") if status == 404 else ("GET",):
        answer = server.get("/live?" + query, method=method)
        assert answer[0] == status
        if method == "GET":
            assert named in error_of(answer)[1]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_wrong_method(server, method):
    assert error_of(server.get("/live", method=method))[0] == 405


def test_two_hundred_ids_fit(instance):
    ids = [f"{i:03}-" + "x" * 28 for i in range(200)]
    assert all(len(name) == 32 for name in ids)
    camring = instance({name: "test:?size=160x120&fps=1" for name in ids[:2]}).run()
    status, error = error_of(camring.get("/live?cameras=" + ",".join(ids)))
    assert status == 404 and ids[2] in error


def test_a_client_is_a_viewer_of_each_of_its_cameras(server):
    def viewers():
        return [server.camera(name)["viewers"] for name in ("fast", "slow", "other")]

    wait_for(lambda: viewers() == [0, 0, 0], 10, "nobody")
    with Stream(server.port, "/live?cameras=fast,slow") as one, Stream(
        server.port, "/live?cameras=slow"
    ) as two:
        one.wait_parts(1), two.wait_parts(1)
        assert viewers() == [1, 2, 0]
    wait_for(lambda: viewers() == [0, 0, 0], 10, "nobody again")


def test_counts_once_against_max_clients(instance):
    cameras = {name: "test:?size=160x120&fps=5" for name in "abc"}
    camring = instance(cameras, http={"max_clients": 2}).run().wait_live(*cameras)
    with Stream(camring.port, "/live") as one, Stream(
        camring.port, "/cameras/a/stream.mjpeg"
    ) as two:
        one.wait_parts(1), two.wait_parts(1)
        for path in ("/live", "/cameras/a/stream.mjpeg"):
            status, headers, _ = camring.get(path)
            assert status == 503 and int(headers["retry-after"]) >= 0


def test_all_of_thirty(thirty):
    with Stream(thirty.port, "/live") as stream:
        stream.wait(
            lambda s: len({p.headers["x-camera"] for p in s.parts}) == 30, 20, "thirty cameras"
        )
        found = by_camera(stream.collect(4))
    orders = [Order([read_number(part.body) for part in parts], PERIOD) for parts in found.values()]
    assert len(orders) == 30
    assert all((order.duplicates, order.backward) == (0, 0) for order in orders)
    assert sum(order.delivered for order in orders) / 30 >= 0.8


def test_many_that_are_away(tmp_path):
    """More than are drawn at once: each is drawn all the same, again and again."""
    nowhere = {f"c{i}": f"http://127.0.0.1:{free_port()}/" for i in range(40)}
    with running(tmp_path, nowhere) as camring, Stream(camring.port, "/live") as stream:
        stream.wait(
            lambda s: len({p.headers["x-camera"] for p in s.parts}) == 40, 20, "a picture of each"
        )
        stream.wait(
            lambda s: min(len(parts) for parts in by_camera(s.parts).values()) >= 3,
            20,
            "further ones of each",
        )


@pytest.mark.quiet
@pytest.mark.skipif(not network.available(), reason="needs root, to make network namespaces")
def test_a_slow_link_gets_fewer_pictures_but_never_old_ones(tmp_path):
    """Ten cameras would need many times what the link carries. Each gets its turn, and what comes
    is as fresh as the link allows, which carries a picture in about a tenth of a second."""
    rate, port = 100_000, free_port()
    cameras = {f"c{i}": "test:?size=640x360&fps=10" for i in range(10)}
    with network.Link(rate=rate) as link:
        listen = {
            "listen": [f"127.0.0.1:{port}", f"{link.address}:{port}"],
            "allow_open_bind": True,
        }
        with running(tmp_path, cameras, port=port, http=listen) as camring:
            camring.wait_live(*cameras)
            with link.far_end():
                stream = Stream(camring.port, "/live?info=1", host=link.address)
            with stream:
                parts = stream.collect(20)[10:]
    offset = time.time() - time.monotonic()
    ages = [part.time + offset - float(part.headers["x-timestamp"]) for part in parts]
    own = sum(len(part.body) for part in parts) / len(parts) / rate
    counts = [len(each) for each in by_camera(parts).values()]
    print(
        f"{len(parts)} pictures, {own:.3f} s each on the link, "
        f"ages: mean {sum(ages) / len(ages):.2f} max {max(ages):.2f}, {counts}"
    )
    assert len(counts) == 10 and max(counts) - min(counts) <= 1
    assert not jpeg_faults([part.body for part in parts])
    # Up to a frame interval old when chosen, behind what is still under way.
    assert sum(ages) / len(ages) <= 0.1 + 2.6 * own
    assert max(ages) <= 0.3 + 5 * own


def test_a_busy_camera_does_not_crowd_out_a_quiet_one(instance):
    """The client reads far less than the busy one sends, yet gets every picture of the quiet
    one."""
    cameras = {"busy": "test:?size=1280x720&fps=30", "quiet": "test:?size=160x120&fps=1"}
    camring = instance(cameras).run().wait_live(*cameras)
    with Stream(camring.port, "/live?cameras=busy,quiet", rate=200_000) as slow:
        slow.wait(
            lambda s: len(by_camera(s.parts)["quiet"]) >= 8, 40, "the quiet camera's pictures"
        )
        found = by_camera(slow.parts)
    quiet = Order([read_number(part.body) for part in found["quiet"]], PERIOD)
    busy = Order([read_number(part.body) for part in found["busy"]], PERIOD)
    assert (quiet.duplicates, quiet.backward) == (0, 0) and quiet.delivered >= 0.7, quiet
    assert (busy.duplicates, busy.backward) == (0, 0) and busy.delivered <= 0.7, busy


def test_goes_on_while_a_camera_goes_and_returns(instance, own_http_camera):
    """One that is to be closed while away falls silent and comes back; the stream goes on with the
    others."""
    source = f"http://127.0.0.1:{own_http_camera.port}/video.mjpg"
    camring = instance(
        {"fix": "test:?size=160x120&fps=5", "cam": {"source": source, "offline": "close"}}
    ).run()
    camring.wait_live("fix", "cam")

    def newest(stream, name):
        return max(
            (part.time for part in stream.parts if part.headers["x-camera"] == name), default=0
        )

    with Stream(camring.port, "/live?cameras=fix,cam") as stream:
        wait_for(lambda: newest(stream, "cam"), 20, "a picture")
        own_http_camera.stop()
        camring.wait_state("cam", "away")
        wait_for(lambda: time.monotonic() - newest(stream, "cam") > 2, 20, "silence")
        assert time.monotonic() - newest(stream, "fix") < 2
        own_http_camera.start()
        gone = time.monotonic()
        wait_for(lambda: newest(stream, "cam") > gone, 30, "a picture after its return")
        assert not stream.ended


def test_ffmpeg_opens_one_of_one_camera(server):
    done = subprocess.run(
        f"ffmpeg -nostdin -loglevel error -i http://127.0.0.1:{server.port}/live?cameras=fast "
        "-frames:v 30 -vsync passthrough -c:v copy -f image2pipe -".split(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=40,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    order = Order([read_number(jpeg) for jpeg in split_jpegs(done.stdout)], PERIOD)
    assert (order.duplicates, order.backward) == (0, 0)
