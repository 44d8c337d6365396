"""compose.yaml: what is in the image, how it is confined, what it survives."""
import re

import pytest

from app import LIMIT, PORT, pids
from multipart import Stream
from product import ROOT, wait_for

TOOLS = ("gcc", "cc", "make", "ld", "pkg-config", "curl", "python3")


def test_the_port_is_on_loopback_only(running, engine):
    ports = engine.inspect(running.name())["NetworkSettings"]["Ports"]
    assert ports == {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}


def test_confined(running):
    processes = re.split(
        r"^Name:", running.inside("sh", "-c", "cat /proc/[0-9]*/status"), flags=re.M
    )
    assert len(processes) > 6
    for process in processes[1:]:
        status = dict(line.split(":\t", 1) for line in process.splitlines()[1:])
        assert status["Uid"].split() == ["900"] * 4
        assert {int(status[f"Cap{name}"], 16) for name in ("Prm", "Eff", "Bnd", "Amb")} == {0}
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    for place in ("/", "/etc/camring", "/usr/bin", "/var", "/run"):
        assert (
            "no"
            == running.inside(
                "sh", "-c", f"touch {place}/x 2>/dev/null && echo yes || echo no"
            ).strip()
        ), place
    mounts = running.inside("cat", "/proc/mounts")
    assert re.search(r"^\S+ / \S+ ro,", mounts, re.M)
    assert re.search(r"^\S+ /etc/camring \S+ ro,", mounts, re.M)


def test_limits(running, engine):
    host = engine.inspect(running.name())["HostConfig"]
    assert host["Memory"] == 2 << 30 and host["PidsLimit"] == 512
    assert host["ShmSize"] == 512 << 20
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
    assert "16384" in running.inside("sh", "-c", "ulimit -n")


def test_what_is_in_the_image(running, engine):
    size = engine.inspect("camring:latest")["Size"]
    base = engine.inspect("debian:bookworm-slim")["Size"]
    print(f"image: {size / 1e6:.0f} MB, {(size - base) / 1e6:.0f} MB more than the base image")
    assert size - base < 260e6  # README says so: Debian's own base image has 75 MB
    for tool in TOOLS:
        assert "no" in running.inside("sh", "-c", f"command -v {tool} || echo no"), tool
    linked = running.inside(
        "sh", "-c", "ldd /usr/bin/camring* /usr/lib/libcamring.so.1 /usr/lib/*/libavfilter.so.8"
    )
    assert "not found" not in linked
    assert running.inside("camring", "version").split()[1] == (ROOT / "VERSION").read_text().strip()
    running.inside("test", "-r", "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
    running.inside("test", "-r", "/etc/ssl/certs/ca-certificates.crt")


@pytest.mark.parametrize("name", ["capture demo", "encoder 0", "server 0"])
def test_a_killed_process_comes_back(running, name):
    before = wait_for(lambda: pids(running).get(name), LIMIT, name)
    running.inside("sh", "-c", f"kill -9 {before}")
    wait_for(lambda: pids(running).get(name, before) != before, LIMIT, f"a new {name}")
    with Stream(PORT, "/cameras/demo/stream.mjpeg") as stream:
        stream.wait_parts(10, LIMIT)


def test_a_killed_container_comes_back(running, engine):
    before = running.state()["Pid"]
    engine.kill(before)
    wait_for(
        lambda: running.state()["Running"] and running.state()["Pid"] not in (0, before),
        LIMIT,
        "another container process",
    )
    running.await_healthy()
    with Stream(PORT, "/cameras/demo/stream.mjpeg") as stream:
        stream.wait_parts(10, LIMIT)


def test_orphans_are_cleared_away(running):
    """As a killed health check leaves them."""
    running.inside("sh", "-c", "for i in 1 2 3; do sleep 0.1 & done; exec true")
    wait_for(
        lambda: "sleep" not in running.inside("sh", "-c", "cat /proc/[0-9]*/stat"), LIMIT, "end"
    )


def test_a_hung_camring_is_unhealthy(running):
    pid = running.status()["pid"]
    running.inside("sh", "-c", f"kill -STOP {pid}")
    wait_for(lambda: running.health() == "unhealthy", LIMIT, "unhealthy")
    running.inside("sh", "-c", f"kill -CONT {pid}")
    running.await_healthy()
