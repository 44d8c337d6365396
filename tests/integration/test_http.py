"""The server's paths, statuses and headers; who gets which bytes; slow readers."""
import json
import re
import socket
import time

import pytest

from clips import jpeg_fault, jpeg_faults, read_number
from multipart import Stream
from product import free_port, running, wait_for

CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    cameras = {
        "door": "test:?size=640x360&fps=20",
        "slow": "test:?size=320x240&fps=1",
        "dead": f"rtsp://127.0.0.1:{free_port()}/cam",
    }
    with running(tmp_path_factory.mktemp("http"), cameras) as camring:
        camring.wait_live("door", "slow").wait_state("dead", "away")
        yield camring


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    with running(
        tmp_path_factory.mktemp("healthy"), {"a": "test:?size=320x240", "b": "test:?size=320x240"}
    ) as camring:
        yield camring.wait_live("a", "b")


def error_of(answer):
    status, headers, body = answer
    assert headers["content-type"].startswith("application/json"), headers
    return status, json.loads(body)["error"]


def test_healthz(server):
    assert server.get("/healthz")[0] == 200


def test_readyz_names_who_is_not(server):
    status, _, body = server.get("/readyz")
    assert status == 503
    assert [camera["id"] for camera in json.loads(body)["cameras"]] == ["dead"]


def test_readyz_when_all_are(healthy):
    status, _, body = healthy.get("/readyz")
    assert status == 200, body
    json.loads(body)


def test_page(server):
    status, headers, body = server.get("/")
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert "default-src" in headers["content-security-policy"]
    assert b"door" in body or b"/api/v1/cameras" in body or b"<script" in body


def test_api_lists_cameras(server):
    page = server.api("cameras")
    assert [camera["id"] for camera in page["cameras"]] == ["door", "slow", "dead"]
    door, _, dead = page["cameras"]
    assert (door["state"], door["width"], door["height"]) == ("live", 640, 360)
    assert dead["state"] == "away" and "refused" in dead["why"].lower()
    assert server.camera("door")["id"] == "door"


def test_api_pages(server):
    first = server.api("cameras?limit=2")
    assert first["total"] == sum(first["states"].values()) == 3 and first["states"]["live"] == 2
    assert [camera["id"] for camera in first["cameras"]] == ["door", "slow"]
    rest = server.api(f"cameras?limit=2&cursor={first['next']}")
    assert [camera["id"] for camera in rest["cameras"]] == ["dead"]
    assert rest["next"] is None


@pytest.mark.parametrize("path", ["/cameras/door/snapshot.jpg", "/snapshot", "/?action=snapshot"])
def test_snapshot(server, path):
    status, headers, body = server.get(path)
    assert (status, headers["content-type"]) == (200, "image/jpeg")
    assert int(headers["content-length"]) == len(body)
    assert "no-store" in headers["cache-control"]
    assert not jpeg_fault(body) and read_number(body) is not None


def test_snapshots_are_current(server):
    first = read_number(server.get("/cameras/door/snapshot.jpg")[2])
    wait_for(
        lambda: read_number(server.get("/cameras/door/snapshot.jpg")[2]) > first,
        10,
        "a newer snapshot",
    )


def test_no_snapshot_of_a_dead_camera(server):
    status, headers, body = server.get("/cameras/dead/snapshot.jpg")
    assert status == 503
    assert int(headers["retry-after"]) >= 0
    assert "dead" in json.loads(body)["error"]


@pytest.mark.parametrize("path", ["/cameras/door/stream.mjpeg", "/stream", "/?action=stream"])
def test_stream(server, path):
    with Stream(server.port, path) as stream:
        parts = stream.wait_parts(20).parts
        assert stream.status == 200
        assert stream.headers["content-type"].startswith("multipart/x-mixed-replace")
        assert "no-store" in stream.headers["cache-control"]
        assert stream.headers["x-accel-buffering"] == "no"
        assert "transfer-encoding" not in stream.headers
        assert all(part.headers["content-type"] == "image/jpeg" for part in parts)
        assert not jpeg_faults([part.body for part in parts])


