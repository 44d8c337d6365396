"""What the benches share: programs that are started, talk by lines and are ended in any case."""
import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time


class Failure(Exception):
    """A process did not do what it was started for."""


class Program:
    """A child that says lines on its standard output."""

    def __init__(self, what, command, log, **popen):
        self.what = what
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            **popen,
        )
        self.pending = b""

    def line(self, seconds):
        """The next line it writes."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self.pending:
            ready, _, _ = select.select(
                [self.process.stdout], [], [], max(0, deadline - time.monotonic())
            )
            more = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not more and ready:
                raise Failure(f"{self.what}: ended, exit code {self.process.wait(10)}")
            if not more:
                raise Failure(f"{self.what}: said nothing for {seconds:.0f} s")
            self.pending += more
        line, self.pending = self.pending.split(b"\n", 1)
        return line.decode()

    def tell(self):
        """Sends the line it waits for."""
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def finish(self):
        """Lets it end by itself, for some seconds: iceoryx's programs now and then wait for ever
        for RouDi's last answer."""
        try:
            if self.process.wait(3) != 0:
                raise Failure(f"{self.what}: exit code {self.process.returncode}")
        except subprocess.TimeoutExpired:
            pass

    def stop(self):
        """Ends it in any case."""
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@contextlib.contextmanager
def scratch():
    """A folder and a log in it, as long as the bench runs. A Failure shows the log's end and
    becomes exit code 2."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    folder = tempfile.mkdtemp(prefix="camring-bench.")
    try:
        with open(os.path.join(folder, "log"), "w+", encoding="utf-8", errors="replace") as log:
            try:
                yield folder, log
            except Failure as failure:
                log.seek(0)
                sys.stderr.write("".join(log.readlines()[-20:]))
                print(f"bench: {failure}", file=sys.stderr)
                sys.exit(2)
    finally:
        shutil.rmtree(folder)


def verdict(at_most, met):
    """How a target stands in a table."""
    return f"(<= {at_most:.2f} {'met' if met else 'MISSED'})"
