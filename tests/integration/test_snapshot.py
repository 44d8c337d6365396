"""Single pictures: many at once, fresh ones on demand, waiting for one that is on its way, and who
is refused."""
import contextlib
import http.client
import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from clips import jpeg_fault, read_number, split_jpegs
from multipart import Stream
from product import cpu_seconds, fetch, free_port, running, wait_for

FAST = "/cameras/fast/snapshot.jpg"
RARE = "/cameras/rare/snapshot.jpg"


class HandCamera:
    """An HTTP camera that pushes a picture when it is told to."""

    def __init__(self, clip):
        self.jpeg = split_jpegs(clip.read_bytes())[0]
        self.asked = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._client = None
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/video"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            self._client = self._listener.accept()[0]
            self._client.recv(4096)
            self.asked.set()

    def push(self, first=False):
        if first:
            self._client.sendall(
                b"HTTP/1.0 200 OK\r\n"
                b"Content-Type: multipart/x-mixed-replace; boundary=f\r\n\r\n--f\r\n"
            )
        self._client.sendall(
            b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(self.jpeg)
        )
        self._client.sendall(self.jpeg + b"\r\n--f\r\n")

    def close(self):
        self._listener.close()
        if self._client:
            self._client.close()


@pytest.fixture
def hand_camera(clips):
    camera = HandCamera(clips.small_mjpeg())
    yield camera
    camera.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory, clips):
    rare = HandCamera(clips.small_mjpeg())
    cameras = {
        "fast": "test:?size=320x240&fps=10",
        "slow": "test:?size=320x240&fps=1",
        "rare": {"source": rare.url, "stall_timeout": "10m"},
        "dead": f"rtsp://127.0.0.1:{free_port()}/cam",
    }
    with running(tmp_path_factory.mktemp("snapshot"), cameras) as camring:
        assert rare.asked.wait(20)
        rare.push(first=True)
        camring.wait_live("fast", "slow", "rare").wait_state("dead", "away")
        wait_for(lambda: camring.get(RARE)[0] == 200, 20, "a picture")
        yield camring
    rare.close()


def error_of(answer):
    status, headers, body = answer
    assert headers["content-type"].startswith("application/json"), headers
    return status, json.loads(body)["error"]


def newest(stream):
    return read_number(stream.parts[-1].body)


@pytest.mark.parametrize("path", [FAST, "/snapshot", "/?action=snapshot", FAST + "?max_age=1ms"])
def test_a_hundred_at_once(server, path):
    """None is older than what a viewer had before they were asked for; and once at least, whatever
    else the machine does, the newest had become older by no more than two pictures when the last of
    them came."""
    spans = []
    with Stream(server.port, "/cameras/fast/stream.mjpeg") as stream, ThreadPoolExecutor(
        100
    ) as pool:
        stream.wait_parts(2)
        for _ in range(8):
            before = newest(stream)
            answers = list(pool.map(lambda _: server.get(path, timeout=30), range(100)))
            after = newest(stream)
            assert [status for status, _, _ in answers] == [200] * 100
            bodies = {body for _, _, body in answers}
            assert not any(jpeg_fault(body) for body in bodies)
            numbers = {read_number(body) for body in bodies}
            assert all(before <= number <= after + 1 for number in numbers), (
                before,
                numbers,
                after,
            )
            spans.append(after - before)
            if spans[-1] <= 2 + ("max_age" in path):
                return
    pytest.fail(f"a hundred snapshots took {spans} frame intervals")


@pytest.mark.parametrize("age", ["0", "1ms", "100ms"])
def test_a_fresher_picture_than_there_is_is_waited_for(server, age):
    before = read_number(server.get("/cameras/slow/snapshot.jpg")[2])
    asked = time.time()
    status, headers, body = server.get(f"/cameras/slow/snapshot.jpg?max_age={age}")
    assert status == 200 and not jpeg_fault(body)
    assert float(headers["x-timestamp"]) >= asked - 0.11
    if age == "0":
        assert float(headers["x-timestamp"]) >= asked - 0.01 and read_number(body) > before


