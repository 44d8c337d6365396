"""camring snapshot: pictures of cameras as files, with what became of each camera."""
import contextlib
import datetime
import io
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest
from PIL import Image

from clips import read_number
from product import BIN, free_port, mount_namespace, running, wait_for
from screen import on_terminal

CAMERAS = {
    "door": "test:?size=320x240",
    "yard": "test:?size=640x360&fps=10",
    "gate": f"rtsp://127.0.0.1:{free_port()}/cam",
}

STATES = ("starting", "connecting", "live", "ended")  # before it was waited for


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with running(tmp_path_factory.mktemp("snapshot"), CAMERAS) as camring:
        camring.wait_live("door", "yard")
        camring.wait_state("gate", "away")
        wait_for(lambda: camring.camera("door")["frame"] > 5, 20, "pictures")
        wait_for(lambda: camring.camera("yard")["frame"] > 5, 20, "pictures")
        yield camring


@pytest.fixture
def silence():
    """The URL of a camera that takes a connection, and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/video.mjpg"


def snapshot(camring, *words):
    return camring.cli("snapshot", *map(str, words), limit=60)


def files(folder):
    return sorted(os.listdir(folder))


def assert_whole(folder, camera, base):
    """The picture and its description are there, and say the same."""
    jpeg = (folder / f"{base}.jpg").read_bytes()
    facts = json.loads((folder / f"{base}.json").read_text())
    with Image.open(io.BytesIO(jpeg)) as image:
        image.load()
        assert image.size == (facts["width"], facts["height"])
    assert facts["camera"] == camera and facts["file"] == f"{base}.jpg"
    assert facts["bytes"] == len(jpeg) and facts["state"] in STATES
    assert facts["frame"] > 0 and facts["age_ms"] >= 0
    assert read_number(jpeg) is not None
    return facts


def test_all_cameras(live, tmp_path):
    """The one that is away is an outcome, with its cause, and stops nothing."""
    folder = tmp_path / "made" / "too"
    begin = time.time()
    done = snapshot(live, "--all", "-o", folder)
    assert (done.returncode, done.stderr) == (5, "")
    summary, failure = done.stdout.splitlines()
    assert summary == "camring: 2 saved, 1 without a picture"
    assert re.fullmatch("camring: gate: no picture: cannot open rtsp.*refused", failure)
    assert files(folder) == ["door.jpg", "door.json", "yard.jpg", "yard.json"]
    door = assert_whole(folder, "door", "door")
    yard = assert_whole(folder, "yard", "yard")
    assert (door["width"], yard["height"]) == (320, 360)
    captured = datetime.datetime.fromisoformat(door["captured"].replace("Z", "+00:00")).timestamp()
    assert begin - 6 < captured < time.time()


def test_some_cameras(live, tmp_path):
    (tmp_path / "door.jpg").write_text("an older one")
    done = snapshot(live, "door", "yard", "door", "-o", tmp_path, "--jobs", "1")
    assert (done.returncode, done.stdout) == (0, "camring: 2 saved\n")
    assert_whole(tmp_path, "door", "door")
    done = snapshot(live, "door", "nowhere", "-o", tmp_path)
    assert done.returncode == 5
    assert done.stdout.splitlines() == [
        "camring: 1 saved, 1 unknown",
        "camring: nowhere: there is no such camera",
    ]


def test_the_last_picture_of_a_file(instance, clips, tmp_path):
    camring = instance({"clip": f"file:{clips.mp4()}"}).run()
    camring.wait_state("clip", "ended")
    time.sleep(1.1)
    done = snapshot(camring, "--all", "-o", tmp_path)
    assert (done.returncode, done.stdout) == (0, "camring: 1 saved\n")
    assert assert_whole(tmp_path, "clip", "clip")["state"] == "ended"


def test_an_old_picture_is_none(instance, tmp_path):
    """A capture that is stopped can't say so; what it has made is older than stall_timeout."""
    camring = instance({"cam": {"source": "test:?size=160x90", "stall_timeout": "1s"}}).run()
    camring.wait_live("cam")
    assert snapshot(camring, "cam", "-o", tmp_path).returncode == 0
    camring.children("capture")[0].kill(signal.SIGSTOP)
    fresh = lambda: json.loads(camring.cli("status", "--json").stdout)["cameras"][0]["fresh"]
    wait_for(lambda: not fresh(), 20, "silence")
    done = snapshot(camring, "cam", "-o", tmp_path)
    if done.returncode == 0:  # the supervisor was faster, and has replaced the process
        assert json.loads((tmp_path / "cam.json").read_text())["age_ms"] <= 1000
    else:
        assert done.returncode == 5
        assert re.search(
            "cam: no picture: it is .*, and its newest picture is .* s old", done.stdout
        )


