"""camring status: a table for people that fits their terminal, facts for programs, and the same
again every second."""
import contextlib
import json
import re
import signal
import subprocess

import pytest

from multipart import Stream
from product import BIN, free_port, running, wait_for
from screen import on_terminal

CAMERAS = {"door": "test:?size=320x240&fps=25", "gate": f"rtsp://127.0.0.1:{free_port()}/cam"}
HEADINGS = "CAMERA STATE SINCE SIZE FPS AGE DROPS CPU MEMORY VIEWERS RESTARTS".split()
COLOR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with running(tmp_path_factory.mktemp("status"), CAMERAS) as camring:
        camring.wait_live("door")
        camring.wait_state("gate", "away")
        yield camring


def facts(camring):
    return json.loads(camring.cli("status", "--json").stdout)


def row(lines, name):
    return next((line for line in lines if line.startswith(f"{name} ")), "")


def watching(camring, **options):
    command = [BIN / "camring", "status", "--watch", "--instance", camring.instance]
    return on_terminal(command, **options)


def shown(camring, **options):
    """The lines of `camring status` on a terminal, with their colours."""
    command = [BIN / "camring", "status", "--instance", camring.instance]
    with on_terminal(command, **options) as screen:
        wait_for(lambda: screen.read(0.01) and screen.process.poll() is not None, 20, "its end")
        return screen.read().decode().replace("\r", "").splitlines()


def test_the_table(live):
    with Stream(live.port, "/cameras/door/stream.mjpeg") as stream:
        stream.wait_parts(30)  # a rate is known, and the viewer counted
        done = live.cli("status")
    assert (done.returncode, done.stderr) == (5, "") and "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert f"instance {live.instance}, process {live.supervisor.pid}, up " in lines[0]
    assert f"http://127.0.0.1:{live.port}/" in lines[1]
    assert lines[2] == "2 cameras, 1 live; 1 viewer"
    assert row(lines, "CAMERA").split() == [*HEADINGS, "LAST", "ERROR"]
    assert re.fullmatch(
        r"door +live +[\d.]+ s +320x240 +2\d\.\d +[\d.]+ m?s +\d+ +[\d.]+% +[\d.]+ MiB +1 +0",
        row(lines, "door"),
    )
    refused = r"gate +away +[\d.]+ s +- +- +- +0 +[\d.]+% +[\d.]+ MiB +0 +0  .*refused"
    assert re.fullmatch(refused, row(lines, "gate"))
    assert [line.split()[0] for line in lines[lines.index("") + 5 :]] == ["PROCESS"] + [
        process["kind"] for process in facts(live)["processes"] if process["kind"] != "capture"
    ]


def test_for_programs(live):
    status = facts(live)
    door, gate = status["cameras"]
    counters = ["late", "aborted", "corrupt", "no_slot", "capture_oversize", "oversize"]
    counters += ["encode_failed", "chain_failed", "chain_dropped"]
    assert door["dropped"] == sum(door[name] for name in counters)
    assert door["fresh"] and door["why"] == "" and door["since_s"] > 0 and door["viewers"] == 0
    assert gate["why"] == gate["last_error"] and "refused" in gate["why"]
    for one in [*status["cameras"], *status["processes"]]:
        assert 0 <= one["cpu"] < 4 and one["memory"] > 1 << 20, one


def test_an_error_that_is_over(instance, own_http_camera):
    """It is told as the last one while the camera is live again, and not as the reason why it isn't
    live."""
    camring = instance({"cam": f"http://127.0.0.1:{own_http_camera.port}/video.mjpg"}).run()
    camring.wait_live("cam")
    assert facts(camring)["cameras"][0]["last_error"] == ""
    own_http_camera.stop()
    camring.wait_state("cam", "away")
    own_http_camera.start()
    camring.wait_live("cam")
    wait_for(lambda: facts(camring)["cameras"][0]["state"] == "live", 20, "the supervisor's word")
    cam = facts(camring)["cameras"][0]
    assert cam["why"] == "" and cam["last_error"]
    assert cam["last_error"] in row(camring.cli("status").stdout.splitlines(), "cam")


