"""camring-shm in detail: what it says of rings that live, are dead, empty or garbage, and that
every kind of dump is the same picture."""
import io
import json
import os
import pathlib
import signal
import subprocess

import numpy
import pytest
from PIL import Image

from clips import jpeg_fault, number_in
from product import BIN, running, wait_for

RING_KEYS = {
    "name",
    "camera",
    "variant",
    "kind",
    "generation",
    "state",
    "writer",
    "frame",
    "age_ns",
    "fps",
    "bytes",
    "readers",
}
READER_KEYS = {"row", "pid", "alive", "name", "pin", "lag", "taken", "missed"}
FRAME_KEYS = {
    "frame",
    "source",
    "age_ns",
    "bytes",
    "width",
    "height",
    "format",
    "range",
    "matrix",
    "committed_ns",
}
WIDTH, HEIGHT, FPS = 640, 360, 25
CAMERAS = {"door": f"test:?size={WIDTH}x{HEIGHT}&fps={FPS}", "nothing": "file:/nowhere.mp4"}


def shm(instance, *words, text=True):
    command = [BIN / "camring-shm", *map(str, words), "--instance", instance]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=text, timeout=30
    )


def rings(instance, *words):
    done = shm(instance, *(words or ["list"]), "--json")
    assert done.returncode == 0 and not done.stderr, done
    return {ring["name"]: ring for ring in json.loads(done.stdout)["rings"]}


def filled(camring):
    """True once both rings of the door hold some pictures; a viewer has to look, for the day when
    nobody is encoded for."""
    camring.get("/cameras/door/snapshot.jpg")
    found = rings(camring.instance)
    return all(found[name]["frame"] > 5 for name in ("door.raw", "door.jpeg"))


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with running(tmp_path_factory.mktemp("shm"), CAMERAS) as camring:
        camring.wait_live("door")
        wait_for(lambda: filled(camring), 20, "pictures in both rings")
        yield camring


@pytest.fixture(scope="module")
def dead(tmp_path_factory):
    """What is left of an instance that was killed with all its children: rings that nobody
    writes."""
    with running(tmp_path_factory.mktemp("dead"), CAMERAS) as camring:
        camring.wait_live("door")
        wait_for(lambda: filled(camring), 20, "pictures in both rings")
        for process in [camring.supervisor, *camring.children()]:
            process.kill(signal.SIGSTOP)
        for process in [*camring.children(), camring.supervisor]:
            process.kill()
        camring.wait_exit()
        wait_for(
            lambda: not any(p.alive() for p in camring.seen.values()), 10, "the end of all children"
        )
        yield camring
        camring.run()  # which clears up


# ---- list and show


def test_list_says_what_lives(live):
    found = rings(live.instance)
    assert set(found) == {"door.raw", "door.jpeg", "nothing.raw", "nothing.jpeg"}
    for ring in found.values():
        assert RING_KEYS <= set(ring)
        assert ring["name"] == f"{ring['camera']}.{ring['variant']}"
        assert ring["kind"] == ring["variant"]
        assert all(READER_KEYS <= set(reader) for reader in ring["readers"])
    for name in ("door.raw", "door.jpeg"):
        ring = found[name]
        assert ring["state"] == "live" and ring["writer"]["alive"]
        assert (ring["width"], ring["height"]) == (WIDTH, HEIGHT)
        assert 0 <= ring["age_ns"] < 5e9
    assert found["door.raw"]["fps"] == pytest.approx(FPS, rel=0.2)
    assert found["door.raw"]["writer"]["pid"] in [p.pid for p in live.children("capture")]
    for name in ("nothing.raw", "nothing.jpeg"):
        ring = found[name]
        assert (ring["state"], ring["generation"], ring["frame"], ring["age_ns"]) == (
            "empty",
            0,
            0,
            None,
        )


