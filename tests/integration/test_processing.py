"""A camera's chain at work: who shows its picture, when another chain takes effect, what becomes of
it when a worker dies or a filter fails. What each step does is tested elsewhere
(test_chain_steps.c)."""
import io
import json
import pathlib
import re
import signal
import struct

import pytest
from PIL import Image, ImageOps

from clips import jpeg_faults, number_in
from multipart import Stream
from product import running, wait_for
from shmtool import READ, needs_library, program, rings, shm

MIRROR = {"filter": "hflip"}
UPSIDE_DOWN = {"flip": "vertical"}
SOURCE = "test:?size=640x480&fps=20"
WIDE = {"burst": 10000, "window": "30s", "max": "60s"}  # restarts are never damped
VIEWS = {"plain": lambda image: image, "mirrored": ImageOps.mirror, "upside down": ImageOps.flip}


def looks_of(picture):
    """How the picture would have to be turned for its number to be read: {look: number}.  By chance
    a number may be read in a second way."""
    with Image.open(io.BytesIO(picture)) as image:
        image = image.convert("L").resize((640, 480))
        found = {look: number_in(turn(image)) for look, turn in VIEWS.items()}
    return {look: number for look, number in found.items() if number is not None}


def snapshot(camring, camera="door", query=""):
    status, _, body = camring.get(f"/cameras/{camera}/snapshot.jpg{query}")
    assert status == 200, body
    return body


def dump(camring, ring, tmp_path):
    path = tmp_path / f"{ring}.png"
    done = shm(camring.instance, "dump", ring, "-o", path)
    assert done.returncode == 0, done
    return path.read_bytes()


def wait_look(look, picture, what):
    """Pictures that can be read in two ways are rare, and the next one is another."""
    wait_for(lambda: set(looks_of(picture())) == {look}, 30, what)


def counters(camring, camera="door"):
    return camring.camera(camera)["counters"]


def status_of(camring, camera="door"):
    status = json.loads(camring.cli("status", "--json").stdout)
    return next(c for c in status["cameras"] if c["id"] == camera)


def reload(camring, cameras, **options):
    camring.write_config(cameras, **options)
    done = camring.cli("reload", "--json", limit=60)
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def verify(camring):
    done = camring.cli("shm", "verify", limit=60)
    assert done.returncode == 0, done


def door(chain=None, **more):
    return {"door": {"source": SOURCE, **({"chain": chain} if chain else {}), **more}}


def test_all_but_the_raw_ring_show_what_the_chain_makes(tmp_path):
    with running(tmp_path, door([MIRROR])) as camring:
        camring.wait_live("door")
        wait_look("mirrored", lambda: snapshot(camring), "the mirrored snapshot")
        with Stream(camring.port, "/cameras/door/stream.mjpeg?width=320") as small, Stream(
            camring.port, "/cameras/door/stream.mjpeg"
        ) as whole:
            for stream in small, whole:
                wait_look("mirrored", lambda: stream.wait_parts(1).parts[-1].body, "the stream")
        wait_look("mirrored", lambda: dump(camring, "door.out", tmp_path), "door.out")
        wait_look("plain", lambda: dump(camring, "door.raw", tmp_path), "door.raw")
        found = rings(camring.instance)
        assert found["door.out"]["kind"] == "raw" and found["door.out"]["frame"] > 0
        verify(camring)


def test_one_run_serves_all(tmp_path):
    """However many look, the chain runs once a frame."""
    with running(tmp_path, door([MIRROR])) as camring:
        camring.wait_live("door")
        paths = ["stream.mjpeg", "stream.mjpeg?width=320", "stream.mjpeg?quality=30"]
        streams = [Stream(camring.port, f"/cameras/door/{path}") for path in paths]
        for stream in streams:
            stream.wait_parts(10)
        found = counters(camring)
        assert found["processed"] <= found["captured"]
        assert 0 <= found["processed"] - found["encoded"] <= 1, found
        for stream in streams:
            stream.close()


@pytest.fixture
def film(instance, clips):
    """Plays a file, of which nothing is lost, through a chain, to its end; the instance."""

    def play(chain):
        camring = instance({"film": {"source": f"file:{clips.small_h264()}", "chain": chain}}).run()
        camring.wait_state("film", "ended", limit=60)
        return camring

    return play


def metric(camring, name):
    for line in camring.get("/metrics")[2].decode().splitlines():
        if line.startswith(f"camring_{name} "):
            return float(line.rpartition(" ")[2])
    raise AssertionError(f"no {name}")


