"""Several server processes behind one address: the load is shared, one that dies or stops takes
only its own clients along; and no camera's process, whatever it does, delays HTTP or another
camera."""
import contextlib
import os
import re
import signal
import socket
import threading
import time

import pytest

from clips import jpeg_faults, read_number
from multipart import Stream
from product import fetch, running, wait_for

WIDE = {"burst": 1000, "window": "30s", "max": "60s"}  # restarts are never damped
CAMERAS = {"a": "test:?size=320x240&fps=20", "b": "test:?size=320x240&fps=20"}


@pytest.fixture
def pair(tmp_path):
    """Two server processes."""
    with running(
        tmp_path, CAMERAS, http={"workers": 2, "max_clients": 300}, restart=WIDE
    ) as camring:
        yield camring.wait_live("a", "b")


def sockets(process):
    count = 0
    for entry in os.listdir(f"/proc/{process.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(f"/proc/{process.pid}/fd/{entry}").startswith("socket:")
    return count


class Client(socket.socket):
    """One of a stream that has got the answer's first bytes and reads no further."""

    def __init__(self, port, camera):
        super().__init__()
        self.settimeout(20)
        self.connect(("127.0.0.1", port))
        self.sendall(f"GET /cameras/{camera}/stream.mjpeg HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.answer = self.recv(12)


@contextlib.contextmanager
def streams(port, count, camera="a"):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Client(port, camera)) for _ in range(count)]


def viewers(camring, camera="a"):
    return camring.camera(camera)["viewers"]


def wait_viewers(camring, count, camera="a"):
    wait_for(lambda: viewers(camring, camera) == count, 20, f"{count} viewers of {camera}")


def replaced(camring, dead):
    """True once there is another server in a dead one's place."""
    servers = camring.children("server")
    return len(servers) == 2 and dead.pid not in [p.pid for p in servers]


@pytest.mark.parametrize("pace", ["one by one", "at once"])
def test_clients_are_spread(pair, pace):
    servers = pair.children("server")
    before = [sockets(process) for process in servers]
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", pair.port), timeout=20))
            for _ in range(0 if pace == "one by one" else 200)
        ]
        for client in clients:
            client.sendall(b"GET /cameras/a/stream.mjpeg HTTP/1.1\r\nHost: x\r\n\r\n")
        for client in clients:
            assert client.recv(12) == b"HTTP/1.1 200"
        if pace == "one by one":
            stack.enter_context(streams(pair.port, 200))
        wait_viewers(pair, 200)
        spread = [sockets(process) - n for process, n in zip(servers, before)]
    print(f"200 clients {pace}: {spread}")
    assert min(spread) >= 50, spread
    wait_viewers(pair, 0)


def test_the_limit_holds_over_all_processes(tmp_path):
    with running(
        tmp_path, CAMERAS, http={"workers": 2, "max_clients": 20}, restart=WIDE
    ) as camring:
        camring.wait_live("a", "b")
        with streams(camring.port, 10, "a") as some, streams(camring.port, 10, "b") as others:
            assert {client.answer for client in some + others} == {b"HTTP/1.1 200"}
            for _ in range(10):
                with Client(camring.port, "a") as client:
                    assert client.answer == b"HTTP/1.1 503"
            assert camring.get("/cameras/a/snapshot.jpg")[0] == 200
            # The places of a process that is killed are free again.
            dead = camring.children("server")[0]
            dead.kill()
            wait_for(lambda: replaced(camring, dead), 20, "a new server")
            lost = 20 - viewers(camring, "a") - viewers(camring, "b")
            assert 4 <= lost <= 16
            with streams(camring.port, lost) as new:
                assert {client.answer for client in new} == {b"HTTP/1.1 200"}
                with Client(camring.port, "a") as client:
                    assert client.answer == b"HTTP/1.1 503"


def is_open(client):
    """Reads whatever has come."""
    client.setblocking(False)
    try:
        while client.recv(1 << 20):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


@pytest.mark.quiet
def test_one_that_dies_loses_its_own_clients(pair):
    with streams(pair.port, 40) as clients:
        wait_viewers(pair, 40)
        before = [server.pid for server in pair.children("server")]
        dead = pair.children("server")[1]
        dead.kill()
        slowest = 0
        for _ in range(100):  # new ones get in all the time
            begin = time.monotonic()
            assert pair.get("/healthz", timeout=10)[0] == 200
            slowest = max(slowest, time.monotonic() - begin)
            time.sleep(0.01)
        print(f"slowest answer while a server was replaced: {slowest * 1000:.1f} ms")
        assert slowest < 1
        wait_for(lambda: replaced(pair, dead), 20, "a new server")
        left = sum(map(is_open, clients))
        assert 10 <= left <= 30, left
        wait_viewers(pair, left)
        new = next(p for p in pair.children("server") if p.pid not in before)

        def takes_most():
            wait_viewers(pair, left)
            with streams(pair.port, 20):
                wait_viewers(pair, left + 20)
                return sockets(new) > 10

        wait_for(takes_most, 20, "that the new one, which has nothing to do yet, takes what comes")


