"""Other people's programs that never give a frame back, are stopped, or are killed while they have
one: they harm nobody, and are seen."""
import contextlib
import os
import re
import signal
import time

import pytest

from clips import Order, read_number
from multipart import Stream
from product import running, wait_for
from shmtool import HOLD, READ, TAKE, needs_library, objects, program, rings, shm, shm_json

pytestmark = needs_library
FPS = 25
ROWS = 4


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with running(
        tmp_path_factory.mktemp("readers"),
        {"door": f"test:?size=320x240&fps={FPS}"},
        shm={"reader_rows": ROWS},
    ) as camring:
        yield camring.wait_live("door")


def readers_of(camring, pid):
    return [
        reader for reader in rings(camring.instance)["door.raw"]["readers"] if reader["pid"] == pid
    ]


def reader_of(camring, pid):
    found = readers_of(camring, pid)
    assert len(found) == 1
    return found[0]


def trouble_lines(camring):
    """What `list` says below its table."""
    done = shm(camring.instance, "list")
    assert done.returncode == 0
    return done.stdout.partition("\n\n")[2].splitlines()


def reaped(camring):
    found = re.search(
        r'^camring_ring_readers_reaped_total\{camera="door",ring="raw"\} (\d+)$',
        camring.get("/metrics")[2].decode(),
        re.M,
    )
    return int(found[1])


def wait_overtaken(camring, pid):
    wait_for(lambda: reader_of(camring, pid)["lag"] > 2 * FPS, 20, "a reader two seconds behind")


def assert_nobody_is_harmed(camring):
    """The ring goes on at its rate without losing a frame, another reader gets what it wants, and
    so does who watches."""
    before = rings(camring.instance)["door.raw"]
    with program(camring.instance, READ.format(ring="door")) as other, Stream(
        camring.port, "/cameras/door/stream.mjpeg"
    ) as stream:
        begin = time.monotonic()
        stream.wait_parts(3 * FPS)
        assert time.monotonic() - begin < 3 * 3
        numbers = [n for part in stream.parts if (n := read_number(part.body)) is not None]
        order = Order(numbers, 1 << 16)
        assert (order.duplicates, order.backward) == (0, 0), order
        wait_for(
            lambda: reader_of(camring, other.pid)["taken"] >= FPS, 20, "frames for another reader"
        )
    after = rings(camring.instance)["door.raw"]
    assert after["no_slot"] == before["no_slot"] and after["aborted"] == before["aborted"]
    assert after["frame"] >= before["frame"] + 3 * FPS
    assert after["fps"] == pytest.approx(FPS, rel=0.3)


def use_every_row(camring):
    """Dead readers' rows go to the next ones that come."""
    with contextlib.ExitStack() as stack:
        for _ in range(ROWS):
            stack.enter_context(program(camring.instance, READ.format(ring="door")))
    assert not trouble_lines(camring)


def test_one_that_never_releases(live):
    with program(live.instance, HOLD.format(ring="door")) as holder:
        assert not trouble_lines(live)
        wait_overtaken(live, holder.pid)
        reader = reader_of(live, holder.pid)
        assert reader["state"] == "alive" and reader["alive"] and reader["trouble"]
        assert reader["pin"] is not None and reader["held_ns"] > 1e9
        lines = trouble_lines(live)
        assert len(lines) == 1 and re.fullmatch(
            rf"door\.raw: reader \S+ \(process {holder.pid}\) does not release "
            rf"slot {reader['pin']} with frame \d+, "
            r"[\d.]+ s old; \d+ frames behind",
            lines[0],
        )
        assert re.search(
            rf" {holder.pid} .* alive +slot {reader['pin']} +[\d.]+ s ",
            shm(live.instance, "show", "door.raw").stdout,
        )
        assert_nobody_is_harmed(live)
        assert reader_of(live, holder.pid)["pin"] == reader["pin"]
        assert shm_json(live.instance, "verify") == {
            "ok": True,
            "checked": 2,
            "faults": [],
            "remains": [],
        }
    use_every_row(live)


def test_one_that_never_releases_several(live):
    """Whatever it holds, it is one reader."""
    with program(live.instance, TAKE.format(ring="door", count=3)) as holder:
        oldest = holder.line().split()[0]
        wait_overtaken(live, holder.pid)
        reader = reader_of(live, holder.pid)
        assert reader["held"] == 3 and reader["trouble"] and reader["taken"] in (2, 3)
        lines = trouble_lines(live)
        assert len(lines) == 1 and re.fullmatch(
            rf"door\.raw: reader \S+ \(process {holder.pid}\) does not release "
            rf"3 frames, the oldest frame {oldest}, [\d.]+ s old; \d+ frames behind",
            lines[0],
        )
        assert re.search(
            rf" {holder.pid} .* alive +3 frames +[\d.]+ s ",
            shm(live.instance, "show", "door.raw").stdout,
        )
        metrics = live.get("/metrics")[2].decode()
        for family in ("readers", "pinned_readers"):
            assert f'camring_ring_{family}{{camera="door",ring="raw",state="alive"}} 1\n' in metrics
        assert_nobody_is_harmed(live)
        assert shm_json(live.instance, "verify")["faults"] == []
        before = reaped(live)
        holder.kill()
        wait_for(lambda: not readers_of(live, holder.pid), 20, "its rows free again")
        wait_for(lambda: reaped(live) == before + 1, 20, "one reader more that died")
    use_every_row(live)