def test_so_many_at_once(instance, silence, tmp_path):
    """Cameras that have no picture yet are waited for, two at a time."""
    silent_ones = {f"s{n}": {"source": silence, "stall_timeout": "60s"} for n in range(4)}
    camring = instance({"good": "test:?size=160x90", **silent_ones}).run()
    camring.wait_live("good")
    for camera in silent_ones:
        wait_for(lambda: camring.camera(camera)["state"] == "connecting", 20, "connecting")
    folder = tmp_path / "pictures"
    process = camring.popen("snapshot", "--all", "-o", str(folder), "--jobs", "2")
    begin, threads = time.monotonic(), set()
    while process.poll() is None:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            threads.add(len(os.listdir(f"/proc/{process.pid}/task")))
        time.sleep(0.01)
    told = process.communicate()[0].splitlines()
    assert process.returncode == 5 and told[0] == "camring: 1 saved, 4 without a picture"
    assert "camring: s0: no picture: it is connecting, and none has come yet" in told
    assert max(threads) == 3 and time.monotonic() - begin > 5.5
    assert files(folder) == ["good.jpg", "good.json"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_cancelled(instance, silence, tmp_path, number):
    """What was saved stays, and nothing is left half done."""
    silent = {"source": silence, "stall_timeout": "60s"}
    cameras = {"good": "test:?size=160x90", **{f"s{n}": silent for n in range(12)}}
    camring = instance(cameras, max_connecting=64).run()
    camring.wait_live("good")
    folder = tmp_path / "pictures"
    process = camring.popen("snapshot", "--all", "-o", str(folder), "--jobs", "2")
    wait_for(lambda: (folder / "good.json").exists(), 20, "the first picture")
    process.send_signal(number)
    told, errors = process.communicate(timeout=20)
    assert process.returncode == 1 and "cancelled" in errors
    assert re.fullmatch(
        r"camring: 1 saved, \d+ not taken(, \d+ without a picture)?", told.splitlines()[0]
    )
    assert files(folder) == ["good.jpg", "good.json"]
    assert_whole(folder, "good", "good")


def test_a_bar_on_a_terminal(live, tmp_path):
    command = [BIN / "camring", "snapshot", "--all", "-o", tmp_path, "--instance", live.instance]
    with on_terminal(command) as screen:
        wait_for(lambda: screen.read(0.01) and screen.process.poll() is not None, 20, "its end")
        shown = screen.read().decode()
    assert "\r[........................] 0 of 3\x1b[K" in shown
    assert "\r[########################] 3 of 3\x1b[K" in shown
    assert "\r\x1b[Kcamring: 2 saved, 1 without a picture\r\n" in shown  # the bar is gone


def test_again_and_again(instance, tmp_path):
    """Files of their own each time; the instance may be away in between, and come back with another
    camera."""
    camring = instance({"cam": "test:?size=160x90"}).run()
    camring.wait_live("cam")
    process = camring.popen("snapshot", "--all", "-o", str(tmp_path), "--every", "1s")
    saved = lambda camera: [name for name in files(tmp_path) if name.startswith(f"{camera}-2")]
    wait_for(lambda: len(saved("cam")) >= 6, 30, "three pictures")
    camring.write_config({"cam": "test:?size=160x90", "more": "test:?size=160x90"})
    camring.stop()
    time.sleep(1.5)
    camring.run()
    wait_for(lambda: saved("more"), 30, "the other camera's picture")
    process.send_signal(signal.SIGINT)
    told, errors = process.communicate(timeout=20)
    assert process.returncode in (0, 5) and "is not running" in errors
    lines = told.splitlines()
    assert lines[0].endswith("Z: 1 saved") and lines[-1].startswith("camring: in all ")
    stamps = [re.match(r"camring: (\d{8}T\d{6}Z): ", line) for line in lines]
    stamps = [match[1] for match in stamps if match]
    assert stamps == sorted(set(stamps)) and len(stamps) >= 4
    for name in saved("cam"):
        base = name.rpartition(".")[0]
        assert base.partition("-")[2] in stamps
        assert_whole(tmp_path, "cam", base)


def test_a_full_disk(live, tmp_path):
    """The older picture stays; nothing else is left."""
    script = (
        'mount -t tmpfs -o size=12k box "$1" && echo old >"$1/yard.jpg" && cd "$1" && shift && '
        '"$@"; echo "code $?"; ls -A; cat yard.jpg'
    )
    command = [BIN / "camring", "snapshot", "yard", "-o", ".", "--instance", live.instance]
    done = subprocess.run(
        [*mount_namespace(), "sh", "-c", script, "sh", tmp_path, *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.splitlines() == [
        "camring: 0 saved, 1 not written",
        "camring: yard: cannot write ./yard.jpg: No space left on device",
        "code 5",
        "yard.jpg",
        "old",
    ]


def test_a_folder_that_is_none(live, tmp_path):
    (tmp_path / "file").write_text("x")
    for folder, why in (("file", "Not a directory"), ("file/x", "Not a directory")):
        done = snapshot(live, "door", "-o", tmp_path / folder)
        assert done.returncode == 1 and not done.stdout
        assert done.stderr == f"camring: cannot write to {tmp_path / folder}: {why}\n"


def test_not_running(instance, tmp_path):
    done = snapshot(instance({"cam": "test:"}), "--all", "-o", tmp_path / "new")
    assert done.returncode == 3 and "is not running" in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "words, told",
    [
        (["--all"], "no folder"),
        (["-o", "x"], "name cameras"),
        (["--all", "door", "-o", "x"], "name cameras"),
        (["../door", "-o", "x"], "no camera's id"),
        (["--all", "-o", "x", "--jobs", "0"], "--jobs"),
        (["--all", "-o", "x", "--jobs", "many"], "--jobs"),
        (["--all", "-o", "x", "--every", "0.5s"], "--every"),
        (["--all", "-o", "x", "--every", "often"], "--every"),
    ],
)
def test_wrong_usage(live, words, told):
    done = live.cli("snapshot", *words)
    assert done.returncode == 2 and told in done.stderr and not done.stdout
    assert not (live.folder / "x").exists()
