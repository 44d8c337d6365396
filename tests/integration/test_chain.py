"""`chain:` of a camera: what is wrong with it is known before anything starts, and what it does is
in every picture."""
import contextlib
import io
import json
import os
import pathlib
import signal
import subprocess

import numpy
import pytest
from PIL import Image

from product import BIN, cli, children_of, running, wait_for

FAULTY = """\
cameras:
  door:
    source: 'test:'
    chain:
      - crop: {x: 0, y: 0, width: 9000, height: 720}
  yard:
    source: 'test:'
    chain: [gray, filter: 'hqdn3d,eq=contrastt=1.1', text: {text: a, font: /no/such}]
  gate: {source: 'test:'}
"""
PLACES = """\
{}:5:15: cameras.door.chain: step 1 (crop): Invalid too big or non positive size for width '9000' \
or height '720'
{}:8:38: cameras.yard.chain: step 2 (filter): the filter eq has no option contrastt
{}:8:76: cameras.yard.chain: step 3 (text): /no/such is no font that can be read
"""


def test_faults_that_only_libavfilter_knows_have_their_places(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(FAULTY)
    expected = PLACES.format(path, path, path)
    for command in ("check", "start", "run"):
        done = cli(command, "-c", path, limit=120)
        assert (done.returncode, done.stderr) == (4, expected), command
    done = cli("check", "--json", "-c", path, limit=120)
    assert json.loads(done.stdout)["faults"] == expected.splitlines()
    with open(path) as text:
        done = cli("check", "-c", "-", limit=120, stdin=text)
    assert done.stderr == PLACES.format("<stdin>", "<stdin>", "<stdin>")


@pytest.mark.parametrize(
    "step, at, words",
    [
        ("filter: 'hflip,movie=/etc/passwd'", "movie", '"movie" is none of the filters'),
        ("text: {text: 'a', font: /etc/passwd}", "/etc", "/etc/passwd is no font that can be"),
        ("filter: 'psnr=/tmp/x'", "/tmp", "the option stats_file of the filter psnr reaches"),
        ("filter: 'split'", "split", "one open input and one open output, not 1 and 2"),
        ("rotate: 45", "45", "must be 90, 180 or 270"),
        ("external: {name: raw}", "raw", "must be a name of up to 20 characters"),
    ],
)
def test_one_fault(tmp_path, step, at, words):
    path = tmp_path / "c.yaml"
    line = f"      - {step}"
    path.write_text(f"cameras:\n  a:\n    source: 'test:'\n    chain:\n{line}\n")
    done = cli("check", "-c", path, limit=120)
    assert done.returncode == 4
    assert done.stderr.startswith(f"{path}:5:{line.index(at) + 1}: cameras.a.chain: "), done.stderr
    assert words in done.stderr


HEAVY = {"source": "test:", "chain": [{"filter": "nlmeans=r=99:p=99"}]}  # hours a picture


def find_trial(pid):
    """The process in which a chain is tried."""

    def find():
        for process in children_of(pid):
            with contextlib.suppress(OSError):
                command = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes()
                if command == b"camring-encoder\0--try\0":
                    return process
        return None

    return wait_for(find, 30, "a trial")


@pytest.mark.parametrize(
    "number, words",
    [
        (signal.SIGABRT, "crashes libavfilter (Aborted)"),
        (signal.SIGXCPU, "takes too long for a test picture"),
    ],
)
def test_a_filter_that_crashes_takes_only_the_trial_with_it(tmp_path, number, words):
    path = tmp_path / "c.yaml"
    first = "  a: {source: 'test:', chain: [filter: 'nlmeans=r=99:p=99']}\n"
    second = "  b: {source: 'test:', chain: [gray, filter: 'negate=x']}\n"
    path.write_text(f"cameras:\n{first}{second}")
    check = subprocess.Popen(
        [BIN / "camring", "check", "-c", path], stderr=subprocess.PIPE, text=True
    )
    os.kill(find_trial(check.pid).pid, number)
    said = check.communicate(timeout=120)[1].splitlines()
    assert check.returncode == 4
    places = first.index("nlmeans") + 1, second.index("x']") + 1
    assert said[0] == f"{path}:2:{places[0]}: cameras.a.chain: step 1 (filter): {words}"
    assert said[1].startswith(f"{path}:3:{places[1]}: cameras.b.chain: step 2 (filter): negate: ")


def test_an_instance_goes_on_while_a_reload_tries_chains(tmp_path):
    good = {"source": "test:?size=160x120&fps=20", "chain": ["gray"]}
    with running(tmp_path, {"door": good}) as camring:
        camring.wait_state("door", "live")
        camring.write_config({"door": good, "heavy": HEAVY})
        first = camring.popen("reload")
        trial = find_trial(camring.supervisor.pid)
        camring.write_config({"door": good, "more": good})
        second = camring.popen("reload")
        assert json.loads(camring.cli("status", "--json").stdout)["cameras"][0]["id"] == "door"
        assert first.poll() is None and second.poll() is None
        os.kill(trial.pid, signal.SIGABRT)
        said = first.communicate(timeout=120)
        assert first.returncode == 4 and "cameras.heavy.chain: step 1 (filter): crashes" in said[1]
        second.communicate(timeout=120)
        assert second.returncode == 0
        camring.wait_state("more", "live")

        camring.write_config({"door": good, "heavy": HEAVY})
        third = camring.popen("reload")
        trial = find_trial(camring.supervisor.pid)
        camring.stop()
        assert third.wait(60) != 0
        assert not trial.alive()


def picture(camring, name="door"):
    status, headers, body = camring.get(f"/cameras/{name}/snapshot.jpg?max_age=10s")
    assert status == 200, body
    return Image.open(io.BytesIO(body)).convert("YCbCr")


def loads_libavfilter(camring):
    maps = [pathlib.Path(f"/proc/{p.pid}/maps").read_text() for p in camring.children("encoder")]
    return any("libavfilter" in text for text in maps)


def test_pictures_go_through_the_chain(tmp_path):
    source = "test:?size=640x360&fps=20"
    mask = {"mask": [[0, 0, 80, 0, 80, 40, 0, 40]]}
    text = {"text": {"text": "%{camera} 한글", "position": "bottom-right", "size": 20}}
    chained = {"source": source, "chain": [{"scale": {"width": 320}}, "gray", mask, text]}
    with running(tmp_path, {"door": source}) as camring:
        camring.wait_state("door", "live")
        assert picture(camring).size == (640, 360)
        assert not loads_libavfilter(camring)

        camring.write_config({"door": {**chained, "chain": [{"filter": "eq=contrast=x"}]}})
        done = camring.cli("reload", limit=120)
        assert done.returncode == 4 and ": cameras.door.chain: step 1 (filter): eq: " in done.stderr
        assert picture(camring).size == (640, 360)

        camring.write_config({"door": chained})
        assert camring.cli("reload", limit=120).returncode == 0
        wait_for(lambda: picture(camring).size == (320, 180), 30, "a picture of the chain's")
        planes = numpy.asarray(picture(camring)).astype(int)
        assert abs(planes[:, :, 1:] - 128).max() <= 2
        assert planes[4:36, 4:76, 0].max() <= 8  # the mask
        corner = planes[150:178, 200:318, 0]
        assert corner.max() > 200 and corner.min() < 60  # the text
        assert loads_libavfilter(camring)
        rings = json.loads(camring.cli("shm", "list", "--json").stdout)["rings"]
        assert {"door.raw", "door.out"} <= {ring["name"] for ring in rings}

        camring.write_config({"door": {"source": source, "chain": []}})
        assert camring.cli("reload", limit=120).returncode == 0
        wait_for(lambda: picture(camring).size == (640, 360), 30, "the picture as it came")
