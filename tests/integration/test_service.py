"""What a service manager is told: sd_notify(3)'s protocol, spoken to a socket of the test's."""
import os
import signal
import socket
import time

import pytest

from product import wait_for

CAMERAS = {"cam": "test:?size=320x240&fps=20"}


class Manager:
    """Where camring's messages come in: a path, or with @ a name without a file."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name[0] == "@" else name)
        self.socket.settimeout(60)

    def environment(self, **more):
        return {**os.environ, "NOTIFY_SOCKET": self.name, **more}

    def next(self):
        """The next message, as a list of lines."""
        return self.socket.recv(4096).decode().split("\n")

    def waiting(self):
        """Whether one is there."""
        self.socket.setblocking(False)
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False
        finally:
            self.socket.settimeout(60)


@pytest.fixture(params=["path", "name"])
def manager(request, tmp_path):
    name = str(tmp_path / "notify") if request.param == "path" else f"@{tmp_path}/notify"
    made = Manager(name)
    yield made
    made.socket.close()


def test_ready_when_it_answers_and_stopping_at_once(instance, manager):
    camring = instance(CAMERAS)
    camring.run(wait=False, env=manager.environment())
    assert manager.next() == ["READY=1"]
    assert camring.get("/healthz")[0] == 200
    for child in camring.children():
        assert b"NOTIFY_SOCKET" not in open(f"/proc/{child.pid}/environ", "rb").read()
    assert not manager.waiting()
    camring.supervisor.kill(signal.SIGTERM)
    assert manager.next() == ["STOPPING=1"]
    assert camring.wait_exit() == 0


@pytest.mark.parametrize("by", ["signal", "command"])
def test_reload(instance, manager, by):
    camring = instance(CAMERAS)
    camring.run(env=manager.environment())
    assert manager.next() == ["READY=1"]
    for cameras in ({**CAMERAS, "more": "test:?size=160x120"}, {"cam": "gopher://h/"}):
        camring.write_config(cameras)
        before = time.monotonic_ns() // 1000
        if by == "signal":
            camring.supervisor.kill(signal.SIGHUP)
        else:
            camring.cli("reload")
        first, second = manager.next()
        assert first == "RELOADING=1"
        name, _, at = second.partition("=")
        assert name == "MONOTONIC_USEC" and before <= int(at) <= time.monotonic_ns() // 1000
        assert manager.next() == ["READY=1"]
    assert not manager.waiting()


def test_restart_in_the_same_process(instance, manager):
    camring = instance(CAMERAS)
    camring.run(env=manager.environment())
    assert manager.next() == ["READY=1"]
    assert camring.cli("restart").returncode == 0
    assert manager.next()[0] == "RELOADING=1"
    assert manager.next() == ["READY=1"]
    camring.supervisor.kill(signal.SIGTERM)
    assert manager.next() == ["STOPPING=1"]
    assert camring.wait_exit() == 0


def test_watchdog(instance, manager):
    """A loop that no longer goes round is silent."""
    camring = instance(CAMERAS)
    camring.run(wait=False, env=manager.environment(WATCHDOG_USEC="200000"))
    assert [manager.next() for _ in range(4)].count(["WATCHDOG=1"]) >= 3
    camring.wait_listening()
    camring.supervisor.kill(signal.SIGSTOP)
    wait_for(lambda: camring.supervisor._stat()[0] == "T", 30, "a stop")
    while manager.waiting():
        manager.next()
    manager.socket.settimeout(2)
    with pytest.raises(TimeoutError):
        manager.next()
    camring.supervisor.kill(signal.SIGCONT)
    manager.socket.settimeout(60)
    assert manager.next() == ["WATCHDOG=1"]


@pytest.mark.parametrize("more", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "x"}])
def test_a_watchdog_that_is_not_for_this_process(instance, manager, more):
    camring = instance(CAMERAS)
    camring.run(env=manager.environment(**{"WATCHDOG_USEC": "1000", **more}))
    assert manager.next() == ["READY=1"]
    assert not manager.waiting()


@pytest.mark.parametrize("name", ["relative", "/", "/" + 107 * "x", "vsock:2:1"])
def test_a_bad_socket_is_told_and_harmless(instance, name):
    camring = instance(CAMERAS)
    camring.run(env={**os.environ, "NOTIFY_SOCKET": name})
    assert f"{name} (NOTIFY_SOCKET)" in camring.log()


def test_a_manager_that_is_gone_is_told_once(instance, manager):
    manager.socket.close()
    camring = instance(CAMERAS)
    camring.run(env=manager.environment(WATCHDOG_USEC="100000"))
    wait_for(lambda: 'told "' in camring.log(), 30, "a line in the log")
    time.sleep(0.5)
    assert camring.log().count("can't be told") == 1