def test_one_that_is_stopped_while_it_has_a_frame(live):
    with program(live.instance, HOLD.format(ring="door")) as holder:
        holder.stop()
        reader = reader_of(live, holder.pid)
        assert reader["state"] == "stopped" and reader["trouble"] and reader["pin"] is not None
        lines = trouble_lines(live)
        assert (
            len(lines) == 1
            and f"(process {holder.pid}) is stopped and holds slot {reader['pin']} with frame"
            in lines[0]
        )
        assert re.search(
            rf" {holder.pid} .* stopped +slot ", shm(live.instance, "show", "door.raw").stdout
        )
        assert_nobody_is_harmed(live)
        assert shm_json(live.instance, "verify")["ok"]
    use_every_row(live)


def test_one_that_is_stopped_without_a_frame(live):
    with program(live.instance, READ.format(ring="door")) as waiting:
        wait_for(lambda: reader_of(live, waiting.pid)["taken"] > 0, 10, "a frame")
        waiting.stop()
        wait_overtaken(live, waiting.pid)
        assert reader_of(live, waiting.pid)["state"] == "stopped"
        assert f"(process {waiting.pid}) is stopped" in trouble_lines(live)[0]
    use_every_row(live)


@contextlib.contextmanager
def nobody_clears_up(camring):
    os.kill(camring.supervisor.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(camring.supervisor.pid, signal.SIGCONT)


def test_one_that_is_killed_while_it_has_a_frame(live):
    """Until the supervisor clears up, it is seen, and harms nobody."""
    with nobody_clears_up(live), program(live.instance, HOLD.format(ring="door")) as holder:
        pin = reader_of(live, holder.pid)["pin"]
        holder.kill()
        reader = reader_of(live, holder.pid)
        assert (reader["state"], reader["alive"], reader["pin"]) == ("dead", False, pin) and reader[
            "trouble"
        ]
        lines = trouble_lines(live)
        assert (
            len(lines) == 1
            and f"(process {holder.pid}) is dead and holds slot {pin} with frame" in lines[0]
        )
        said = shm_json(live.instance, "verify")
        assert said["ok"] and not said["faults"]
        assert [(r["ring"], r["fault"], r["where"]) for r in said["remains"]] == [
            ("door.raw", "dead-reader", f"row {reader['row']}")
        ]
        wait_overtaken(live, holder.pid)
        assert_nobody_is_harmed(live)  # whose other reader takes the row
    use_every_row(live)
    assert shm_json(live.instance, "verify")["remains"] == []


def test_one_that_is_killed_is_cleared_away(live):
    """Within a second or two, with the frame that it had, and while others stay."""
    with program(live.instance, HOLD.format(ring="door")) as stopped, program(
        live.instance, HOLD.format(ring="door")
    ) as holder:
        stopped.stop()
        holder.kill()
        wait_for(lambda: not readers_of(live, holder.pid), 20, "no trace of the dead reader")
        assert len(trouble_lines(live)) == 1 and "is stopped and holds" in trouble_lines(live)[0]
        assert shm_json(live.instance, "verify")["remains"] == []
        wait_overtaken(live, stopped.pid)  # never reaped, however long it is silent
        assert reader_of(live, stopped.pid)["pin"] is not None
    use_every_row(live)


def test_every_row_held(live):
    """As many as there are rows, in each bad way; who comes then is told, and pictures go on."""
    ways = [lambda p: p, lambda p: p.stop(), lambda p: p, lambda p: p.stop()]
    programs = []
    try:
        for way in ways[:ROWS]:
            programs.append(program(live.instance, HOLD.format(ring="door")))
            way(programs[-1].__enter__())
        before = rings(live.instance)["door.raw"]
        assert len([r for r in before["readers"] if r["row"] > 0]) == ROWS
        code = (
            'try:\n    camring.Ring("door", instance=instance)\n'
            'except camring.Error as error:\n    print(error.code, flush=True)'
        )
        with program(live.instance, code, ready=False) as late:
            assert late.line() == "ROWS"
        with Stream(live.port, "/cameras/door/stream.mjpeg") as stream:
            stream.wait_parts(3 * FPS)
        wait_for(lambda: len(trouble_lines(live)) == ROWS, 10, "all of them in trouble")
        after = rings(live.instance)["door.raw"]
        assert after["no_slot"] == before["no_slot"] and after["frame"] >= before["frame"] + 2 * FPS
        assert shm_json(live.instance, "verify")["ok"]
    finally:
        for it in programs:
            it.__exit__(None, None, None)
    use_every_row(live)


def test_memory_follows_the_readers(tmp_path):
    """A camera takes memory for what is in use; each reader brings a slot, which goes with it,
    however it ends."""
    with running(tmp_path, {"door": "test:?size=1920x1080&fps=10"}) as camring:
        camring.wait_live("door")
        wait_for(lambda: rings(camring.instance)["door.jpeg"]["frame"] > 3, 20, "pictures")
        alone = sum(objects(camring.instance).values())
        assert alone <= 34_000_000
        ring = rings(camring.instance)["door.raw"]
        assert ring["slots_possible"] >= ring["slot_count"] + 16
        with program(camring.instance, HOLD.format(ring="door")) as ends, program(
            camring.instance, HOLD.format(ring="door")
        ) as dies:
            found = rings(camring.instance)["door.raw"]
            assert found["slot_count"] == ring["slot_count"] + 2
            assert found["bytes"] == ring["bytes"] + 2 * ring["slot_bytes"]
            assert sum(objects(camring.instance).values()) == alone + 2 * ring["slot_bytes"]
            line = f"{found['slot_count']}/{found['slots_possible']}"
            assert line in shm(camring.instance, "list").stdout
            assert (
                f"{found['slots_possible']} possible"
                in shm(camring.instance, "show", "door.raw").stdout
            )
            ends.end()
            dies.kill()
            wait_for(
                lambda: sum(objects(camring.instance).values()) == alone, 20, "memory given back"
            )
        assert rings(camring.instance)["door.raw"]["no_slot"] == 0
        assert shm(camring.instance, "verify").returncode == 0
