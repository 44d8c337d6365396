"""Pictures as each client wants them: fewer a second, smaller, coarser, by profile."""
import contextlib
import io
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from clips import jpeg_fault, jpeg_faults, number_in, read_number
from multipart import Stream
from product import free_port, running, wait_for

STREAM = "/cameras/door/stream.mjpeg"
SNAPSHOT = "/cameras/door/snapshot.jpg"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    thumb = {"width": 320, "fps": 2, "quality": 60}
    cameras = {
        "door": {
            "source": "test:?size=1280x720&fps=30",
            "profiles": {"thumb": thumb, "coarse": {"quality": 20}},
        },
        "yard": "test:?size=640x360&fps=10",
    }
    with running(tmp_path_factory.mktemp("variants"), cameras) as camring:
        yield camring.wait_live("door", "yard")


def error_of(answer):
    status, headers, body = answer
    assert headers["content-type"].startswith("application/json"), headers
    return status, json.loads(body)["error"]


def numbers_of(parts):
    numbers = [read_number(part.body) for part in parts]
    assert None not in numbers and not jpeg_faults([part.body for part in parts])
    return numbers


def steps_of(numbers):
    return [(b - a) % 65536 for a, b in zip(numbers, numbers[1:])]


# ---- fewer a second ------------------------------------------------------------------