def test_accounts_add_up(film, clips):
    """Every other picture is withheld."""
    camring = film([{"filter": "select=not(mod(n\\,2))"}, MIRROR])
    found = counters(camring, "film")
    assert found["captured"] == clips.PERIOD
    assert found["encoded"] == found["processed"] == found["chain_dropped"] == clips.PERIOD // 2
    others = ("late", "oversize", "aborted", "encode_failed", "chain_failed")
    assert not any(found[name] for name in others), found
    verify(camring)
    label = 'camera="film"'
    assert metric(camring, f'camera_frames_total{{{label},stage="processed"}}') == 150
    dropped = f'camera_dropped_frames_total{{{label},cause="chain_dropped"}}'
    assert metric(camring, dropped) == 150
    for stage in "queue", "process", "encode":
        assert metric(camring, f'stage_duration_seconds_count{{{label},stage="{stage}"}}') == 150
    status = status_of(camring, "film")
    assert status["processed"] == 150 and status["dropped"] == 150


def test_a_camera_of_jpegs_with_a_chain_is_decoded(tmp_path, http_camera):
    url = f"http://127.0.0.1:{http_camera.port}/video.mjpg"
    cameras = {"door": {"source": url, "chain": [MIRROR]}, "own": url}
    with running(tmp_path, cameras) as camring:
        camring.wait_live("door", "own")
        wait_look("mirrored", lambda: snapshot(camring), "the mirrored snapshot")
        wait_look("plain", lambda: snapshot(camring, "own"), "the camera's own snapshot")
        assert counters(camring)["processed"] > 0
        assert counters(camring, "own")["encoded"] == 0
        hardware = [
            json.loads(camring.get(f"/state?camera={name}")[2])["result"]["encoder"]["type"]
            for name in ("door",)
        ]
        assert hardware == ["CPU"]

        # it is passed through again once there is no chain, and the other one no more
        answer = reload(camring, {"door": url, "own": {"source": url, "chain": [MIRROR]}})
        assert sorted(answer["restarted"]) == ["door", "own"]
        camring.wait_live("door", "own")
        wait_look("plain", lambda: snapshot(camring), "the camera's own snapshot")
        wait_look("mirrored", lambda: snapshot(camring, "own"), "the mirrored snapshot")
        encoded = counters(camring)["encoded"]
        frame = camring.camera("door")["frame"]
        wait_for(lambda: camring.camera("door")["frame"] > frame + 20, 30, "its pictures")
        assert counters(camring)["encoded"] == encoded
        assert {"own.out", "door.raw"} < set(rings(camring.instance))
        assert "door.out" not in rings(camring.instance)
        verify(camring)


# ---- reload


@needs_library
def test_chains_come_change_and_go_between_two_frames(tmp_path):
    """In the stream of one who watches: no picture is torn, none comes twice or late, and each
    chain's follow those of the one before."""
    with running(tmp_path, door(), encoder={"workers": 3}) as camring:
        camring.wait_live("door")
        captures = [process.pid for process in camring.children("capture")]
        assert captures
        steps = [None, MIRROR, UPSIDE_DOWN, MIRROR, None]
        wanted = ["plain", "mirrored", "upside down", "mirrored", "plain"]
        with Stream(camring.port, "/cameras/door/stream.mjpeg?width=320") as small, Stream(
            camring.port, "/cameras/door/stream.mjpeg"
        ) as stream:
            small.wait_parts(3)
            stream.wait_parts(5)
            reader = None
            for step, look in list(zip(steps, wanted))[1:]:
                cameras = door([step] if step else None)
                answer = reload(camring, cameras, encoder={"workers": 3})
                assert (answer["changed"], answer["restarted"]) == (["door"], [])
                assert ("door.out" in rings(camring.instance)) == (step is not None)
                for one in stream, small:
                    one.wait_parts(len(one.parts) + 5)
                    wait_look(look, lambda: one.parts[-1].body, f"{look} pictures")
                if not reader:
                    reader = program(camring.instance, READ.format(ring="door.out"))
                    program_of = reader.__enter__()
                verify(camring)
            program_of.process.wait(20)  # its ring is gone
            reader.__exit__(None, None, None)
            assert not stream.ended and not small.ended
            check_order([part.body for part in stream.parts], wanted, 1)
            # The newest picture may come once more as it is without a chain.
            check_order([part.body for part in small.parts], wanted, 0)
        assert [process.pid for process in camring.children("capture")] == captures
        found = counters(camring)
        assert found["no_slot"] == found["aborted"] == found["chain_failed"] == 0, found


