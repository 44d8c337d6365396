"""Viewers behind slow and long links get the newest picture, and nobody else notices them."""
import contextlib
import socket
import statistics
import time

import pytest

import network
from clips import Order, jpeg_faults, read_number
from multipart import Stream
from product import free_port, running, wait_for

RATE = 50_000  # bytes a second
OVERHEAD = 1514 / 1448
PATH = "/cameras/cam/stream.mjpeg?info=1"

pytestmark = [
    pytest.mark.quiet,
    pytest.mark.skipif(not network.available(), reason="needs root, to make network namespaces"),
]


@contextlib.contextmanager
def served(folder, link, source, **http):
    """A camring that can be reached over the link as well."""
    port = free_port()
    http = {
        "listen": [f"127.0.0.1:{port}", f"{link.address}:{port}"],
        "allow_open_bind": True,
        **http,
    }
    with running(folder, {"cam": source}, port=port, http=http) as camring:
        yield camring.wait_live("cam")


def stream_from_afar(camring, link, **options):
    with link.far_end():
        return Stream(camring.port, PATH, host=link.address, **options)


def ages(parts):
    """How old each picture was when it had arrived, in seconds."""
    offset = time.time() - time.monotonic()
    return [part.time + offset - float(part.headers["x-timestamp"]) for part in parts]


def link_time(parts):
    """How long the slow link is busy with one of these pictures."""
    return statistics.mean(len(part.body) for part in parts) * OVERHEAD / RATE


def check_slow(parts, ratio, worst):
    parts = parts[2:]  # those sent while nobody could know the link
    own, found = link_time(parts), ages(parts)
    print(
        f"own time {own:.2f} s, ages: mean {statistics.mean(found):.2f} max {max(found):.2f}, "
        f"{len(parts)} pictures"
    )
    assert len(parts) >= 6
    assert not jpeg_faults([part.body for part in parts])
    assert statistics.mean(found) <= ratio * own, (own, found)
    assert max(found) <= worst * own, (own, found)


def test_slow_link(tmp_path):
    with network.Link(rate=RATE) as link, served(
        tmp_path, link, "test:?size=1280x720&fps=30"
    ) as camring:
        with stream_from_afar(camring, link) as slow:
            parts = slow.collect(15)
        check_slow(parts, 1.3, 1.6)
        assert link_time(parts) * (len(parts) + 1.5) >= 0.8 * 15, "the link was not kept busy"


def test_slow_reader(tmp_path, http_camera):
    """Its own buffer holds a picture or two, which nobody can take back: hence large ones."""
    source = f"http://127.0.0.1:{http_camera.port}/video.mjpg"
    with network.Link() as link, served(tmp_path, link, source) as camring:
        with stream_from_afar(camring, link, rate=RATE, buffered=True) as slow:
            parts = slow.collect(22)
        check_slow(parts, 2.6, 3.9)


@pytest.mark.parametrize("trip", [0.05, 0.15])
def test_viewer_far_away_keeps_the_rate(tmp_path, trip):
    with network.Link(delay=trip / 2) as link, served(
        tmp_path, link, "test:?size=640x360&fps=30"
    ) as camring:
        with Stream(camring.port, PATH) as near, stream_from_afar(camring, link) as far:
            far.collect(3)  # until TCP knows the link
            seconds = 6
            begin = len(near.parts)
            parts = far.collect(seconds)
            sent = len(near.parts) - begin
        order = Order([read_number(part.body) for part in parts], 1 << 16)
        print(f"{len(parts)} of {sent}, {order}, mean age {statistics.mean(ages(parts)):.3f} s")
        assert (order.duplicates, order.backward) == (0, 0)
        assert len(parts) >= 0.9 * sent
        assert statistics.median(ages(parts)) >= trip / 2, "the link is not as long as it should be"


def connected(camring, stream):
    """The server's end of the connection exists."""
    peer = stream._socket.getsockname()[1]
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in list(table)[1:]]
    return [
        row
        for row in rows
        if row[1].endswith(f":{camring.port:04X}")
        and row[2].endswith(f":{peer:04X}")
        and row[3] == "01"
    ]


@pytest.mark.parametrize("fps", [2, 60])
@pytest.mark.parametrize("how", ["reads nothing", "is unplugged"])
def test_stopped_viewer_is_cut(tmp_path, fps, how):
    """Small pictures go on for long into the buffers of one who reads nothing; then the time
    counts."""
    limit = 2
    with network.Link() as link, served(
        tmp_path, link, f"test:?size=320x240&fps={fps}", client_timeout=f"{limit}s"
    ) as camring:
        with link.far_end():
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((link.address, camring.port))
        with client:
            client.sendall(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            peer = type("peer", (), {"_socket": client})
            wait_for(lambda: connected(camring, peer), 5, "the connection")
            begin = time.monotonic()
            if how == "is unplugged":
                link.cut()
            wait_for(lambda: not connected(camring, peer), 25, "the end of the connection")
            assert limit * 0.7 <= time.monotonic() - begin <= 12


def p99(parts):
    return sorted(ages(parts))[int(len(parts) * 0.99)]


def test_nobody_slow_disturbs_a_fast_viewer(tmp_path):
    with network.Link(rate=RATE) as link, served(
        tmp_path, link, "test:?size=640x360&fps=30"
    ) as camring:
        with Stream(camring.port, PATH) as fast, contextlib.ExitStack() as stack:
            fast.collect(1)
            alone = fast.collect(5)
            for i in range(10):
                stack.enter_context(stream_from_afar(camring, link))
                stack.enter_context(Stream(camring.port, PATH, rate=RATE))
            fast.collect(1)
            crowded = fast.collect(5)
        order = Order([read_number(part.body) for part in crowded], 1 << 16)
        print(
            f"p99 alone {p99(alone) * 1000:.1f} ms, "
            f"beside slow ones {p99(crowded) * 1000:.1f} ms, {order}"
        )
        assert order.delivered >= 0.95
        assert p99(crowded) <= p99(alone) * 2 + 0.03
