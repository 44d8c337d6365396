"""Real networks for viewers: a network namespace at the far end of a link that is slow (tc tbf) or
long (delay_link.py)."""
import contextlib
import ctypes
import functools
import itertools
import os
import pathlib
import subprocess

from product import claim

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_serial = itertools.count()


def enter_network(fd):
    """Moves the calling thread into the network namespace `fd`."""
    if _libc.setns(fd, CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "setns")


def available():
    return (
        os.geteuid() == 0
        and subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode == 0
    )


@functools.lru_cache(None)
def _net():
    """This process's own addresses are those in 198.18.N.0/24."""
    return claim("network", range(256))


def _ip(*words):
    subprocess.run(["ip", *words], check=True, stdin=subprocess.DEVNULL)


class Link:
    """`address` is this machine's at the near end; sockets made within `with link.far_end():` are
    at the far end."""

    def __init__(self, rate=None, delay=None):
        """`rate`: bytes a second towards the far end, with a queue of 256 KB before it. `delay`:
        seconds, for each way."""
        net, number = _net(), next(_serial) % 64 * 4
        self.address, self._far = f"198.18.{net}.{number + 1}", f"198.18.{net}.{number + 2}"
        self._names = [f"crn{net}x{number}", f"crf{net}x{number}"]
        self._forwarder = None
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo ready; exec sleep 600"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        try:
            assert self._holder.stdout.readline() == b"ready\n"
            self._fd = os.open(f"/proc/{self._holder.pid}/ns/net", os.O_RDONLY)
            self._make_delayed(delay) if delay else self._make_pair()
            self._configure()
            if rate:
                shape = f"tbf rate {rate * 8}bit burst 5kb limit 256kb"
                words = f"qdisc add dev {self._names[0]} root {shape}".split()
                subprocess.run(["tc", *words], check=True)
        except BaseException:
            self.close()
            raise

    def _make_pair(self):
        near, far = self._names
        _ip(
            "link", "add", near, "type", "veth", "peer", "name", far, "netns", str(self._holder.pid)
        )

    def _make_delayed(self, delay):
        script = pathlib.Path(__file__).parent / "delay_link.py"
        self._forwarder = subprocess.Popen(
            [
                "/usr/bin/python3",
                "-B",
                str(script),
                *self._names,
                str(self._holder.pid),
                str(delay),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert self._forwarder.stdout.readline() == b"ready\n"

    def _configure(self):
        near, far = self._names
        _ip("address", "add", self.address, "peer", self._far, "dev", near)
        _ip("link", "set", near, "up")
        with self.far_end():
            _ip("address", "add", self._far, "peer", self.address, "dev", far)
            _ip("link", "set", far, "up")

    @contextlib.contextmanager
    def far_end(self):
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            enter_network(self._fd)
            yield self
        finally:
            enter_network(home)
            os.close(home)

    def cut(self):
        """From now on nothing gets through."""
        _ip("link", "set", self._names[0], "down")

    def close(self):
        for process in (self._forwarder, self._holder):
            if process:
                process.kill()
                process.wait()
                process.stdout.close()
        subprocess.run(["ip", "link", "delete", self._names[0]], capture_output=True)
        if hasattr(self, "_fd"):
            os.close(self._fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
