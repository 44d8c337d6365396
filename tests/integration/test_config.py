"""The configuration file as `camring check` judges it."""
import re

import pytest

from product import cli

GOOD = """\
instance: mine
http:
  listen: ["127.0.0.1:18080", "[::1]:18080"]
  workers: auto
  max_clients: 100
  client_timeout: 10s
encoder: {workers: auto}
restart: {burst: 5, window: 30s, max: 60s}
shm: {max_bytes: 0, reader_rows: 16}
log: {level: info, format: json}
max_connecting: 8
cameras:
  door: rtsp://${DOOR_USER}:${DOOR_PASS}@10.0.0.5/ch0
  yard:
    source: http://10.0.0.6/video.mjpg
    max_size: 1920x1080
    fps: 12.5
    stall_timeout: 5s
    reconnect: {every: 500ms, for: 10s, max: 60s, jitter: 20%}
    jpeg: {quality: 80, passthrough: auto}
    offline: placeholder
  demo: test:?size=320x240&fps=5
"""

FAULTY = """\
instance: mine
http:
  listen: ["127.0.0.1:18080"]
  max_clients: many
cameras:
  door:
    source: test:?fps=5
    jpeg: {quality: 180}
    stal_timeout: 5s
  Yard: test:?fps=5
  gate:
    source: gopher://10.0.0.7/
  door: test:?fps=5
"""
FAULTS = [(4, "many"), (8, "180"), (9, "stal_timeout"), (10, "Yard"), (12, "gopher"), (13, "door")]


def check(tmp_path, text, **env):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return cli("check", "-c", path, env=env), path


def test_good(tmp_path):
    done, _ = check(tmp_path, GOOD, DOOR_USER="me", DOOR_PASS="9Kz-pass")
    assert (done.returncode, done.stderr) == (0, "")
    assert "9Kz-pass" not in done.stdout


def test_every_fault_is_named_in_one_go(tmp_path):
    done, path = check(tmp_path, FAULTY)
    assert done.returncode == 4
    lines = [
        line for line in (done.stdout + done.stderr).splitlines() if line.startswith(f"{path}:")
    ]
    places = [re.match(r":(\d+):(\d+): (.+)", line[len(str(path)) :]) for line in lines]
    assert all(places), lines
    found = {int(place[1]): place[3] for place in places}
    for line, word in FAULTS:
        assert word in found.get(line, ""), (line, word, lines)
    assert len(lines) == len(FAULTS), lines


@pytest.mark.parametrize(
    "text, line, word",
    [
        ("cameras:\n  door: [unclosed\n", 3, ""),
        ("cameras:\n\tdoor: test:\n", 2, ""),
        ('cameras: {}\nhttp: {listen: ["0.0.0.0:18080"]}\n', 2, "allow_open_bind"),
        ("cameras: {door: 'rtsp://${NOT_THERE}@h/'}\n", 1, "NOT_THERE"),
        ("cameras: {door: '${file:/nowhere/secret}'}\n", 1, "/nowhere/secret"),
        ("instance: UPPER\ncameras: {door: 'test:'}\n", 1, "UPPER"),
        ("cameras: {api: 'test:'}\n", 1, "api"),
        ("cameras: {door: 'test:'}\nhttp: {listen: ['127.0.0.1:99999']}\n", 2, "99999"),
        ("just text\n", 1, ""),
    ],
    ids=[
        "unclosed",
        "tab",
        "open bind",
        "no variable",
        "no file",
        "instance",
        "reserved id",
        "port",
        "no mapping",
    ],
)
def test_faults(tmp_path, text, line, word):
    done, path = check(tmp_path, text)
    assert done.returncode == 4, done
    output = done.stdout + done.stderr
    assert re.search(
        rf"^{re.escape(str(path))}:{line}:\d+: .*{re.escape(word)}", output, re.M
    ), output


def test_a_file_that_is_not_there(tmp_path):
    done = cli("check", "-c", tmp_path / "none.yaml")
    assert done.returncode == 4
    assert "none.yaml" in done.stderr and "No such file" in done.stderr


def test_no_file_at_all(tmp_path):
    done = cli("check", cwd=tmp_path)
    assert done.returncode == 4
    assert "camring.yaml" in done.stderr


def test_found_in_the_folder(tmp_path):
    (tmp_path / "camring.yaml").write_text("cameras: {door: 'test:'}\n")
    assert cli("check", cwd=tmp_path).returncode == 0


def test_secret_from_a_file(tmp_path):
    (tmp_path / "secret").write_text("9Kz-pass\n")
    done, _ = check(
        tmp_path, "cameras: {door: 'rtsp://me:${file:%s/secret}@10.0.0.5/'}\n" % tmp_path
    )
    assert done.returncode == 0
    assert "9Kz-pass" not in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["run", "start"])
def test_run_and_start_say_the_same(tmp_path, command):
    path = tmp_path / "c.yaml"
    path.write_text(FAULTY)
    done = cli(command, "-c", path)
    assert done.returncode == 4
    for line, word in FAULTS:
        assert re.search(rf"^{re.escape(str(path))}:{line}:\d+: .*{word}", done.stderr, re.M), (
            line,
            word,
            done.stderr,
        )