@pytest.mark.quiet
@pytest.mark.parametrize(
    "fps, step", [("10", 3), ("15.0", 2), ("7", 30 / 7), ("2.5", 12), ("1", 30)]
)
def test_fewer_pictures(server, fps, step):
    """So many in a second of the camera's, not of the machine's: counted by the burnt-in
    numbers."""
    count = 4 if step >= 12 else 40
    with Stream(server.port, f"{STREAM}?fps={fps}") as stream:
        numbers = numbers_of(list(stream.wait_parts(count + 1, limit=60).parts)[: count + 1])
    steps = steps_of(numbers)
    # On a busy machine a picture may not come, or late; never are there more than asked for.
    assert sum(steps) >= count * step - step, steps
    assert sorted(steps)[len(steps) // 2] in (int(step), -int(-step // 1)), steps


@pytest.mark.quiet
@pytest.mark.parametrize("query", ["", "?fps=30", "?fps=60", "?fps=240"])
def test_all_pictures(server, query):
    with Stream(server.port, STREAM + query) as stream:
        steps = steps_of(numbers_of(list(stream.wait_parts(40).parts)))
    assert sorted(steps)[len(steps) // 2] == 1, steps


def test_a_slow_one_disturbs_no_fast_one(server):
    with Stream(server.port, STREAM + "?fps=1") as slow, Stream(server.port, STREAM) as fast:
        slow.wait_parts(3)
        assert len(fast.parts) > 5 * len(slow.parts)


def test_live_has_rates_too(server):
    with Stream(server.port, "/live?fps=2") as stream:
        stream.wait(lambda s: sum(part.headers["x-camera"] == "door" for part in s.parts) >= 6, 60)
        parts = list(stream.parts)
    door = steps_of(numbers_of([part for part in parts if part.headers["x-camera"] == "door"]))
    yard = steps_of(numbers_of([part for part in parts if part.headers["x-camera"] == "yard"]))
    assert sum(door) >= 15 * len(door) - 15 and sum(yard) >= 5 * len(yard) - 5, (door, yard)


# ---- smaller and coarser -------------------------------------------------------------


def size_of(jpeg):
    assert not jpeg_fault(jpeg)
    with Image.open(io.BytesIO(jpeg)) as image:
        return image.size


def scaled(width):
    """The height of a 16:9 picture of that width: the nearest even one."""
    return (width * 9 + 16) // 32 * 2


def quality_of(jpeg):
    """The quality that libjpeg was told, by the table for luma; 100 for what no lower one
    explains."""
    with Image.open(io.BytesIO(jpeg)) as image:
        table = image.quantization[0]
    standard = [16, 11, 10, 16, 24, 40, 51, 61]  # its first row at quality 50
    for quality in range(1, 100):
        factor = 5000 // quality if quality < 50 else 200 - 2 * quality
        if table[:8] == [min(255, max(1, (value * factor + 50) // 100)) for value in standard]:
            return quality
    return 100


def number_of(jpeg):
    """The burnt-in number of a scaled picture."""
    with Image.open(io.BytesIO(jpeg)) as image:
        return number_in(image.convert("L").resize((1280, 720)) if image.width != 1280 else image)


def encoded(camring, camera):
    """How many pictures of variants there have been, by ring."""
    rings = json.loads(camring.cli("shm", "list", "--json").stdout)["rings"]
    return {
        r["variant"]: r["frame"]
        for r in rings
        if r["camera"] == camera and r["variant"].startswith("v")
    }


def rising(camring, camera):
    """Which variants are being encoded."""
    before = encoded(camring, camera)
    time.sleep(1)
    return [
        name for name, count in encoded(camring, camera).items() if count != before.get(name, 0)
    ]


SIZES = [
    ("16", 160),
    ("160", 160),
    ("161", 240),
    ("320", 320),
    ("500", 640),
    ("961", 1280),
    ("1280", 1280),
    ("8192", 1280),
]


@pytest.mark.parametrize("asked, width", SIZES)
def test_widths_go_up_in_steps_to_the_cameras_own(server, asked, width):
    status, headers, body = server.get(f"{SNAPSHOT}?width={asked}")
    assert status == 200 and headers["content-type"] == "image/jpeg" and "x-timestamp" in headers
    assert size_of(body) == (width, scaled(width)) and quality_of(body) == 80


@pytest.mark.parametrize(
    "asked, quality", [(1, 10), (20, 20), (42, 40), (78, 80), (80, 80), (95, 95), (100, 95)]
)
def test_qualities_come_in_steps(server, asked, quality):
    status, _, body = server.get(f"{SNAPSHOT}?quality={asked}")
    assert status == 200 and size_of(body) == (1280, 720) and quality_of(body) == quality


@pytest.mark.parametrize(
    "query, width, quality",
    [
        ("profile=thumb", 320, 60),
        ("profile=coarse", 1280, 20),
        ("profile=thumb&width=640", 640, 60),
        ("quality=90&profile=thumb", 320, 90),
    ],
)
def test_profiles(server, query, width, quality):
    for path in (SNAPSHOT, "/snapshot"):
        body = server.get(f"{path}?{query}")[2]
        assert (size_of(body)[0], quality_of(body)) == (width, quality)
    with Stream(server.port, f"{STREAM}?{query}") as stream:
        body = stream.wait_parts(2).parts[1].body
        assert (size_of(body)[0], quality_of(body)) == (width, quality)


def test_a_profiles_rate(server):
    with Stream(server.port, f"{STREAM}?profile=thumb") as stream:
        numbers = [number_of(part.body) for part in list(stream.wait_parts(6, limit=60).parts)]
    assert sum(steps_of(numbers)) >= 15 * 5 - 15, numbers


@pytest.mark.quiet
def test_a_stream_keeps_up_with_the_cameras_own(server):
    with Stream(server.port, STREAM) as own, Stream(
        server.port, f"{STREAM}?width=320&quality=50"
    ) as small:
        small.wait_parts(30)
        numbers = [number_of(part.body) for part in list(small.parts)]
        ahead = number_of(own.parts[-1].body)
    assert None not in numbers and all(1 <= step < 30 for step in steps_of(numbers)), numbers
    assert (ahead - numbers[-1]) % 65536 < 60 or (numbers[-1] - ahead) % 65536 < 60


def test_live_in_another_size(server):
    with Stream(server.port, "/live?width=160") as stream:
        stream.wait(
            lambda s: {part.headers["x-camera"] for part in s.parts} == {"door", "yard"}, 30
        )
        assert {size_of(part.body) for part in list(stream.parts)} == {(160, 90)}


def test_many_viewers_are_one_encoding_and_none_is_none(server):
    wait_for(lambda: not rising(server, "door"), 30, "no variant being encoded")
    with contextlib.ExitStack() as stack:
        before = encoded(server, "door")
        streams = [
            stack.enter_context(Stream(server.port, f"{STREAM}?width=480")) for _ in range(20)
        ]
        for stream in streams:
            stream.wait_parts(30)
        after = encoded(server, "door")
        numbers = [
            number_of(part.body)
            for stream in streams
            for part in (stream.parts[0], stream.parts[-1])
        ]
        made = {
            name: count - before.get(name, 0)
            for name, count in after.items()
            if count != before.get(name, 0)
        }
    first, last = min(numbers), max(numbers)
    assert len(made) == 1 and 30 <= sum(made.values()) <= last - first + 10, (made, first, last)
    wait_for(lambda: not rising(server, "door"), 30, "no variant being encoded")


def test_one_snapshot_after_the_other_needs_no_new_start(server):
    """Between them the variant stays wanted: it is encoded all the time, not once for each."""
    before = encoded(server, "yard")
    for _ in range(4):
        assert size_of(server.get("/cameras/yard/snapshot.jpg?width=240")[2]) == (240, scaled(240))
        time.sleep(1)
    made = [
        count - before.get(name, 0)
        for name, count in encoded(server, "yard").items()
        if count != before.get(name, 0)
    ]
    assert len(made) == 1 and made[0] > 20, made
    wait_for(lambda: not rising(server, "yard"), 30, "no variant being encoded")


def test_a_picture_left_from_before_is_not_taken_for_a_new_one(server):
    path = "/cameras/yard/snapshot.jpg?width=320"
    first = number_of(server.get(path)[2])
    wait_for(lambda: not rising(server, "yard"), 30, "no variant being encoded")
    own = read_number(server.get("/cameras/yard/snapshot.jpg")[2])
    again = number_of(server.get(path)[2])
    assert (own - first) % 65536 > 15, "the camera stood still"
    assert (again - own) % 65536 < 30000 or (own - again) % 65536 <= 12, (first, own, again)


def test_a_hundred_small_snapshots_at_once(server):
    with ThreadPoolExecutor(100) as pool:
        answers = list(
            pool.map(
                lambda _: server.get(f"{SNAPSHOT}?width=240&max_age=0", timeout=60), range(100)
            )
        )
    assert [status for status, _, _ in answers] == [200] * 100
    assert {size_of(body)[0] for _, _, body in answers} == {240}


def test_more_variants_than_there_can_be(server):
    wait_for(lambda: not rising(server, "door"), 30, "no variant being encoded")
    with contextlib.ExitStack() as stack:
        for quality in (10, 15, 20, 25, 30, 35, 40, 45):
            stack.enter_context(
                Stream(server.port, f"{STREAM}?width=160&quality={quality}")
            ).wait_parts(1)
        for path in (STREAM, SNAPSHOT, "/live"):
            answer = server.get(f"{path}?width=160&quality=50")
            status, error = error_of(answer)
            assert (
                status == 503
                and int(answer[1]["retry-after"]) > 0
                and '"door"' in error
                and "8" in error
            )
        assert server.get(f"{SNAPSHOT}?width=160&quality=45")[0] == 200
    wait_for(lambda: server.get(f"{SNAPSHOT}?width=160&quality=50")[0] == 200, 10, "a free place")


def test_servers_share_variants_and_a_dead_one_wants_none(tmp_path):
    path = "/cameras/door/stream.mjpeg?width=320"
    restart = {"burst": 1000, "window": "1s"}
    with running(
        tmp_path, {"door": "test:?size=640x360&fps=20"}, http={"workers": 2}, restart=restart
    ) as camring:
        camring.wait_live("door")
        with contextlib.ExitStack() as stack:
            streams = [stack.enter_context(Stream(camring.port, path)) for _ in range(12)]
            for stream in streams:
                stream.wait_parts(10)
            assert len(rising(camring, "door")) == 1
            servers = camring.children("server")
            servers[0].kill()
            wait_for(
                lambda: any(stream.ended for stream in streams),
                20,
                "the clients of the killed one gone",
            )
            left = [stream for stream in streams if not stream.ended]
            assert left, "both servers had some of twelve clients"
            for stream in left:
                stream.wait_parts(len(stream.parts) + 10)
        wait_for(lambda: len(camring.children("server")) == 2, 20, "another server")
        wait_for(lambda: not rising(camring, "door"), 30, "no variant being encoded")


def test_head_of_a_variant(server):
    status, headers, body = server.get(f"{SNAPSHOT}?width=320", method="HEAD")
    assert (status, body) == (200, b"") and int(headers["content-length"]) > 500
    assert server.get(f"{STREAM}?width=320", method="HEAD")[0] == 200


def test_variants_of_a_camera_that_is_passed_through(tmp_path, own_http_camera):
    with running(
        tmp_path, {"cam": f"http://127.0.0.1:{own_http_camera.port}/video.mjpg"}
    ) as camring:
        camring.wait_live("cam")
        with Stream(camring.port, "/cameras/cam/stream.mjpeg?width=320") as stream:
            parts = list(stream.wait_parts(20).parts)
        assert {size_of(part.body) for part in parts} == {(320, 180)}
        assert None not in [number_of(part.body) for part in parts]
        body = camring.get("/cameras/cam/snapshot.jpg?quality=30")[2]
        assert (size_of(body), quality_of(body)) == ((640, 360), 30)


def test_a_camera_that_dies_and_comes_back(tmp_path, own_http_camera):
    cameras = {
        "cam": {
            "source": f"http://127.0.0.1:{own_http_camera.port}/video.mjpg",
            "reconnect": {"every": "200ms"},
        }
    }
    with running(tmp_path, cameras) as camring:
        camring.wait_live("cam")
        with Stream(camring.port, "/cameras/cam/stream.mjpeg?width=320") as stream:
            stream.wait_parts(5)
            own_http_camera.stop()
            stream.wait(lambda s: number_of(s.parts[-1].body) is None, 30, "a placeholder")
            assert size_of(stream.parts[-1].body) == (320, 180)
            # What was captured last can still be had in any size, fresher ones can't.
            assert number_of(camring.get("/cameras/cam/snapshot.jpg?width=480")[2]) is not None
            answer = camring.get("/cameras/cam/snapshot.jpg?width=480&max_age=100ms")
            assert error_of(answer)[0] == 503 and '"cam" is' in error_of(answer)[1]
            own_http_camera.start()
            stream.wait(lambda s: number_of(s.parts[-1].body) is not None, 60, "pictures again")
            assert size_of(stream.parts[-1].body) == (320, 180)


def test_a_camera_that_never_was_there(tmp_path):
    with running(tmp_path, {"dead": f"rtsp://127.0.0.1:{free_port()}/cam"}) as camring:
        camring.wait_state("dead", "away")
        with Stream(camring.port, "/cameras/dead/stream.mjpeg?width=320") as stream:
            assert size_of(stream.wait_parts(2).parts[1].body) == (320, 180)
        status, error = error_of(camring.get("/cameras/dead/snapshot.jpg?width=320"))
        assert status == 503 and "refused" in error.lower()


def test_the_last_picture_of_a_file_in_another_size(tmp_path, clips):
    with running(tmp_path, {"file": f"file:{clips.mp4()}"}) as camring:
        camring.wait_state("file", "ended", 60)
        wait_for(lambda: camring.get("/cameras/file/snapshot.jpg")[0] == 200, 10, "a picture")
        last = read_number(camring.get("/cameras/file/snapshot.jpg")[2])
        for width in (320, 160, 320):
            body = camring.get(f"/cameras/file/snapshot.jpg?width={width}")[2]
            assert size_of(body) == (width, scaled(width)) and number_of(body) == last
        wait_for(
            lambda: camring.get("/cameras/file/snapshot.jpg?width=320")[0] == 200,
            10,
            "the picture from before",
        )
        with Stream(camring.port, "/cameras/file/stream.mjpeg?width=160") as stream:
            parts = list(stream.wait_parts(2).parts)
        assert [number_of(part.body) for part in parts] == [last] * len(parts)


# ---- what is refused -----------------------------------------------------------------

BAD = [
    *(
        (f"fps={value}", "0.1 to 240")
        for value in ("0", "0.05", "241", "-1", "x", "", "nan", "1e1")
    ),
    *((f"width={value}", "16 to 8192") for value in ("0", "15", "8193", "-320", "320.5", "x", "")),
    *((f"quality={value}", "1 to 100") for value in ("0", "101", "-1", "80.5", "best", "")),
    ("profile=big", "thumb, coarse"),
    ("profile=", "thumb, coarse"),
]


@pytest.mark.parametrize("query, range_", BAD)
@pytest.mark.parametrize("path", [STREAM, SNAPSHOT, "/stream", "/live?cameras=door"])
def test_out_of_range(server, path, query, range_):
    status, error = error_of(server.get(f"{path}{'&' if '?' in path else '?'}{query}"))
    assert status == 400 and range_ in error and query.split("=")[0] in error


def test_a_camera_without_profiles(server):
    status, error = error_of(server.get("/cameras/yard/stream.mjpeg?profile=thumb"))
    assert status == 400 and '"yard" has no profiles' in error