def check_order(pictures, wanted, least):
    """`least`: by how much numbers rise."""
    assert not jpeg_faults(pictures)
    at, last = 0, None
    for picture in pictures:
        looks = looks_of(picture)
        assert looks, "a picture that can't be read"
        if wanted[at] not in looks:
            at += 1
            assert at < len(wanted) and wanted[at] in looks, (at, looks)
        if len(looks) == 1:
            number = looks[wanted[at]]
            assert last is None or least <= (number - last) % 65536 < 1000, (last, number)
            last = number
    assert at == len(wanted) - 1


def test_a_chain_that_stays_keeps_its_state(tmp_path):
    """Another quality is no other chain: one that has given its one picture gives no second."""
    once = [{"filter": "select=eq(n\\,0)"}]
    with running(tmp_path, door(once)) as camring:
        camring.wait_live("door")
        wait_for(lambda: counters(camring)["processed"] == 1, 20, "its one picture")
        reload(camring, door(once, jpeg={"quality": 50}))
        dropped = counters(camring)["chain_dropped"]
        wait_for(lambda: counters(camring)["chain_dropped"] > dropped + 10, 20, "more pictures")
        assert counters(camring)["processed"] == 1
        reload(camring, door([{"filter": "select=eq(n\\,1)"}]))
        wait_for(lambda: counters(camring)["processed"] == 2, 20, "the other chain's picture")


# ---- what goes wrong


def test_a_filter_that_fails_is_told_and_hurts_no_other(tmp_path):
    """It fits pictures of usual sizes, but not this camera's."""
    bad = {
        "source": SOURCE,
        "chain": [MIRROR, {"crop": {"width": 800, "height": 500}}],
        "stall_timeout": "1s",
    }
    good = {"source": SOURCE, "chain": [MIRROR]}
    options = {"encoder": {"workers": 1}}
    with running(tmp_path, {"bad": bad, "good": good}, **options) as camring:
        camring.wait_state("bad", "away")
        camring.wait_live("good")
        why = camring.camera("bad")["why"]
        assert why.startswith("its chain: step 2 (crop): "), why
        status = status_of(camring, "bad")
        assert status["state"] == "away" and status["why"] == why
        assert camring.cli("status").returncode == 5
        ready = camring.get("/readyz")
        assert ready[0] == 503 and b"bad" in ready[2]
        with Stream(camring.port, "/cameras/bad/stream.mjpeg") as stream:
            stream.wait_parts(2)  # drawn, and drawn again
            assert not any(looks_of(part.body) for part in stream.parts)
            found = counters(camring, "good")
            wait_for(
                lambda: counters(camring, "good")["encoded"] > found["encoded"] + 30, 30, "the good"
            )
            log = camring.log()
            assert log.count("frame not encoded: its chain: step 2 (crop): ") == 1, log
            found = counters(camring, "bad")
            assert found["chain_failed"] > 20 and found["processed"] == found["encoded"] == 0
            verify(camring)

            # mended, it is live again, for those who stayed, too
            reload(camring, {"bad": good, "good": good}, **options)
            camring.wait_live("bad")
            assert camring.camera("bad")["why"] is None
            wait_look("mirrored", lambda: stream.parts[-1].body, "pictures again")
        verify(camring)


def test_a_chain_that_gives_nothing_is_told(tmp_path):
    cameras = door([{"filter": "select=lt(n\\,5)"}], stall_timeout="1s")
    with running(tmp_path, cameras) as camring:
        camring.wait_state("door", "away")
        assert camring.camera("door")["why"] == "its chain gives no pictures"
        reload(camring, door(stall_timeout="1s"))
        camring.wait_live("door")
        wait_look("plain", lambda: snapshot(camring), "pictures")


