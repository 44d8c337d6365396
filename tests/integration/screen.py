"""Programs on a terminal: what they show there, and how they leave it."""
import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from product import wait_for

ENTER, LEAVE = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, command, rows=24, columns=100, **env):
        self.controller, self.terminal = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.terminal)
        env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("LC_") and k != "LANG"},
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            **env,
        }
        self.process = subprocess.Popen(
            command,
            stdin=self.terminal,
            stdout=self.terminal,
            stderr=self.terminal,
            env=env,
            preexec_fn=self._own,
        )
        self.output = b""

    def _own(self):
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, rows, columns):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds=0.1):
        """What has come so far, and comes in that time."""
        deadline = time.monotonic() + seconds
        while select.select([self.controller], [], [], max(0, deadline - time.monotonic()))[0]:
            self.output += os.read(self.controller, 1 << 16)
            if time.monotonic() > deadline:
                break
        return self.output

    def page(self):
        """The lines that were drawn last, whole."""
        pages = re.findall(rb"\x1b\[\?2026h\x1b\[H(.*?)\x1b\[\?2026l", self.read(0.05), re.S)
        return (
            re.sub(rb"\x1b\[[?0-9;]*[a-zA-Z]", b"", pages[-1])
            .decode()
            .replace("\r", "")
            .split("\n")
            if pages
            else []
        )

    def wait(self, check, what):
        wait_for(lambda: check(self.page()), 20, what)
        return self.page()

    def press(self, keys):
        os.write(self.controller, keys)

    def settings(self):
        return termios.tcgetattr(self.terminal)

    def end(self):
        """Waits for the end; the terminal has to be as it was."""
        code = self.process.wait(10)
        assert self.read().endswith(LEAVE) and self.output.count(ENTER) == self.output.count(LEAVE)
        assert self.settings() == self.before
        return code


@contextlib.contextmanager
def on_terminal(command, **options):
    it = Terminal([*map(str, command)], **options)
    try:
        yield it
    finally:
        it.process.kill()
        it.process.wait()
        os.close(it.controller)
        os.close(it.terminal)