def test_time_stamps(server):
    with Stream(server.port, "/cameras/door/stream.mjpeg") as stream:
        parts = list(stream.wait_parts(20).parts)
    stamps = [part.headers["x-timestamp"] for part in parts]
    assert all(re.fullmatch(r"\d+\.\d{6}", stamp) for stamp in stamps)
    times = [float(stamp) for stamp in stamps]
    assert times == sorted(set(times))
    assert abs(times[-1] - time.time()) < 10


def test_headers_come_at_once_even_without_a_picture(server):
    with Stream(server.port, "/cameras/dead/stream.mjpeg") as stream:
        stream.wait_headers()
        assert stream.status == 200
        parts = list(stream.wait_parts(2).parts)
        assert not jpeg_faults([part.body for part in parts])
        assert [read_number(part.body) for part in parts] == [None] * len(parts)


@pytest.mark.parametrize(
    "path, advance", [("", False), ("?headers=advance", True), ("?headers=length", False)]
)
@pytest.mark.parametrize("agent", [CHROME, FIREFOX, "curl/7.88.1"])
def test_who_gets_which_headers(server, path, advance, agent):
    advance = advance or (not path and agent == CHROME)
    with Stream(server.port, "/cameras/door/stream.mjpeg" + path, {"User-Agent": agent}) as stream:
        parts = list(stream.wait_parts(5).parts)
    for part in parts:
        assert ("content-length" in part.headers) != advance
        assert ("x-timestamp" in part.headers) != advance
    assert not jpeg_faults([part.body for part in parts])


def bytes_at_rest(port, path, ends):
    """Reads until what has come ends with `ends` while nothing more comes for a moment."""
    received = b""
    deadline = time.monotonic() + 20
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        s.settimeout(0.3)
        while time.monotonic() < deadline:
            try:
                received += s.recv(1 << 20)
            except TimeoutError:
                if re.search(ends, received[-200:]):
                    return True
    raise AssertionError(f"at rest the stream ends with {received[-100:]!r}")


def test_a_picture_is_complete_without_the_next_one(server):
    """The boundary comes right behind the picture; in advance form the next part's header, too."""
    path = "/cameras/slow/stream.mjpeg?headers="
    assert bytes_at_rest(server.port, path + "length", rb"\xff\xd9\r\n--[^\r\n]+\r\n$")
    assert bytes_at_rest(
        server.port,
        path + "advance",
        rb"\xff\xd9\r\n--[^\r\n]+\r\nContent-Type: image/jpeg\r\n\r\n$",
    )


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/healthz",
        "/api/v1/cameras",
        "/cameras/door/snapshot.jpg",
        "/cameras/door/stream.mjpeg",
    ],
)
def test_head(server, path):
    status, headers, body = server.get(path, method="HEAD")
    assert (status, body) == (200, b"")
    assert "content-type" in headers


@pytest.mark.parametrize("path", ["/cameras/door/stream.mjpeg", "/cameras/door/snapshot.jpg"])
def test_options(server, path):
    status, headers, _ = server.get(path, method="OPTIONS")
    assert status in (200, 204)
    assert "GET" in headers["allow"]


@pytest.mark.parametrize(
    "path",
    ["/cameras/nobody/stream.mjpeg", "/cameras/nobody/snapshot.jpg", "/api/v1/cameras/nobody"],
)
def test_unknown_camera(server, path):
    status, text = error_of(server.get(path))
    assert status == 404 and "nobody" in text


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/cameras/door",
        "/cameras/door/nothing",
        "/api/v1/nothing",
        "/cameras/../etc/passwd",
        "/cameras/%2e%2e/stream.mjpeg",
        "/?action=nothing",
    ],
)
def test_unknown_path(server, path):
    status, _ = error_of(server.get(path))
    assert status in (400, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/cameras/door/stream.mjpeg",
        "/cameras/door/snapshot.jpg",
        "/api/v1/cameras",
        "/healthz",
    ],
)
def test_wrong_method(server, method, path):
    answer = server.get(path, method=method)
    status, _ = error_of(answer)
    assert status == 405 and "GET" in answer[1]["allow"]


@pytest.mark.parametrize("query", ["headers=sideways", "headers="])
def test_bad_query(server, query):
    assert error_of(server.get(f"/cameras/door/stream.mjpeg?{query}"))[0] == 400


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=many", "limit=99999999999999999999"]
)
def test_bad_limit(server, query):
    assert error_of(server.get(f"/api/v1/cameras?{query}"))[0] == 400