def test_list_for_people(live):
    lines = shm(live.instance, "list").stdout.splitlines()
    assert lines[0].split()[0] == "RING" and len(lines) == 5
    assert [line.split()[0] for line in lines[1:]] == [
        "door.jpeg",
        "door.raw",
        "nothing.jpeg",
        "nothing.raw",
    ]
    assert f"I420 {WIDTH}x{HEIGHT}" in lines[2] and " live " in lines[2] and " empty " in lines[4]


def test_list_all_instances(live):
    done = subprocess.run(
        [BIN / "camring-shm", "list", "--all", "--json"], capture_output=True, text=True, timeout=30
    )
    assert {
        r["name"] for r in json.loads(done.stdout)["rings"] if r["instance"] == live.instance
    } == set(rings(live.instance))


def test_no_rings():
    assert shm("nobody-here", "list").stdout == "no rings\n"
    assert json.loads(shm("nobody-here", "list", "--json").stdout) == {"rings": []}
    assert shm("nobody-here", "list").returncode == 0
    done = shm("nobody-here", "show", "door")
    assert done.returncode == 1 and "no rings" in done.stderr


def test_show_every_slot_and_reader(live):
    found = rings(live.instance, "show", "door")
    assert list(found) == ["door.jpeg", "door.raw"]
    for ring in found.values():
        assert len(ring["slots"]) == ring["slot_count"] > 1
        full = [slot for slot in ring["slots"] if slot["state"] in ("frame", "newest")]
        assert [slot["frame"] for slot in full if slot["state"] == "newest"] == [ring["frame"]]
        for slot in full:
            assert FRAME_KEYS <= set(slot)
            assert slot["sequence"] == 2 * slot["frame"] and slot["bytes"] <= ring["slot_bytes"]
            assert (slot["width"], slot["height"]) == (WIDTH, HEIGHT)
        assert len({slot["frame"] for slot in full}) == len(full)
    servers = [p.pid for p in live.children("server")]
    assert {reader["pid"] for reader in found["door.jpeg"]["readers"]} & set(servers)

    page = shm(live.instance, "show", "door.raw").stdout
    assert page.startswith("door.raw\n") and "generation  1" in page and "newest" in page
    assert (
        len([line for line in page.splitlines() if "frame " in line or " empty " in line])
        >= found["door.raw"]["slot_count"] - 3
    )


def test_the_dead_can_be_looked_at(dead):
    wait_for(
        lambda: rings(dead.instance)["door.jpeg"]["state"] == "dead",
        5,
        "a dead writer that is known to be dead",
    )
    found = rings(dead.instance)
    assert set(found) == {"door.raw", "door.jpeg", "nothing.raw", "nothing.jpeg"}
    for name in ("door.raw", "door.jpeg"):
        assert (
            found[name]["state"] == "dead"
            and not found[name]["writer"]["alive"]
            and found[name]["frame"] > 0
        )
    for ring in rings(dead.instance, "show", "door").values():
        assert not any(reader["alive"] for reader in ring["readers"] if reader["row"] > 0)
    assert "dead" in shm(dead.instance, "show", "door").stdout


def test_garbage_is_named_and_harms_no_other(live):
    whole = rings(live.instance)
    path = pathlib.Path(f"/dev/shm/camring.{live.instance}.bad.raw")
    for content in (b"", b"x" * 100, os.urandom(4096), bytes(100000)):
        path.write_bytes(content)
        try:
            done = shm(live.instance, "list", "--json")
            assert done.returncode == 1 and "bad.raw" in done.stderr
            found = {ring["name"]: ring for ring in json.loads(done.stdout)["rings"]}
            assert set(found) == {*whole, "bad.raw"}
            assert (
                RING_KEYS <= set(found["bad.raw"])
                and found["bad.raw"]["state"] == "unreadable"
                and found["bad.raw"]["error"]
            )
            for words in (["show", "bad"], ["dump", "bad", "-o", "/dev/null", "--format", "png"]):
                done = shm(live.instance, *words)
                assert done.returncode == 1 and "bad.raw" in done.stderr
        finally:
            path.unlink()


