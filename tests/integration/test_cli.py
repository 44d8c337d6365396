"""The command line: exit codes, what is said and to whom, and what each kind of trouble looks
like."""
import json
import os
import pathlib
import re
import socket
import subprocess

import pytest

from clips import read_number
from multipart import Stream
from product import BIN, Process, Source, cli, free_port, mount_namespace, wait_for

COMMANDS = (
    "run start stop restart reload status logs snapshot check shm completion version help".split()
)
SECRET = "Xy7-open"


# -- usage


def test_help():
    done = cli("help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(re.search(rf"\b{command}\b", done.stdout) for command in COMMANDS)
    assert cli("--help").stdout == done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(command):
    done = cli(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage" in done.stdout.lower()
    if command not in ("help", "shm"):
        assert cli("help", command).stdout == done.stdout


def test_version():
    version = (pathlib.Path(__file__).parents[2] / "VERSION").read_text().strip()
    for word in ("version", "--version"):
        done = cli(word)
        assert done.returncode == 0 and version in done.stdout


def test_version_for_programs():
    done = cli("version", "--json")
    assert json.loads(done.stdout)["version"] in cli("version").stdout


def test_check_for_programs(tmp_path):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text('cameras: {door: "test:", yard: "test:"}\n')
    done = cli("check", "-c", good, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"ok": True, "file": str(good), "cameras": 2, "faults": []}
    bad.write_text('nonsense: 1\ncameras: {Yard: "test:"}\n')
    done = cli("check", "-c", bad, "--json")
    faults = json.loads(done.stdout)["faults"]
    assert (done.returncode, done.stderr, len(faults)) == (4, "", 2)
    assert faults[0].startswith(f"{bad}:1:1: ") and faults[1].startswith(f"{bad}:2:11: ")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fly"],
        ["run", "--fly"],
        ["run", "too", "many"],
        ["status", "-c"],
        ["run", "--instance"],
        ["status", "--instance", "../x"],
        ["shm", "fly"],
    ],
)
def test_wrong_usage(words):
    done = cli(*words)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr


@pytest.mark.parametrize("child", ["capture", "encoder", "server"])
def test_children_are_not_started_by_hand(child):
    done = subprocess.run(
        [BIN / f"camring-{child}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode not in (0, -11, -6)
    assert "camring" in done.stderr


# -- life of an instance


def test_start_status_restart_stop(instance):
    camring = instance({"door": "test:?size=320x240", "yard": "test:?size=320x240"})
    assert camring.cli("status").returncode == 3
    assert camring.cli("stop").returncode == 3
    assert "not running" in json.loads(camring.cli("status", "--json").stdout)["error"]

    started = camring.start()
    assert started.returncode == 0, started
    assert "2 live" in started.stdout + started.stderr
    assert "\x1b" not in started.stdout + started.stderr  # no terminal, no colours
    assert camring.get("/readyz")[0] == 200

    status = camring.cli("status")
    assert status.returncode == 0
    assert "door" in status.stdout and "live" in status.stdout
    facts = json.loads(camring.cli("status", "--json").stdout)
    assert facts["instance"] == camring.instance
    assert {camera["id"]: camera["state"] for camera in facts["cameras"]} == {
        "door": "live",
        "yard": "live",
    }

    again = camring.cli("start", "-c", str(camring.config))
    assert again.returncode == 1 and "running" in again.stderr

    before = {p.pid for p in camring.children()}
    assert camring.cli("restart", "door").returncode == 0
    wait_for(
        lambda: len({p.pid for p in camring.children()} & before) == len(before) - 1,
        20,
        "one new process",
    )
    camring.wait_live("door", "yard")

    supervisor = camring.supervisor
    assert camring.cli("restart").returncode == 0
    camring.find_supervisor()
    camring.wait_live("door", "yard")
    assert not {p.pid for p in camring.children()} & before
    assert supervisor

    stopped = camring.cli("stop")
    assert stopped.returncode == 0, stopped
    camring.assert_nothing_left()
    assert not camring.supervisor.alive()
    assert camring.cli("status").returncode == 3
    assert camring.start().returncode == 0  # and once more on the same port


def test_start_without_waiting(instance):
    camring = instance({"door": "test:"})
    assert camring.start("--no-wait").returncode == 0
    camring.wait_listening()
    camring.wait_live("door")


def test_two_instances_never_touch(instance):
    one, two = instance({"door": "test:"}).run().wait_live("door"), instance(
        {"door": "test:"}
    ).run().wait_live("door")
    assert one.shm() and two.shm() and not set(one.shm()) & set(two.shm())
    first = [process.pid for process in one.children()]
    with Stream(one.port, "/stream") as stream:
        stream.wait_parts(5)
        two.stop()
        stream.wait_parts(len(stream.parts) + 30)
    assert [process.pid for process in one.children()] == first
    assert one.cli("status").returncode == 0 and two.cli("status").returncode == 3


def test_same_instance_twice(instance, tmp_path):
    camring = instance({"door": "test:"}).run().wait_live("door")
    before = camring.shm()
    done = cli("run", "-c", camring.config)
    assert done.returncode == 1 and "running" in done.stderr
    assert camring.shm() == before
    assert camring.get("/healthz")[0] == 200


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_run_ends_on_signals(instance, name):
    import signal

    camring = instance({"door": "test:"}).run().wait_live("door")
    camring.stop(getattr(signal, name))
    assert camring.exited() == 0


def test_stop_is_prompt_with_viewers_and_dead_cameras(instance, http_camera):
    cameras = {
        "dead": f"rtsp://127.0.0.1:{free_port()}/",
        "silent": f"http://127.0.0.1:{http_camera.port}/stall.mjpg",
        "good": "test:",
    }
    camring = instance(cameras).run().wait_live("good")
    with Stream(camring.port, "/cameras/good/stream.mjpeg") as stream:
        stream.wait_parts(3)
        camring.stop()
        stream.wait_headers()
        wait_for(lambda: stream.ended, 5, "the end of the stream")


# -- trouble, each with its cause named, and the other cameras going on


def start_with(instance, source, **camera):
    """Starts the camera "bad" beside a good one; what `start` said, and the instance."""
    camring = instance({"bad": {"source": source, **camera}, "good": "test:?size=320x240"})
    done = camring.start()
    assert done.returncode == 5, done
    said = done.stdout + done.stderr
    assert "bad" in said and "1 live" in said
    assert camring.camera("good")["state"] == "live"
    assert camring.cli("status").returncode == 5
    with Stream(camring.port, "/cameras/good/stream.mjpeg") as stream:
        stream.wait_parts(5)
        assert read_number(stream.parts[-1].body) is not None
    return said, camring


def line_about(said, camera):
    return "\n".join(line for line in said.splitlines() if camera in line)


def assert_secret_nowhere(camring, said, secret=SECRET):
    assert secret not in said
    assert secret not in camring.cli("status").stdout + camring.cli("status", "--json").stdout
    assert secret not in json.dumps(camring.api("cameras"))
    assert secret not in camring.cli("shm", "list", "--json").stdout
    for process in [camring.supervisor, *camring.children()]:
        for file in ("cmdline", "environ"):
            assert (
                secret.encode() not in pathlib.Path(f"/proc/{process.pid}/{file}").read_bytes()
            ), (process, file)
    assert secret not in camring.log()
    logs = camring.cli("logs")
    assert secret not in logs.stdout + logs.stderr


def test_unreachable_camera(instance):
    port = free_port()
    said, camring = start_with(instance, f"rtsp://viewer:{SECRET}@127.0.0.1:{port}/cam")
    assert "refused" in line_about(said, "bad").lower()
    assert "refused" in camring.camera("bad")["why"].lower()
    assert_secret_nowhere(camring, said)


def test_wrong_rtsp_password(instance, locked_rtsp_camera):
    said, camring = start_with(
        instance, f"rtsp://viewer:{SECRET}-not@127.0.0.1:{locked_rtsp_camera.port}/cam"
    )
    assert re.search("401|password|unauthori|credentials", line_about(said, "bad"), re.I)
    assert_secret_nowhere(camring, said)


def test_wrong_http_password(instance, http_camera):
    said, camring = start_with(
        instance, f"http://viewer:{SECRET}-not@127.0.0.1:{http_camera.port}/secret.mjpg"
    )
    assert re.search("401|password|unauthori|credentials", line_about(said, "bad"), re.I)
    assert_secret_nowhere(camring, said)


@pytest.mark.parametrize("kind", ["rtsp", "http"])
def test_right_password(instance, locked_rtsp_camera, http_camera, kind):
    """The camera is seen, its password nowhere: not even in the children's environment when it came
    from there."""
    at = {"rtsp": f"{locked_rtsp_camera.port}/cam", "http": f"{http_camera.port}/secret.mjpg"}[kind]
    camring = instance({"cam": f"{kind}://viewer:${{CAMERA_PASSWORD}}@127.0.0.1:{at}"})
    done = camring.start(env={"CAMERA_PASSWORD": SECRET})
    assert done.returncode == 0, done
    for process in camring.children():
        assert (
            SECRET.encode() not in pathlib.Path(f"/proc/{process.pid}/environ").read_bytes()
        ), process
    with Stream(camring.port, "/stream") as stream:
        stream.wait(
            lambda s: s.parts and read_number(s.parts[-1].body) is not None,
            20,
            "a numbered picture",
        )
    camring.supervisor, supervisor = (
        camring.children()[0],
        camring.supervisor,
    )  # its own environment is its user's business
    try:
        assert_secret_nowhere(camring, done.stdout + done.stderr)
    finally:
        camring.supervisor = supervisor


def test_a_password_full_of_special_characters(instance, clips):
    """As it is, where it comes from a variable; one that stands in the URL itself is told apart
    from a host."""
    password = "Xy/7?o#p@n:q"
    camera = Source("rtsp_camera.py", clips.small_h264(), "--user", f"vie/wer:{password}")
    try:
        at = f"127.0.0.1:{camera.port}/cam"
        camring = instance({"cam": f"rtsp://${{WHO}}:${{PASSWORD}}@{at}"})
        done = camring.start(env={"WHO": "vie/wer", "PASSWORD": password})
        assert done.returncode == 0, done
        camring.write_config({"cam": f"rtsp://viewer:{password}@{at}"})
        done = camring.cli("check", "-c", camring.config)
        assert done.returncode == 4
        assert 'a "/" in its user or password: it must be written %2F' in done.stderr
        assert password not in done.stderr and "Xy/" not in done.stderr
    finally:
        camera.stop()


def test_a_camera_that_sends_over_udp_only(instance, clips):
    camera = Source("rtsp_camera.py", clips.small_h264(), "--only-udp")
    try:
        url = f"rtsp://127.0.0.1:{camera.port}/cam"
        said, camring = start_with(instance, url)
        words = "does not send over TCP (461): rtsp_transport: udp or auto would do"
        assert words in line_about(said, "bad")
        assert words in camring.camera("bad")["why"]
        for transport in ("udp", "auto"):
            cameras = {"cam": {"source": url, "rtsp_transport": transport}}
            assert instance(cameras).start().returncode == 0
    finally:
        camera.stop()


def test_http_404(instance, http_camera):
    said, _ = start_with(instance, f"http://127.0.0.1:{http_camera.port}/nothing.mjpg")
    assert re.search("404|not found", line_about(said, "bad"), re.I)


def test_a_file_that_is_no_video(instance, tmp_path):
    (tmp_path / "letter.mp4").write_text("Dear camera,\n" * 1000)
    said, _ = start_with(instance, f"file:{tmp_path}/letter.mp4")
    assert (
        "letter.mp4" in line_about(said, "bad") or "invalid data" in line_about(said, "bad").lower()
    )


def test_a_file_that_is_not_there(instance, tmp_path):
    said, _ = start_with(instance, f"file:{tmp_path}/none.mp4")
    assert "no such file" in line_about(said, "bad").lower()


def test_a_file_without_video(instance, tmp_path):
    subprocess.run(
        [
            "ffmpeg",
            "-nostdin",
            "-loglevel",
            "error",
            "-f",
            "lavfi",
            "-i",
            "sine=d=1",
            tmp_path / "sound.wav",
        ],
        check=True,
    )
    said, _ = start_with(instance, f"file:{tmp_path}/sound.wav")
    assert "video" in line_about(said, "bad")


@pytest.mark.parametrize("path", ["garbage.mjpg", "noise.mjpg"])
def test_a_camera_that_sends_garbage(instance, http_camera, path):
    said, camring = start_with(
        instance, f"http://127.0.0.1:{http_camera.port}/{path}", stall_timeout="2s"
    )
    why = camring.camera("bad")["why"]
    assert why and why in line_about(said, "bad")
    with Stream(camring.port, "/cameras/bad/stream.mjpeg") as stream:
        stream.wait_parts(2)
        assert [read_number(part.body) for part in stream.parts] == [None] * len(stream.parts)


def test_unknown_scheme(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("cameras:\n  bad: gopher://viewer:%s@10.0.0.1/\n" % SECRET)
    done = cli("run", "-c", path)
    assert done.returncode == 4
    assert f"{path}:2:" in done.stderr and "gopher" in done.stderr and SECRET not in done.stderr


@pytest.mark.parametrize("command", ["status", "restart"])
def test_a_bad_file_is_told_to_programs_too(tmp_path, command):
    path = tmp_path / "c.yaml"
    path.write_text("cameras:\n  bad: gopher://10.0.0.1/\n")
    done = cli(command, "-c", path, "--json")
    assert done.returncode == 4
    answer = json.loads(done.stdout)
    assert not answer["ok"] and answer["faults"] == done.stderr.splitlines()
    assert f"{path}:2:8: cameras.bad" in answer["faults"][0]


@pytest.mark.parametrize("command", ["run", "start"])
def test_port_in_use(instance, command):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        camring = instance({"door": "test:"}, port=taken.getsockname()[1])
        done = cli(command, "-c", camring.config)
        assert done.returncode == 1
        assert f"127.0.0.1:{camring.port}" in done.stderr and "in use" in done.stderr
        assert not camring.shm() and not camring.runtime_files()


@pytest.mark.limit(120)
def test_shared_memory_too_small(instance):
    """With a /dev/shm of four megabytes: bytes needed and available are named, and the small camera
    is live."""
    camring = instance({"big": "test:?size=1920x1080", "small": "test:?size=160x90"})
    camring.run(
        wait=False,
        wrapper=[
            *mount_namespace(),
            "sh",
            "-c",
            'mount -t tmpfs -o size=4m shm /dev/shm && exec "$@"',
            "sh",
        ],
    )
    camring.supervisor = wait_for(lambda: supervisor_of(camring), 20, "camring run")
    camring.wait_listening()
    camring.wait_live("small")
    camring.wait_state("big", "away")
    why = camring.camera("big")["why"]
    numbers = [
        int(number) for number in re.findall(r"\d+", why.replace(",", "")) if int(number) > 100_000
    ]
    assert len(numbers) >= 2, why
    assert max(numbers) > 4 << 20 and min(numbers) <= 4 << 20, why
    assert "big" in camring.log()
    assert "docker run --shm-size=128m" in camring.log(), "the number to set"
    with Stream(camring.port, "/cameras/small/stream.mjpeg") as stream:
        stream.wait_parts(20)
    assert not camring.shm()  # all of it is in the namespace


def test_start_where_no_log_can_be_written(instance):
    """It logs beside its socket then: a read-only /var/log, or a user without a home, is no reason
    not to run."""
    camring = instance({"cam": "test:?size=160x90"})
    command = [str(BIN / "camring"), "start", "-c", str(camring.config)]
    if os.geteuid() == 0:
        command = [
            *mount_namespace(),
            "sh",
            "-c",
            'mount -t tmpfs -o ro log /var/log && exec "$@"',
            "sh",
            *command,
        ]
    done = subprocess.run(
        command,
        env={**os.environ, "XDG_STATE_HOME": "/proc"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert camring.find_supervisor()
    logs = [path for path in camring.runtime_files() if path.endswith(f"/{camring.instance}.log")]
    assert len(logs) == 1
    assert camring.cli("stop").returncode == 0  # until then it is made anew
    os.remove(logs[0])
    camring.stop()


def supervisor_of(camring):
    """`unshare` and `sh` exec, so the process started is camring once its name says so."""
    process = Process(camring._popen.pid)
    return process if process.name == "camring" else None