def test_new_clients_do_not_wait_for_one_that_is_stopped(pair):
    stopped = pair.children("server")[0]
    stopped.kill(signal.SIGSTOP)
    try:
        begin = time.monotonic()
        with streams(pair.port, 100) as clients:
            assert {client.answer for client in clients} == {b"HTTP/1.1 200"}
        taken = time.monotonic() - begin
        print(f"100 streams began within {taken * 1000:.0f} ms, one of two servers stopped")
        assert taken < 5  # the supervisor kills one that has been stopped for 10 s
    finally:
        stopped.kill(signal.SIGCONT)


def woken(process):
    """How often a process has waited, so far."""
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read(), re.M)[1])


@pytest.mark.quiet
def test_pictures_wake_only_servers_with_viewers(pair):
    servers = pair.children("server")
    with Stream(pair.port, "/cameras/a/stream.mjpeg") as stream:
        stream.wait_parts(5)
        before, parts = [woken(process) for process in servers], len(stream.parts)
        stream.collect(3)
        made, came = (
            sorted(woken(process) - n for process, n in zip(servers, before)),
            len(stream.parts) - parts,
        )
    print(f"{came} pictures: woken {made} times")
    assert came > 20 and made[1] >= came / 2
    assert made[0] < 10, made


class Caller(threading.Thread):
    """Asks for the cameras' list again and again; how long each answer took is in `took`."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.took, self.failed, self.over = port, [], [], threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.01):
            begin = time.monotonic()
            try:
                status = fetch(self.port, "/api/v1/cameras", timeout=20)[0]
            except OSError as error:
                status = error
            self.took.append(time.monotonic() - begin)
            if status != 200:
                self.failed.append(status)

    def finish(self):
        self.over.set()
        self.join()
        assert self.took and not self.failed, self.failed
        return sorted(self.took)


def p99(values):
    return sorted(values)[len(values) * 99 // 100] * 1000


def observe(camring, stream, seconds):
    """p99 of the API and of the stream's gaps in ms, and the numbers of the pictures that came."""
    caller = Caller(camring.port)
    parts = stream.collect(seconds)
    took = caller.finish()
    assert not jpeg_faults([part.body for part in parts])
    gaps = [b.time - a.time for a, b in zip(parts, parts[1:])]
    return p99(took), p99(gaps), [read_number(part.body) for part in parts]


@pytest.mark.limit(120)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_camera_that_spins_and_one_that_is_stopped_delay_nobody(tmp_path, workers):
    cameras = {
        "calm": "test:?size=640x360&fps=20",
        "spin": "test:?size=3840x2160&fps=1000",
        "still": "test:?size=320x240&fps=20",
    }
    with running(tmp_path, cameras, http={"workers": workers}) as camring:
        camring.wait_live(*cameras)
        with Stream(camring.port, "/cameras/calm/stream.mjpeg") as stream:
            stream.wait_parts(5)
            before = observe(camring, stream, 4)
            still = next(
                p
                for p in camring.children("capture")
                if b"still" in open(f"/proc/{p.pid}/cmdline", "rb").read()
            )
            with Stream(camring.port, "/cameras/spin/stream.mjpeg") as fast, Stream(
                camring.port, "/cameras/still/stream.mjpeg"
            ) as dead:
                fast.wait_parts(10)
                dead.wait_parts(2)
                still.kill(signal.SIGSTOP)
                try:
                    during = observe(camring, stream, 6)
                finally:
                    still.kill(signal.SIGCONT)
                spun = len(fast.parts)
        for name, (api, gap, numbers) in {"before": before, "during": during}.items():
            print(
                f"{workers} server(s), {name}: p99 of the API {api:.1f} ms, "
                f"of the time between pictures {gap:.1f} ms, {len(numbers)} pictures"
            )
        assert spun > 20
        assert during[0] < 1000
        numbers = during[2]
        assert len(numbers) >= 60 and None not in numbers
        steps = [b - a for a, b in zip(numbers, numbers[1:])]
        assert min(steps) > 0 and max(steps) <= 20, steps