# ---- dump


def psnr(a, b):
    """Of two arrays of bytes; 99 where they are the same."""
    error = numpy.mean((a.astype(float) - b.astype(float)) ** 2)
    return 99.0 if error == 0 else 10 * numpy.log10(255 * 255 / error)


def pixels(path):
    with Image.open(path) as image:
        return numpy.asarray(image.convert("RGB"))


def dumped(camring, ring, path):
    done = shm(camring.instance, "dump", ring, "-o", path)
    assert done.returncode == 0 and not done.stdout, done
    return done.stderr


def test_every_type_is_the_same_picture(dead, tmp_path):
    said = dumped(dead, "door.raw", tmp_path / "a.raw")
    frame = rings(dead.instance)["door.raw"]["frame"]
    assert said.split() == [
        "I420",
        f"{WIDTH}x{HEIGHT}",
        said.split()[2],
        said.split()[3],
        "frame",
        str(frame),
    ]
    in_range, matrix = said.split()[2:4]
    assert in_range in ("limited", "full") and matrix in ("bt601", "bt709")
    for kind in ("ppm", "png", "jpg"):
        assert dumped(dead, "door.raw", tmp_path / f"a.{kind}") == ""

    by_ffmpeg = subprocess.run(
        [
            "ffmpeg",
            "-nostdin",
            "-loglevel",
            "error",
            "-f",
            "rawvideo",
            "-pix_fmt",
            "yuv420p",
            "-s",
            f"{WIDTH}x{HEIGHT}",
            "-i",
            tmp_path / "a.raw",
            "-vf",
            f"scale=in_range={in_range}:in_color_matrix={matrix}:"
            "flags=bicubic+full_chroma_int+accurate_rnd,format=rgb24",
            "-f",
            "rawvideo",
            "-",
        ],
        capture_output=True,
        check=True,
    ).stdout
    wanted = numpy.frombuffer(by_ffmpeg, numpy.uint8).reshape(HEIGHT, WIDTH, 3)
    ppm, png, jpg = (pixels(tmp_path / f"a.{kind}") for kind in ("ppm", "png", "jpg"))
    assert psnr(ppm, wanted) >= 50
    assert numpy.array_equal(ppm, png)
    assert abs(ppm.mean() - wanted.mean()) < 0.5 and abs(jpg.mean() - wanted.mean()) < 1

    def luma(rgb):
        return rgb @ numpy.array([0.299, 0.587, 0.114])

    assert psnr(luma(jpg), luma(wanted)) >= 38
    assert not jpeg_fault((tmp_path / "a.jpg").read_bytes())
    numbers = {number_in(Image.fromarray(picture)) for picture in (wanted, ppm, png, jpg)}
    assert len(numbers) == 1 and None not in numbers


def test_a_jpeg_goes_out_as_it_is(dead, tmp_path):
    dumped(dead, "door.jpeg", tmp_path / "a.jpg")
    jpeg = (tmp_path / "a.jpg").read_bytes()
    assert not jpeg_fault(jpeg)
    dumped(dead, "door", tmp_path / "b.jpeg")
    assert (tmp_path / "b.jpeg").read_bytes() == jpeg
    said = dumped(dead, "door.jpeg", tmp_path / "a.raw")
    assert said.startswith(f"I420 {WIDTH}x{HEIGHT} full bt601 frame ")
    assert (tmp_path / "a.raw").stat().st_size == WIDTH * HEIGHT * 3 // 2
    with Image.open(io.BytesIO(jpeg)) as image:
        image.draft("YCbCr", None)
        luma = numpy.asarray(image)[:, :, 0]
    raw = numpy.frombuffer((tmp_path / "a.raw").read_bytes(), numpy.uint8)[
        : WIDTH * HEIGHT
    ].reshape(HEIGHT, WIDTH)
    assert psnr(raw, luma) >= 50
    for kind in ("png", "ppm"):
        dumped(dead, "door.jpeg", tmp_path / f"a.{kind}")
        assert psnr(pixels(tmp_path / f"a.{kind}"), pixels(tmp_path / "a.jpg")) >= 50


