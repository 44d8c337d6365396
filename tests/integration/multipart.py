"""A client for multipart/x-mixed-replace that keeps every part with its headers and the time it was
complete."""
import re
import socket
import threading
import time
from dataclasses import dataclass


@dataclass
class Part:
    time: float  # monotonic seconds at which the part was known to be complete
    headers: dict  # names in lower case
    body: bytes


def parse_headers(block):
    lines = block.decode("latin-1").split("\r\n")
    return {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines if ":" in line)
    }


class Stream:
    """Asks for `path` and collects parts on a thread of its own until closed or the server ends.

    `rate`: bytes a second to read at most, through a small receive buffer or, with `buffered`, an
    ordinary one. `tls`: an ssl.SSLContext."""

    def __init__(
        self,
        port,
        path,
        headers=None,
        rate=None,
        method="GET",
        host="127.0.0.1",
        buffered=False,
        tls=None,
    ):
        self.status = 0
        self.headers = {}
        self.parts = []
        self.ended = False  # the server closed, or the answer was no multipart
        self._changed = threading.Condition()
        self._buffer = bytearray()
        self._rate = rate
        self._closing = False
        self._socket = socket.socket()
        if rate and not buffered:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self._socket.settimeout(30)
        self._socket.connect((host, port))
        if tls:
            self._socket = tls.wrap_socket(self._socket, server_hostname=host)
        fields = {"Host": f"{host}:{port}", "User-Agent": "camring-test", **(headers or {})}
        request = (
            f"{method} {path} HTTP/1.1\r\n"
            + "".join(f"{k}: {v}\r\n" for k, v in fields.items())
            + "\r\n"
        )
        self._socket.sendall(request.encode())
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._closing = True
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join()
        self._socket.close()

    def wait(self, done, limit, what="the stream"):
        """Waits until done(self) is true; AssertionError after `limit` seconds, or when the stream
        has ended without it."""
        deadline = time.monotonic() + limit
        with self._changed:
            while not done(self):
                left = deadline - time.monotonic()
                assert left > 0, f"{what}: not within {limit} s ({len(self.parts)} parts came)"
                assert not self.ended, f"{what}: the stream ended ({len(self.parts)} parts came)"
                self._changed.wait(left)
        return self

    def wait_headers(self, limit=10):
        return self.wait(lambda s: s.status, limit, "status line and headers")

    def wait_parts(self, count, limit=30):
        return self.wait(lambda s: len(s.parts) >= count, limit, f"{count} parts")

    def collect(self, seconds):
        """Lets the stream run for `seconds`; returns the parts that came in that time."""
        first = len(self.parts)
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self.ended and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            return self.parts[first:]

    def _run(self):
        try:
            self._read()
        except (EOFError, OSError):
            pass
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def _fill(self):
        size = 1 << 18
        if self._rate:
            size = max(1, self._rate // 20)
            time.sleep(0.05)
        data = self._socket.recv(size)
        if not data or self._closing:
            raise EOFError
        self._buffer += data

    def _take(self, count):
        while len(self._buffer) < count:
            self._fill()
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def _take_until(self, mark):
        at, seen = -1, 0
        while (at := self._buffer.find(mark, max(0, seen - len(mark)))) < 0:
            seen = len(self._buffer)
            self._fill()
        data = self._take(at)
        self._take(len(mark))
        return data

    def _read(self):
        status, _, block = self._take_until(b"\r\n\r\n").partition(b"\r\n")
        with self._changed:
            self.headers = parse_headers(block)
            self.status = int(status.split()[1])
            self._changed.notify_all()
        match = re.search(r'boundary="?([^";]+)', self.headers.get("content-type", ""))
        if not match:
            return
        boundary = b"--" + match[1].encode().removeprefix(b"--")
        self._take_until(boundary)
        while True:
            assert self._take(2) == b"\r\n", "a boundary that is not at the end of its line"
            headers = parse_headers(b"\r\n" + self._take_until(b"\r\n\r\n"))
            if "content-length" in headers:
                body = self._take(int(headers["content-length"]))
                self._add(Part(time.monotonic(), headers, body))
                gap = self._take_until(boundary)
                assert gap == b"\r\n", f"{gap!r} between a part and the next boundary"
            else:
                body = self._take_until(b"\r\n" + boundary)
                self._add(Part(time.monotonic(), headers, body))

    def _add(self, part):
        with self._changed:
            self.parts.append(part)
            self._changed.notify_all()