def test_a_camera_that_is_silent(instance):
    """Its capture process can't report that: it is stopped."""
    camring = instance({"cam": {"source": "test:?size=160x90", "stall_timeout": "1s"}}).run()
    camring.wait_live("cam")
    camring.children("capture")[0].kill(signal.SIGSTOP)
    wait_for(
        lambda: " stale " in row(camring.cli("status").stdout.splitlines(), "cam"), 20, "its state"
    )


@pytest.mark.parametrize("columns", [200, 150, 120, 100, 80, 60, 40])
def test_it_fits_the_terminal(live, columns):
    lines = [COLOR.sub("", line) for line in shown(live, columns=columns)]
    table = lines[lines.index("") + 1 :]
    table = table[: table.index("")]
    assert max(map(len, table)) <= columns
    assert row(table, "door") and row(table, "gate")  # an id is never cut
    told = [word for word in table[0].split() if word in HEADINGS]
    assert told == HEADINGS if columns >= 120 else "RESTARTS" not in told
    assert columns < 80 or {"SINCE", "FPS", "AGE", "DROPS", "CPU", "MEMORY", "VIEWERS"} <= {*told}
    assert any("cannot open rtsp" in line for line in table)
    assert columns > 40 or any(line.startswith("gate: ") and line.endswith("...") for line in table)


def test_colours(live):
    states = {COLOR.sub("", line).split(" ")[0]: line for line in shown(live) if line}
    assert "\x1b[32mlive\x1b[m" in states["door"] and "\x1b[31maway\x1b[m" in states["gate"]
    for plain in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert not COLOR.search("\n".join(shown(live, **plain)))


def test_a_page(live):
    with watching(live) as screen:
        screen.wait(lambda page: " live " in row(page, "door"), "the camera")
        with Stream(live.port, "/cameras/door/stream.mjpeg"):
            page = screen.wait(lambda page: "2 cameras, 1 live; 1 viewer" in page, "the viewer")
        assert " away " in row(page, "gate")
        screen.wait(lambda page: "2 cameras, 1 live; 0 viewers" in page, "no viewer")
        assert b"\x1b[2J" not in screen.output  # redrawn in place
        drawn = screen.read(0.05).count(b"\x1b[H")
        screen.resize(24, 60)
        wait_for(lambda: screen.read(0.05).count(b"\x1b[H") > drawn, 20, "a new page at once")
        assert max(map(len, screen.page())) <= 60
        screen.press(b"q")
        assert screen.end() == 0


@pytest.mark.parametrize("how", ["ctrl-c", signal.SIGTERM])
def test_the_terminal_is_left_as_it_was(live, how):
    with watching(live) as screen:
        screen.wait(lambda page: row(page, "door"), "a page")
        if isinstance(how, signal.Signals):
            screen.process.send_signal(how)
        else:
            screen.press(b"\x03")
        assert screen.end() == 0


def test_a_page_outlives_the_instance(instance):
    camring = instance({"cam": "test:?size=160x90"})
    assert camring.start().returncode == 0
    with watching(camring) as screen:
        screen.wait(lambda page: " live " in row(page, "cam"), "the camera")
        camring.stop()
        screen.wait(lambda page: any("is not running" in line for line in page), "its end")
        assert camring.start().returncode == 0
        screen.wait(lambda page: " live " in row(page, "cam"), "the camera, again")
        screen.press(b"q")
        assert screen.end() == 0


@contextlib.contextmanager
def piped(camring, *words):
    process = camring.popen("status", "--watch", *words)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_watched_through_a_pipe(live):
    with piped(live, "--json") as process:
        looks = [json.loads(process.stdout.readline()) for _ in range(3)]
        assert looks[0]["cameras"][0]["frames"] < looks[2]["cameras"][0]["frames"]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    with piped(live) as process:
        lines = [process.stdout.readline() for _ in range(30)]
        assert sum(line.startswith("instance ") for line in lines) > 1
        assert not any("\x1b" in line for line in lines)


def test_watched_to_its_end(instance):
    camring = instance({"cam": "test:?size=160x90"})
    done = camring.cli("status", "--watch")
    assert done.returncode == 3 and "is not running" in done.stderr
    camring.run()
    with piped(camring) as process:
        assert process.stdout.readline()
        camring.stop()
        assert process.wait(20) == 3 and "is not running" in process.stderr.read()
