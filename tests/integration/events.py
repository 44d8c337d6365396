"""Reads server-sent events."""
import json
import socket
import time


class Events:
    """Reads /api/v1/events."""

    def __init__(self, port, headers=None, size=None):
        self.socket = socket.socket()
        if size:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", port))
        fields = "".join(
            f"{k}: {v}\r\n"
            for k, v in {"Host": "x", "Accept": "text/event-stream", **(headers or {})}.items()
        )
        self.socket.sendall(f"GET /api/v1/events HTTP/1.1\r\n{fields}\r\n".encode())
        self.file = self.socket.makefile("r", encoding="utf-8", newline="\n")
        self.status, self.headers = None, {}
        self.comments = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def begin(self):
        self.status = int(self.file.readline().split()[1])
        while line := self.file.readline().strip():
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        return self

    def block(self):
        """The fields of the next event or other block."""
        fields = {}
        while (line := self.file.readline()) != "\n":
            assert line.endswith("\n"), "the stream has ended"
            name, _, value = line[:-1].partition(":")
            fields[name] = value.lstrip()
        return fields

    def event(self):
        """The next event's name, data and id."""
        while "data" not in (fields := self.block()):
            self.comments += "" in fields
        return fields["event"], json.loads(fields["data"]), int(fields["id"])

    def camera(self):
        """The next event's camera, and its id."""
        name, data, number = self.event()
        assert name == "camera"
        return data, number

    def until(self, done):
        """Reads on to the first camera that is as wanted."""
        deadline = time.monotonic() + 30
        while not done(camera := self.camera()[0]):
            assert time.monotonic() < deadline, camera
        return camera
