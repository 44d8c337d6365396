"""camring logs: what an instance in the background has logged, for people and programs, and as it
comes."""
import contextlib
import json
import os
import re
import signal

import pytest

from product import BIN, free_port, wait_for
from screen import on_terminal

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn|info|debug) ([^:]+): .+")


@pytest.fixture(params=["text", "json"])
def started(request, instance):
    """An instance in the background, with one camera that is live and one that is refused."""
    gone = f"rtsp://127.0.0.1:{free_port()}/cam"
    cameras = {"door": "test:?size=160x90", "gate": gone}
    camring = instance(cameras, log={"format": request.param})
    assert camring.start().returncode == 5
    for words in ("live, 160x90", "away: "):  # a line may come a little later than what it says
        wait_for(lambda: words in camring.log(), 20, words)
    yield camring


def logs(camring, *words, code=0):
    done = camring.cli("logs", *words)
    assert done.returncode == code, done
    return done.stdout.splitlines()


def test_for_people(started):
    lines = logs(started)
    assert all(LINE.fullmatch(line) for line in lines), lines
    assert any(f"info supervisor: instance {started.instance}: 2 cameras" in line for line in lines)
    assert any("info capture door: live, 160x90" in line for line in lines)
    assert any("warn capture gate: away: " in line for line in lines)
    # The log goes on while the two commands run.
    assert logs(started, "-n", "0") == [] and len(logs(started, "-n", "3")) == 3
    assert set(lines) <= set(logs(started, "-n", "100000"))


def test_for_programs(started):
    lines = [json.loads(line) for line in logs(started, "--json")]
    assert all(set(line) == {"time", "level", "process", "message"} for line in lines)
    assert any(
        line["process"] == "capture door" and line["message"].startswith("live, ") for line in lines
    )


def test_of_one_camera(started):
    assert started.cli("restart", "door").returncode == 0

    def came_back():
        lines = logs(started, "door")
        restarts = [i for i, line in enumerate(lines) if "camera door: restarted" in line]
        return restarts and any(": live" in line for line in lines[restarts[0] :]) and lines

    lines = wait_for(came_back, 20, "the restart and what follows")
    assert {LINE.fullmatch(line)[2] for line in lines} == {"capture door", "supervisor"}
    assert {LINE.fullmatch(line)[2] for line in logs(started, "gate")} == {"capture gate"}
    done = started.cli("logs", "yard", "--json")
    assert done.returncode == 1 and 'has no camera "yard"' in done.stderr
    assert json.loads(done.stdout)["error"] in done.stderr


@contextlib.contextmanager
def following(camring, *words):
    process = camring.popen("logs", "-f", *words)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process, words):
    lines = []
    while words not in (line := process.stdout.readline()):
        assert line, f"ended: {process.stderr.read()}"
        lines.append(line)
    return [*lines, line]


def test_followed(started):
    with following(started) as process:
        begin = read_until(process, "capture gate: away")
        assert len(begin) <= 11  # ten lines that were there, and perhaps one that has come since
        assert started.cli("restart", "door").returncode == 0
        read_until(process, "camera door: restarted by request")
        read_until(process, "capture door: live, 160x90")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (-signal.SIGINT, 0)


def test_followed_over_a_restart_and_a_new_file(started):
    """The instance ends and comes back; the file is renamed, as the log writer does it when one is
    full."""
    with following(started, "door", "-n", "1") as process:
        assert "capture door: live, 160x90" in process.stdout.readline()
        started.stop()
        os.rename(started.background_log(), f"{started.background_log()}.1")
        assert started.start().returncode == 5
        lines = read_until(process, "capture door: live, 160x90")
    assert not any("gate" in line for line in lines)
    assert sum("capture door: live" in line for line in logs(started)) == 2  # both files


def test_repeats(started):
    """From the third time on they are counted, until the process logs something else."""
    for _ in range(7):
        assert started.cli("restart", "door").returncode == 0
    assert started.cli("restart", "gate").returncode == 0
    lines = wait_for(
        lambda: (found := logs(started)) and any("repeated" in line for line in found) and found,
        20,
        "the count",
    )
    assert sum("camera door: restarted by request" in line for line in lines) == 2
    assert any("info supervisor: last message repeated 5 times" in line for line in lines)


def test_after_the_end(started):
    """All that was logged to the last is there when `camring stop` returns."""
    started.stop()
    assert "supervisor: stopped" in logs(started, "-n", "1")[0]


def test_in_the_foreground(instance):
    camring = instance({"door": "test:?size=160x90"}).run()
    done = camring.cli("logs", "-f")
    assert done.returncode == 1 and not done.stdout
    assert "runs in the foreground: its log" in done.stderr


def test_nothing_there(instance):
    camring = instance({"door": "test:"})
    done = camring.cli("logs")
    assert done.returncode == 1 and not done.stdout
    assert "is not running, and has left no log" in done.stderr


@pytest.mark.parametrize("words", [["-n", "x"], ["-n", "-1"], ["../door"], ["a", "b"], ["-n"]])
def test_wrong_usage(instance, words):
    done = instance({"door": "test:"}).cli("logs", *words)
    assert done.returncode == 2 and done.stderr and not done.stdout


def test_colours_and_what_a_terminal_would_obey(instance):
    camring = instance({"gate": f"rtsp://127.0.0.1:{free_port()}/cam"})
    camring.start()
    with open(camring.background_log(), "a") as log:
        log.write("some library:\t\x1b[2J\x9b1m!\n")
    command = [BIN / "camring", "logs", "--instance", camring.instance]
    with on_terminal(command) as screen:
        wait_for(lambda: screen.read(0.01) and screen.process.poll() is not None, 20, "its end")
        shown = screen.read()
    assert b"some library: ?[2J??1m!" in shown and b"\x1b[2J" not in shown
    assert re.search(rb"\x1b\[33m[^\n]+ warn capture gate: away: [^\n]+\x1b\[m", shown)