RAW = {
    "noise": (b"\x00\x01\x02\xff\xfe\r\n\r\n", 400),
    "no version": (b"GET /\r\n\r\n", 400),
    "unknown version": (b"GET / HTTP/7.5\r\n\r\n", 400),
    "no colon": (b"GET / HTTP/1.1\r\nHost x\r\n\r\n", 400),
    "long header": (b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 431),
    "endless header": (b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", 431),
    "many headers": (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 50_000 + b"\r\n", 431),
    "long path": (b"GET /" + b"a" * 1_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "endless path": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "long query": (b"GET /?a=" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "host for a path": (b"GET //snapshot?x HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "large body": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n" + b"a" * 5_000_000,
        413,
    ),
    "negative length": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
    "half a request": (b"GET /cameras/do", None),
    "nothing": (b"", None),
}


@pytest.mark.parametrize("name", RAW)
def test_nonsense_is_refused_and_hurts_nobody(server, name):
    sent, status = RAW[name]
    servers = server.children("server")
    with Stream(server.port, "/cameras/door/stream.mjpeg") as watcher:
        watcher.wait_parts(1)
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as s:
            s.sendall(sent)
            s.shutdown(socket.SHUT_WR)
            head, _, body = s.makefile("rb").read().partition(b"\r\n\r\n")
        if status is None:
            assert not head
        else:
            assert head.startswith(b"HTTP/1.1 %d " % status), head
            assert b"Content-Type: application/json\r\n" in head and json.loads(body)["error"]
        watcher.wait_parts(len(watcher.parts) + 10)
    assert [p.pid for p in server.children("server")] == [p.pid for p in servers]


@pytest.mark.quiet
def test_a_slow_reader_gets_the_newest_and_disturbs_nobody(instance, own_http_camera):
    camring = (
        instance({"cam": f"http://127.0.0.1:{own_http_camera.port}/video.mjpg"})
        .run()
        .wait_live("cam")
    )
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as fast, Stream(
        camring.port, "/cameras/cam/stream.mjpeg", rate=100_000
    ) as slow:
        fast.wait_parts(10)
        begin = len(fast.parts)
        parts = fast.collect(12)
        numbers = [read_number(part.body) for part in parts]
        steps = [(b - a) % 300 for a, b in zip(numbers, numbers[1:])]
        assert (
            begin and max(steps) <= 15 and len(parts) >= 0.9 * sum(steps)
        ), "the fast one was disturbed"
        late = list(slow.parts)
    assert 3 <= len(late) < len(parts) / 2
    assert not jpeg_faults([part.body for part in late])
    offset = time.time() - time.monotonic()
    ages = [part.time + offset - float(part.headers["x-timestamp"]) for part in late]
    assert max(ages) < 6, ages


def test_a_client_that_reads_nothing_is_cut(instance):
    camring = (
        instance({"cam": "test:?size=640x360"}, http={"client_timeout": "2s"})
        .run()
        .wait_live("cam")
    )
    with socket.create_connection(("127.0.0.1", camring.port)) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        local = "%s:%d" % s.getsockname()

        def connected():
            port = int(local.rpartition(":")[2])
            with open("/proc/net/tcp") as table:
                rows = [line.split() for line in list(table)[1:]]
            return [
                r
                for r in rows
                if r[1].endswith(f":{camring.port:04X}")
                and r[2].endswith(f":{port:04X}")
                and r[3] == "01"
            ]

        wait_for(connected, 5, "the connection")
        wait_for(lambda: not connected(), 20, "the end of the connection")


def test_a_hundred_requests_at_once(healthy):
    """Everyone is answered, with the right thing."""
    from concurrent.futures import ThreadPoolExecutor

    paths = [
        "/cameras/a/snapshot.jpg",
        "/cameras/b/snapshot.jpg",
        "/api/v1/cameras",
        "/healthz",
        "/cameras/nobody/snapshot.jpg",
    ] * 20
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(healthy.get, paths))
    for path, (status, _, body) in zip(paths, answers):
        assert status == (404 if "nobody" in path else 200), path
        if path.endswith(".jpg") and status == 200:
            assert not jpeg_fault(body)
