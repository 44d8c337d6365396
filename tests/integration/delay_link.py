#!/usr/bin/python3
"""A long link: two TUN devices, one here and one in another network namespace; each packet takes as
long as the link is.

    delay_link.py NEAR FAR PID SECONDS      PID: a process in the other namespace

Prints "ready" when both devices are there; they go with this process."""
import collections
import fcntl
import os
import select
import struct
import sys
import time

from network import enter_network

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000
HELD_MAX = 10_000  # packets each way


def open_tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def read_all(fd, held, due):
    while len(held) < HELD_MAX:
        try:
            held.append((due, os.read(fd, 65536)))
        except BlockingIOError:
            return


def write_due(fd, held, now):
    while held and held[0][0] <= now:
        try:
            os.write(fd, held.popleft()[1])
        except OSError:
            pass  # the other end is not up: a lost packet


def forward(near, far, delay):
    held = {near: collections.deque(), far: collections.deque()}
    while True:
        first = min((queue[0][0] for queue in held.values() if queue), default=None)
        timeout = None if first is None else max(0, first - time.monotonic())
        readable, _, _ = select.select([near, far], [], [], timeout)
        now = time.monotonic()
        for fd in readable:
            read_all(fd, held[fd], now + delay)
        write_due(far, held[near], now)
        write_due(near, held[far], now)


def main():
    near_name, far_name, pid, delay = sys.argv[1:]
    near = open_tun(near_name)
    fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    enter_network(fd)
    far = open_tun(far_name)
    print("ready", flush=True)
    forward(near, far, float(delay))


if __name__ == "__main__":
    main()
