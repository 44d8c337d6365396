#!/usr/bin/python3
"""demo.py BUILD: what `make demo` runs, until Ctrl-C: camring with a film as camera (demo.yaml),
and in the middle of that camera's chain the program examples/numpy_motion.py."""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
PORTS = range(8080, 8180)


def free_port():
    for port in PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    sys.exit(f"demo: no port from {PORTS[0]} to {PORTS[-1]} is free")


def wait_live(camring, url):
    """True once the camera's pictures come, False when camring has ended before."""
    while camring.poll() is None:
        with contextlib.suppress(OSError, urllib.error.URLError):
            urllib.request.urlopen(f"{url}cameras/table/snapshot.jpg", timeout=5).close()
            return True
        time.sleep(0.1)
    return False


def run(build, port, children):
    url = f"http://127.0.0.1:{port}/"
    camring = subprocess.Popen(
        [build / "bin/camring", "run", "-c", "scripts/demo.yaml"],
        cwd=ROOT,
        env={**os.environ, "PORT": str(port)},
        stdin=subprocess.DEVNULL,
    )
    children.append(camring)
    if not wait_live(camring, url):
        return
    # Ctrl-C, which all programs of a terminal get, is for this one, which ends both.
    program = subprocess.Popen(
        [sys.executable, "-B", "scripts/examples/numpy_motion.py", "table", f"demo-{port}"],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "common/python"),
            "CAMRING_LIBRARY": str(build / "lib/libcamring.so.1"),
        },
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    children.append(program)
    print(f"demo: look at {url}; Ctrl-C ends it", flush=True)
    while all(child.poll() is None for child in children):
        time.sleep(0.2)


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    children = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    failed = False
    try:
        run(pathlib.Path(sys.argv[1]).resolve(), free_port(), children)
        failed = True  # neither ends by itself
    except KeyboardInterrupt:
        pass
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for child in children:
            child.terminate()
            child.wait()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