def test_a_camera_means_the_ring_that_suits(dead, tmp_path):
    for kind in ("png", "ppm", "raw"):
        dumped(dead, "door.raw", tmp_path / f"ring.{kind}")
        dumped(dead, "door", tmp_path / f"camera.{kind}")
        assert (tmp_path / f"ring.{kind}").read_bytes() == (
            tmp_path / f"camera.{kind}"
        ).read_bytes()


def test_dump_to_standard_output(dead):
    for kind, begin in (
        ("jpg", b"\xff\xd8\xff"),
        ("png", b"\x89PNG\r\n"),
        ("ppm", f"P6\n{WIDTH} {HEIGHT}\n255\n".encode()),
        ("raw", b""),
    ):
        done = shm(dead.instance, "dump", "door", "-o", "-", "--format", kind, text=False)
        assert done.returncode == 0 and done.stdout.startswith(begin) and len(done.stdout) > 1000


def test_dump_tells_programs(dead, tmp_path):
    done = shm(dead.instance, "dump", "door.raw", "-o", tmp_path / "a.png", "--json")
    said = json.loads(done.stdout)
    assert (said["ring"], said["type"], said["width"], said["height"]) == (
        "door.raw",
        "png",
        WIDTH,
        HEIGHT,
    )
    assert said["frame"] == rings(dead.instance)["door.raw"]["frame"]


@pytest.mark.limit(180)
def test_moving_pictures_are_whole(live, tmp_path):
    for i in range(20):
        for ring in ("door.raw", "door.jpeg"):
            dumped(live, ring, tmp_path / "a.png")
            with Image.open(tmp_path / "a.png") as image:
                assert number_in(image) is not None, (i, ring)


def test_a_failed_dump_leaves_the_file(live, tmp_path):
    path = tmp_path / "a.png"
    path.write_text("precious")
    for ring in ("nothing", "nothing.jpeg", "nobody"):
        assert shm(live.instance, "dump", ring, "-o", path).returncode == 1
    assert path.read_text() == "precious"
    dumped(live, "door", path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_full_disk_is_told(live):
    for ring in ("door.raw", "door.jpeg"):
        for kind in ("jpg", "png", "ppm", "raw"):
            done = shm(live.instance, "dump", ring, "-o", "/dev/full", "--format", kind)
            assert done.returncode == 1 and "/dev/full: No space left" in done.stderr, done


@pytest.mark.parametrize(
    "words, code, told",
    [
        (["dump", "nobody", "-o", "a.png"], 1, ["nobody", "door.raw", "door.jpeg"]),
        (["show", "nobody"], 1, ["nobody", "door.raw", "door.jpeg"]),
        (["dump", "nothing", "-o", "a.png"], 1, ["no picture yet", "nothing.raw"]),
        (["dump", "nothing.raw", "-o", "a.png"], 1, ["no picture yet", "nothing.raw"]),
        (["dump", "door", "-o", "/nowhere/a.png"], 1, ["/nowhere/a.png", "No such file"]),
        (["dump", "door", "-o", "a.gif"], 2, ["a.gif", "jpg", "png", "ppm", "raw"]),
        (["dump", "door", "-o", "a"], 2, ["jpg", "png", "ppm", "raw"]),
        (
            ["dump", "door", "-o", "a.png", "--format", "gif"],
            2,
            ["gif", "jpg", "png", "ppm", "raw"],
        ),
        (["dump", "door", "-o", "-"], 2, ["--format"]),
        (["dump", "door", "-o", "-", "--format", "png", "--json"], 2, ["--json"]),
        (["dump", "door"], 2, ["-o"]),
        (["dump"], 2, ["dump RING"]),
        (["show"], 2, ["show RING"]),
        (["list", "door"], 2, ["door"]),
        (["list", "-o", "a.png"], 2, ["-o"]),
        (["list", "--bogus"], 2, ["--bogus"]),
        (["fly"], 2, ["fly", "list", "show", "dump"]),
        ([], 2, ["list", "show", "dump"]),
    ],
)
def test_exit_codes_and_words(live, tmp_path, monkeypatch, words, code, told):
    monkeypatch.chdir(tmp_path)
    done = shm(live.instance, *words)
    assert done.returncode == code and not done.stdout, done
    assert all(word in done.stderr for word in told), done.stderr
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    "words, told",
    [
        (["show", "nobody"], "nobody"),
        (["watch", "nobody", "--count", "1"], "nobody"),
        (["verify", "nobody"], "nobody"),
        (["dump", "nobody", "-o", "a.png"], "nobody"),
        (["dump", "nothing", "-o", "a.png"], "no picture yet in nothing"),
        (["dump", "door", "-o", "/nowhere/\udcff.png"], "/nowhere/?.png"),
    ],
)
def test_programs_are_told_of_failures(live, words, told):
    done = subprocess.run(
        [BIN / "camring-shm", *words, "--instance", live.instance, "--json"],
        capture_output=True,
        timeout=30,
    )
    assert done.returncode == 1 and told in json.loads(done.stdout)["error"] and done.stderr, done