def test_a_filter_that_crashes_again_and_again_is_not_run_any_more(tmp_path):
    """One worker for both cameras, which the slow filter keeps busy nearly all the time."""
    bad = {"source": SOURCE, "chain": [{"filter": "nlmeans"}], "stall_timeout": "1s"}
    options = {"encoder": {"workers": 1}, "restart": WIDE}
    with running(tmp_path, {"bad": bad, "good": SOURCE}, **options) as camring:
        camring.wait_live("bad", "good")
        wait_for(lambda: counters(camring, "bad")["processed"] > 0, 60, "a picture")

        def crash():
            for process in camring.children("encoder"):
                process.kill(signal.SIGSEGV)
            return camring.camera("bad")["state"] == "away"

        wait_for(crash, 120, "a chain that is given up")
        assert re.fullmatch(
            "its chain has made 3 encoders crash or hang, and is not run until it is changed",
            camring.camera("bad")["why"],
        )
        assert camring.log().count("camera bad: its chain made an encoder crash or hang") == 3
        found = counters(camring, "good")
        wait_for(
            lambda: counters(camring, "good")["encoded"] > found["encoded"] + 30, 30, "the good"
        )
        processed = counters(camring, "bad")["processed"]
        reload(camring, {"bad": {**bad, "jpeg": {"quality": 70}}, "good": SOURCE}, **options)
        failed = counters(camring, "bad")["chain_failed"]
        wait_for(lambda: counters(camring, "bad")["chain_failed"] > failed + 5, 30, "its frames")
        assert counters(camring, "bad")["processed"] == processed
        reload(camring, {"bad": {**bad, "chain": [MIRROR]}, "good": SOURCE}, **options)
        camring.wait_live("bad")
        wait_look("mirrored", lambda: snapshot(camring, "bad"), "pictures of another chain")
        verify(camring)


# ---- workers


def test_a_chain_with_state_moves_when_its_worker_dies(tmp_path):
    """Whichever of the workers has it: each dies a few times."""
    chain = [{"filter": "tmix=frames=2"}]
    options = {"encoder": {"workers": 2}, "restart": WIDE}
    with running(tmp_path, door(chain), **options) as camring:
        camring.wait_live("door")
        with Stream(camring.port, "/cameras/door/stream.mjpeg?info=1") as stream:
            stream.wait_parts(3)
            for _ in range(3):
                wait_for(lambda: len(camring.children("encoder")) == 2, 20, "both workers")
                encoders = camring.children("encoder")
                for process in encoders:
                    process.kill()
                    count = counters(camring)["processed"]
                    wait_for(
                        lambda: counters(camring)["processed"] > count + 3, 20, "pictures go on"
                    )
            numbers = [int(p.headers["x-frame"]) for p in stream.parts if "x-frame" in p.headers]
            assert numbers == sorted(set(numbers))
            assert not stream.ended and not jpeg_faults([part.body for part in stream.parts])
        assert counters(camring)["aborted"] <= 6
        verify(camring)


def test_a_chain_with_state_moves_when_its_worker_is_sent_away(tmp_path):
    cameras = {f"cam{i}": {"source": SOURCE, "chain": [{"filter": "tmix=frames=2"}]} for i in "ab"}
    with running(tmp_path, cameras, encoder={"workers": 3}) as camring:
        camring.wait_live(*cameras)
        for workers in (1, 3, 2, 1):
            reload(camring, cameras, encoder={"workers": workers})
            before = {name: counters(camring, name)["processed"] for name in cameras}
            for name in cameras:
                wait_for(
                    lambda: counters(camring, name)["processed"] > before[name] + 5, 20, "pictures"
                )
        for name in cameras:
            assert counters(camring, name)["aborted"] == 0
        verify(camring)


# Where it lies in a camera's place on the board (common/board.h).
CHAIN_WORKER = 612


def chain_worker(camring, camera):
    """The number of the worker that has the state of its chain, -1: none."""
    board = pathlib.Path(f"/dev/shm/camring.{camring.instance}").read_bytes()
    at = board.index(camera.encode() + b"\0" * 8)
    return struct.unpack_from("<I", board, at + CHAIN_WORKER)[0] - 1


def test_chains_with_state_are_shared_out(tmp_path):
    """Also to a worker that has died and started again."""
    cameras = {
        f"camera{i}": {"source": "test:?size=160x120&fps=20", "chain": [{"filter": "hqdn3d"}]}
        for i in range(4)
    }
    options = {"encoder": {"workers": 2}, "restart": WIDE}

    def are_shared_out():
        return sorted(chain_worker(camring, name) for name in cameras) == [0, 0, 1, 1]

    with running(tmp_path, cameras, **options) as camring:
        camring.wait_live(*cameras)
        for _ in range(2):
            wait_for(are_shared_out, 40, "two for each worker")
            camring.children("encoder")[0].kill()
        wait_for(are_shared_out, 40, "two for each worker")
        reload(camring, cameras, **{**options, "encoder": {"workers": 4}})
        wait_for(
            lambda: sorted(chain_worker(camring, name) for name in cameras) == [0, 1, 2, 3],
            40,
            "one for each worker",
        )
        verify(camring)