def test_a_picture_that_is_fresh_enough_is_sent_at_once(server):
    number = read_number(server.get(RARE)[2])
    answers = [server.get(RARE + "?max_age=24h") for _ in range(3)]
    assert [read_number(body) for _, _, body in answers] == [number] * 3


def test_nobody_waits_for_ever(server):
    answer = server.get(RARE + "?max_age=0")
    status, error = error_of(answer)
    assert status == 503 and int(answer[1]["retry-after"]) > 0
    assert '"rare" is live' in error and "ms old" in error


def test_head_waits_and_brings_no_body(server):
    asked = time.time()
    status, headers, body = server.get("/cameras/slow/snapshot.jpg?max_age=0", method="HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 1000 and float(headers["x-timestamp"]) >= asked - 0.01
    assert "no-store" in headers["cache-control"]


@pytest.mark.parametrize("query", ["", "?max_age=0", "?max_age=1h"])
def test_a_camera_that_is_away_is_refused_with_the_cause(server, query):
    answer = server.get("/cameras/dead/snapshot.jpg" + query)
    status, error = error_of(answer)
    assert status == 503 and int(answer[1]["retry-after"]) > 0
    assert '"dead"' in error and "refused" in error.lower()


@pytest.mark.parametrize("age", ["", "x", "-1s", "1e3", "1 s", "25h", "nan"])
def test_bad_age(server, age):
    status, error = error_of(server.get(f"{FAST}?max_age={age.replace(' ', '%20')}"))
    assert status == 400 and "0s to 24h" in error


def test_a_connection_is_kept_over_waits(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    numbers = []
    for _ in range(5):
        connection.request("GET", FAST + "?max_age=0")
        answer = connection.getresponse()
        assert answer.status == 200
        numbers.append(read_number(answer.read()))
    connection.close()
    assert numbers == sorted(set(numbers))


def test_requests_sent_ahead_are_answered_in_turn(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        wait = f"GET {FAST}?max_age=0 HTTP/1.1\r\nHost: x\r\n\r\n"
        client.sendall(
            (wait * 3 + "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").encode()
        )
        data = b""
        while more := client.recv(65536):
            data += more
    assert data.count(b"HTTP/1.1 200 OK") == 4
    assert [kind.split(b"\r")[0] for kind in data.split(b"Content-Type: ")[1:]] == [
        b"image/jpeg"
    ] * 3 + [b"application/json"]


def test_a_request_sent_while_one_waits_is_answered_after_it(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(f"GET {RARE}?max_age=0 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        wait_for(lambda: server.camera("rare")["viewers"] > 0, 10, "a client that waits")
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = b""
        while more := client.recv(65536):
            data += more
    assert [int(line.split()[0]) for line in data.split(b"HTTP/1.1 ")[1:]] == [503, 200]


def test_requests_beyond_what_is_read_ahead_keep_the_server_idle_while_one_waits(server):
    """libevent calls back for as long as the buffer is full: the loop went round without end."""
    server_pid = server.children("server")[0].pid
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(f"GET {RARE}?max_age=0 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        wait_for(lambda: server.camera("rare")["viewers"] > 0, 10, "a client that waits")
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(1000):
                client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        before, began = cpu_seconds(server_pid), time.monotonic()
        client.settimeout(20)
        assert client.recv(12) == b"HTTP/1.1 503"
        spent, waited = cpu_seconds(server_pid) - before, time.monotonic() - began
    assert spent < 0.05 * waited + 0.1


def snapshots(server, status):
    """How many have been answered so."""
    lines = [
        line
        for line in server.get("/metrics")[2].decode().splitlines()
        if 'route="snapshot"' in line and f'status="{status}"' in line
    ]
    assert len(lines) == 1
    return int(lines[0].split()[-1])


def test_a_client_that_leaves_with_a_full_buffer_is_a_viewer_no_longer(server):
    before = snapshots(server, "5xx")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(f"GET {RARE}?max_age=0 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 3000)
        wait_for(lambda: server.camera("rare")["viewers"] > 0, 10, "a client that waits")
    wait_for(lambda: server.camera("rare")["viewers"] == 0, 20, "no viewer")
    assert snapshots(server, "5xx") == before  # it has not been waited for to the end


def test_answers_after_a_wait_are_counted_as_snapshots(server):
    before = snapshots(server, "2xx")
    assert server.get("/cameras/slow/snapshot.jpg?max_age=0")[0] == 200
    assert snapshots(server, "2xx") == before + 1


def test_clients_that_leave_meanwhile_leave_nothing(server):
    (process,) = server.children("server")

    def descriptors():
        return len(os.listdir(f"/proc/{process.pid}/fd"))

    wait_for(lambda: server.camera("rare")["viewers"] == 0, 10, "nobody watching")
    before = descriptors()
    clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    for client in clients:
        client.sendall(f"GET {RARE}?max_age=0 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    wait_for(
        lambda: server.camera("rare")["viewers"] > 0 or descriptors() < before + 50,
        10,
        "clients that wait",
    )
    for client in clients:
        client.close()
    wait_for(
        lambda: server.camera("rare")["viewers"] == 0 and descriptors() <= before,
        10,
        "all clients gone",
    )
    assert process.alive() and server.get(FAST)[0] == 200


def test_the_first_picture_of_a_camera_that_connects_is_waited_for(tmp_path, hand_camera):
    path = "/cameras/late/snapshot.jpg"
    with running(tmp_path, {"late": hand_camera.url}) as camring, ThreadPoolExecutor(8) as pool:
        assert hand_camera.asked.wait(20)
        waiting = [pool.submit(camring.get, path) for _ in range(8)]
        wait_for(
            lambda: camring.camera("late")["viewers"] > 0 or any(w.done() for w in waiting),
            10,
            "clients that wait",
        )
        hand_camera.push(first=True)
        answers = [future.result() for future in waiting]
        # Where connecting takes longer than anyone waits, they are told so, and the next one gets
        # the picture.
        assert {status for status, _, _ in answers} <= {200, 503}
        camring.wait_live("late")
        answers = [answer for answer in answers if answer[0] == 200] or [camring.get(path)]
        assert {body for _, _, body in answers} == {hand_camera.jpeg}


def test_a_camera_that_goes_away_meanwhile_ends_the_wait(tmp_path, hand_camera):
    path = "/cameras/gone/snapshot.jpg"
    with running(tmp_path, {"gone": hand_camera.url}) as camring, ThreadPoolExecutor(1) as pool:
        assert hand_camera.asked.wait(20)
        waiting = pool.submit(camring.get, path)
        wait_for(
            lambda: camring.camera("gone")["viewers"] > 0 or waiting.done(),
            10,
            "a client that waits",
        )
        hand_camera.close()
        status, error = error_of(waiting.result())
        assert status == 503 and '"gone" has no picture' in error


def test_stopping_does_not_wait_for_those_who_wait(tmp_path, hand_camera):
    path = "/cameras/rare/snapshot.jpg"
    with running(
        tmp_path, {"rare": {"source": hand_camera.url, "stall_timeout": "10m"}}
    ) as camring:
        assert hand_camera.asked.wait(20)
        hand_camera.push(first=True)
        wait_for(lambda: camring.get(path)[0] == 200, 20, "a picture")
        with ThreadPoolExecutor(1) as pool:

            def ask():
                with contextlib.suppress(OSError, http.client.HTTPException):
                    return fetch(camring.port, path + "?max_age=0")[0]

            asked = pool.submit(ask)
            wait_for(
                lambda: camring.camera("rare")["viewers"] > 0 or asked.done(),
                10,
                "a client that waits",
            )
            camring.stop()
            assert asked.result() in (None, 503)