def test_a_files_name_need_not_be_text(dead, tmp_path):
    done = shm(dead.instance, "dump", "door", "-o", f"{tmp_path}/\udcff.png", "--json", text=False)
    assert done.returncode == 0 and json.loads(done.stdout)["file"] == f"{tmp_path}/?.png"


def test_an_instance_has_to_be_a_name():
    assert shm("../etc", "list").returncode == 2


def test_help():
    for words in (["--help"], ["help"], ["dump", "--help"], ["help", "dump"]):
        done = subprocess.run(
            [BIN / "camring-shm", *words], capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0 and "dump RING" in done.stdout and not done.stderr, done


def test_the_same_by_way_of_camring(live):
    done = live.cli("shm", "list", "--json")
    assert done.returncode == 0 and {
        ring["name"] for ring in json.loads(done.stdout)["rings"]
    } == set(rings(live.instance))
    assert live.cli("shm", "show", "nobody").returncode == 1
    assert live.cli("shm", "fly").returncode == 2


def test_a_variants_ring_shows_once_it_is_used(live):
    """Its name as any ring's; which size and quality it was made for is said of each picture, since
    a slot may have had others."""
    assert "door.v0" not in rings(live.instance)
    assert "no ring" in shm(live.instance, "show", "door.v0").stderr
    assert live.get("/cameras/door/snapshot.jpg?width=320&quality=60")[0] == 200
    ring = rings(live.instance)["door.v0"]
    assert (ring["camera"], ring["variant"], ring["kind"]) == ("door", "v0", "jpeg")
    assert (ring["width"], ring["height"], ring["format"]) == (320, 320 * HEIGHT // WIDTH, "JPEG")
    slots = [
        slot
        for slot in rings(live.instance, "show", "door.v0")["door.v0"]["slots"]
        if slot["state"] in ("frame", "newest")
    ]
    assert slots and all(slot["variant"] == "320w q60" for slot in slots)
    assert all(
        slot["variant"] is None
        for slot in rings(live.instance, "show", "door.jpeg")["door.jpeg"]["slots"]
        if "variant" in slot
    )
    lines = shm(live.instance, "show", "door.v0").stdout.splitlines()
    assert any("VARIANT" in line for line in lines) and any(" 320w q60 " in line for line in lines)
    assert "door.v1" not in rings(live.instance)
    assert shm(live.instance, "verify").returncode == 0
