"""What no client may do to the server, or by it to others: each gets the right answer or is cut,
and a stream beside it goes on."""
import json
import os
import pathlib
import re
import resource
import socket
import threading
import time

import pytest

from clips import jpeg_fault
from multipart import Stream, parse_headers
from product import BIN, fetch, running, wait_for

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /healthz HTTP/1.1\r\nHost: x\r\n"
BEHIND = b"GET /behind HTTP/1.1\r\nHost: x\r\n\r\n"  # must not be answered
SHAPES = {
    # what two servers in a row could read as different requests
    "length and encoding": (
        POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "encoding and length": (
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        400,
    ),
    "two lengths": (POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd", 400),
    "the same length twice": (POST + b"Content-Length: 4\r\ncontent-length: 4\r\n\r\nabcd", 400),
    "a list of lengths": (POST + b"Content-Length: 4, 4\r\n\r\nabcd", 400),
    "a length with a sign": (POST + b"Content-Length: +4\r\n\r\nabcd", 400),
    "a hexadecimal length": (POST + b"Content-Length: 0x4\r\n\r\nabcd", 400),
    "an empty length": (POST + b"Content-Length: \r\n\r\nabcd", 400),
    "a length beyond 64 bits": (POST + b"Content-Length: 18446744073709551620\r\n\r\nabcd", 400),
    "a folded line": (GET + b"X: a\r\n b: c\r\n\r\n", 400),
    "a folded length": (POST + b"Content-Length:\r\n 4\r\n\r\nabcd", 400),
    "space before the colon": (POST + b"Content-Length : 4\r\n\r\nabcd", 400),
    "space before the name": (b"GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    "a bare CR": (GET + b"X: a\rContent-Length: 4\r\n\r\n", 400),
    "a bare LF": (GET + b"X: a\nContent-Length: 4\r\n\r\n", 400),
    "only bare LFs": (b"GET /healthz HTTP/1.1\nHost: x\n\n", 400),
    "a NUL in a value": (GET + b"X: a\0b\r\n\r\n", 400),
    "a NUL in a name": (GET + b"X\0: b\r\n\r\n", 400),
    "a NUL in the URI": (b"GET /healthz\0 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 411),
    "chunks with extensions": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n",
        411,
    ),
    "a bad chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n", 411),
    "a chunk beyond 64 bits": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n",
        411,
    ),
    "identity": (POST + b"Transfer-Encoding: identity\r\nX: y\r\n\r\n", 411),
    "xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n", 411),
    "a hidden encoding": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n", 400),
    "an encoding of GET": (GET + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    "a body of HEAD": (b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 34\r\n\r\n", 400),
    "a body of an unknown method": (
        b"BREW /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 34\r\n\r\n",
        400,
    ),
    "no Host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "a Host with a path": (b"GET /healthz HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    "a Host with a user": (b"GET /healthz HTTP/1.1\r\nHost: me@x\r\n\r\n", 400),
    "a Host of two words": (b"GET /healthz HTTP/1.1\r\nHost: x y\r\n\r\n", 400),
    "two Hosts": (GET + b"Host: y\r\n\r\n", 400),
    # what is no request
    "HTTP/0.9": (b"GET /healthz\r\n", 400),
    "HTTP/0.9 by name": (b"GET /healthz HTTP/0.9\r\n\r\n", 400),
    "HTTP/1.10": (b"GET /healthz HTTP/1.10\r\nHost: x\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", 400),
    "a space in the URI": (b"GET /health z HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "tabs": (b"GET\t/healthz\tHTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "two spaces": (b"GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "no name": (GET + b": y\r\n\r\n", 400),
    # what is too much
    "a long URI": (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "an endless URI": (b"GET /" + b"a" * 1_000_000, 414),
    "a long method": (b"A" * 20_000 + b" / HTTP/1.1\r\n\r\n", 431),
    "a long line": (GET + b"X: " + b"a" * 17_000 + b"\r\n\r\n", 431),
    "an endless line": (GET + b"X: " + b"a" * 1_000_000, 431),
    "a long name": (GET + b"a" * 17_000 + b": x\r\n\r\n", 431),
    "endless lines": (GET + b"X: y\r\n" * 200_000, 431),
    "a long body": (POST + b"Content-Length: 16385\r\n\r\n" + b"a" * 16385, 413),
    "a huge body": (POST + b"Content-Length: 999999999999\r\n\r\n" + b"a" * 1_000_000, 413),
    "a long body that is announced": (
        POST + b"Expect: 100-continue\r\nContent-Length: 16385\r\n\r\n",
        413,
    ),
    "another expectation": (POST + b"Expect: a-miracle\r\nContent-Length: 4\r\n\r\nabcd", 417),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(
        tmp_path_factory.mktemp("limits"), {"door": "test:?size=640x360&fps=20"}
    ) as camring:
        yield camring.wait_live("door")


@pytest.fixture(scope="module")
def stream(server):
    with Stream(server.port, "/cameras/door/stream.mjpeg") as stream:
        yield stream


@pytest.fixture(autouse=True)
def others_are_unharmed(server, stream):
    before = [p.pid for p in server.children("server")]
    stream.wait_parts(len(stream.parts) + 1)
    yield
    stream.wait_parts(len(stream.parts) + 5)
    assert [p.pid for p in server.children("server")] == before
    assert server.get("/healthz")[0] == 200


def connect(server, **options):
    return socket.create_connection(("127.0.0.1", server.port), timeout=30, **options)


def send(s, sent):
    """As much as the server takes: it may close before."""
    try:
        s.sendall(sent)
    except (BrokenPipeError, ConnectionResetError):
        pass


def receive_all(s):
    received = b""
    try:
        while data := s.recv(1 << 20):
            received += data
    except ConnectionResetError:
        pass
    return received


def split(received, heads=()):
    """The answers, one after the other: (status, headers, body). Number n has no body if n is in
    `heads`."""
    answers = []
    while received:
        head, mark, received = received.partition(b"\r\n\r\n")
        assert mark and re.match(rb"HTTP/1\.[01] \d{3} [ -~]+(\r\n|$)", head), head
        status, headers = int(head.split()[1]), parse_headers(head)
        length = (
            0 if len(answers) in heads or status in (100, 204) else int(headers["content-length"])
        )
        assert len(received) >= length
        answers.append((status, headers, received[:length]))
        received = received[length:]
    return answers


def ask(server, sent, heads=()):
    """The answers to `sent` until the server closes."""
    with connect(server) as s:
        send(s, sent)
        s.shutdown(socket.SHUT_WR)
        return split(receive_all(s), heads)


@pytest.mark.parametrize("name", SHAPES)
def test_refused(server, name):
    sent, status = SHAPES[name]
    with connect(server) as s:
        send(s, sent + BEHIND)
        (answer,) = split(receive_all(s), heads=[0] if sent.startswith(b"HEAD") else ())
    assert answer[0] == status, answer
    assert answer[1]["connection"] == "close"
    assert answer[1]["content-type"].startswith("application/json")
    if not sent.startswith(b"HEAD"):
        assert json.loads(answer[2])["error"]


@pytest.mark.parametrize(
    "name", ["two lengths", "a folded line", "chunks", "no Host", "a long line", "HTTP/2"]
)
def test_refused_in_pieces_and_behind_others(server, name):
    sent, status = SHAPES[name]
    with connect(server) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i, byte in enumerate(GET + b"\r\n" + sent + BEHIND):
            send(s, bytes([byte]))
            if i < 200:
                time.sleep(0.001)
        assert [answer[0] for answer in split(receive_all(s))] == [200, status]


@pytest.mark.parametrize(
    "sent, status",
    [
        (b"GET http://elsewhere/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\nHost:\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\nHost: [fe80::1%25eth0]:8080 \t\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\nHost: a_b-c.example:80\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\nhOST:x\r\nX-Empty:\r\nX-High: \xe4\xff\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd", 200),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\n\r\n", 200),
        (b"GET /healthz?a=1#fragment HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"TRACE /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 204),
        (b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"get /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"PUT /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 16384\r\n\r\n" + b"a" * 16384, 405),
        (b"GET /cameras/%/stream.mjpeg HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /cameras/%g0/stream.mjpeg HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /cameras/door%00/stream.mjpeg HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /cameras/%c0%af/snapshot.jpg HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /cameras/d\xc3\xb6r/snapshot.jpg HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /cameras/../healthz HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /cameras/%2e%2e/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (
            b"GET /healthz?"
            + b"&".join(b"k%d" % i for i in range(1_000))
            + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            400,
        ),
        (
            b"GET /healthz?"
            + b"&".join(b"k%d" % i for i in range(10_000))
            + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            414,
        ),
        (b"GET /healthz?" + b"&" * 8_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"GET /healthz?k=" + b"v" * 8_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /healthz?k=%f HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /healthz?k=%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /" + b"a" * 600 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ],
    ids=lambda value: value[:40].decode("latin-1") if isinstance(value, bytes) else str(value),
)
def test_answered(server, sent, status):
    (answer,) = ask(server, sent)
    assert answer[0] == status, answer
    if status >= 400:
        assert json.loads(answer[2])["error"]
    if status in (204, 405):
        assert "GET" in answer[1]["allow"]


def test_expectation(server):
    with connect(server) as s:
        s.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n")
        assert s.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(b"abcd")
        assert [answer[0] for answer in split(receive_all(s))] == [405]


PIPELINE = [
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200, b"status"),
    (b"GET /cameras/door/snapshot.jpg HTTP/1.1\r\nHost: x\r\n\r\n", 200, b"\xff\xd8"),
    (b"HEAD /cameras/door/snapshot.jpg HTTP/1.1\r\nHost: x\r\n\r\n", 200, b""),
    (
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\nGET / HTTP/1.1\r\n\r\nxx",
        405,
        b"error",
    ),
    (b"GET /api/v1/cameras HTTP/1.1\r\nHost: x\r\n\r\n", 200, b"door"),
    (b"OPTIONS /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 204, b""),
    (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 405, b"error"),
    (b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, b"/nothing"),
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200, b"<html"),
]


@pytest.mark.parametrize("piece", [1, 7, 1000, 1 << 20])
def test_pipelining(server, piece):
    rounds = 4
    last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    sent = b"".join(row[0] for row in PIPELINE) * rounds + last + BEHIND
    with connect(server) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(0, len(sent), piece):
            send(s, sent[i : i + piece])
        heads = [
            i
            for i in range(len(PIPELINE) * rounds)
            if PIPELINE[i % len(PIPELINE)][0].startswith(b"HEAD")
        ]
        answers = split(receive_all(s), heads)
    assert len(answers) == len(PIPELINE) * rounds + 1
    for (status, _, body), (_, wanted, content) in zip(answers, PIPELINE * rounds):
        assert status == wanted and content in body


def test_a_stream_behind_other_requests_is_the_last(server):
    with connect(server) as s:
        s.sendall(GET + b"\r\n" + b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n" + BEHIND * 100)
        received = b""
        while received.count(b"Content-Type: image/jpeg") < 5:
            data = s.recv(1 << 16)
            assert data
            received += data
    assert received.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert b"/behind" not in received


def test_many_requests_on_one_connection(server):
    with connect(server) as s:
        file = s.makefile("rb")
        for _ in range(2_000):
            s.sendall(GET + b"\r\n")
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += file.readline()
            assert head.startswith(b"HTTP/1.1 200 ")
            assert len(file.read(int(parse_headers(head)["content-length"]))) > 0


def test_who_sends_no_more_gets_every_answer_whole(server):
    """More of them than the kernel takes before the client begins to read."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        s.connect(("127.0.0.1", server.port))
        s.sendall(b"GET /cameras/door/snapshot.jpg HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
        s.shutdown(socket.SHUT_WR)
        time.sleep(0.5)
        answers = split(receive_all(s))
    assert [status for status, _, _ in answers] == [200] * 500
    assert not jpeg_fault(answers[-1][2])


def trickle(s, sent, ended):
    """Sends a byte every now and then, until the server has enough."""
    try:
        for byte in sent:
            s.sendall(bytes([byte]))
            s.settimeout(0.5)
            try:
                if not s.recv(1000):
                    break
            except TimeoutError:
                continue
    except OSError:
        pass
    ended.append(time.monotonic())


SLOW = {
    "nothing": b"",
    "a slow line": b"GET /" + b"a" * 1000,
    "a slow header": GET + b"X: " + b"a" * 1000,
    "a slow body": POST + b"Content-Length: 1000\r\n\r\n" + b"a" * 999,
    "a slow second request": GET + b"\r\n" + GET + b"X: " + b"a" * 1000,
    "idle": GET + b"\r\n",
}


def test_slow_clients_are_cut_however_busily_they_trickle(server):
    """Bytes that come now and then don't put off the end."""
    begin = time.monotonic()
    ended = {name: [] for name in SLOW}
    sockets, threads = [], []
    for name, sent in SLOW.items():
        s = connect(server)
        fast = sent.rfind(b"\r\n") + 2 if b"\r\n" in sent else 0
        s.sendall(sent[:fast])
        if fast == len(sent):
            thread = threading.Thread(
                target=lambda s=s, name=name: (receive_all(s), ended[name].append(time.monotonic()))
            )
            s.settimeout(120)
        else:
            thread = threading.Thread(target=trickle, args=(s, sent[fast:], ended[name]))
        sockets.append(s)
        threads.append(thread)
        thread.start()
    for thread in threads:
        thread.join(120)
    for s in sockets:
        s.close()
    for name in SLOW:
        assert ended[name], f"{name}: still open"
        assert 10 < ended[name][0] - begin < 100, name


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < 11_000:
        pytest.skip(f"this process may have no more than {hard} descriptors")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_ten_thousand_idle_connections(server, stream, many_descriptors):
    """They neither keep others out nor add up; and who comes from elsewhere and is idle for a
    moment is not thrown out for them."""
    (process,) = server.children("server")
    idle = []
    with connect(server, source_address=("127.0.0.2", 0)) as other:
        other.sendall(GET + b"\r\n")
        assert other.recv(1000).startswith(b"HTTP/1.1 200 ")
        try:
            for i in range(10_000):
                idle.append(connect(server))
                if i % 3 == 0:
                    idle[-1].sendall(GET + b"\r\n")
                elif i % 3 == 1:
                    idle[-1].sendall(GET[: i % len(GET)])
                if i % 1_000 == 999:
                    assert fetch(server.port, "/cameras/door/snapshot.jpg")[0] == 200
                    stream.wait_parts(len(stream.parts) + 2)
            wait_for(lambda: descriptors(process) < 5_000, 20, "bounded descriptors")
            other.sendall(GET + b"\r\n")
            assert other.recv(1000).startswith(b"HTTP/1.1 200 ")
            assert server.camera("door")["viewers"] == 1
        finally:
            for s in idle:
                s.close()
    wait_for(lambda: descriptors(process) < 200, 30, "few descriptors")


def memory(process):
    """Bytes that are this process's alone."""
    text = pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    return 1024 * sum(int(amount) for amount in re.findall(r"^Private_\w+: +(\d+) kB", text, re.M))


KEEPS_FREED = b"__asan_init" in (BIN / "camring-server").read_bytes()


@pytest.mark.limit(240)
def test_answers_that_nobody_takes_are_bounded(tmp_path, many_descriptors):
    """Who asks for much and reads nothing costs a bounded amount of memory, and others are still
    answered."""
    nowhere = {f"c{i}": "http://127.0.0.1:1/" for i in range(40)}
    with running(tmp_path, nowhere, http={"workers": 1}) as camring:
        (process,) = camring.children("server")
        size = len(fetch(camring.port, "/metrics")[2])
        before, asked = memory(process), []
        try:
            for _ in range(320 * 2**20 // size):
                asked.append(socket.socket())
                asked[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                asked[-1].connect(("127.0.0.1", camring.port))
                asked[-1].sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for(
                lambda: fetch(camring.port, "/metrics")[0] == 200,
                20,
                "an answer while others take none",
            )
            if not KEEPS_FREED:
                assert memory(process) < before + 110 * 2**20
            assert fetch(camring.port, "/healthz")[0] == 200
        finally:
            for s in asked:
                s.close()
        wait_for(lambda: descriptors(process) < 250, 30, "few descriptors")
