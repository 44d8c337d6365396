"""camring-shm clean: what a living process holds stays, everything else goes; nothing that starts
meanwhile comes to harm."""
import contextlib
import os
import pathlib
import signal
import struct
import subprocess
import tempfile

import pytest

from product import BIN, Process, wait_for
from shmtool import (
    ENCODER_CHILDREN,
    HOLD,
    PRODUCE,
    READ,
    needs_library,
    objects,
    program,
    rings,
    shm,
    shm_json,
)

CAMERAS = {"door": "test:?size=320x240&fps=25", "nothing": "file:/nowhere.mp4"}
VARIANTS = 8  # rings a camera has for them, unused here


def kill_all(camring):
    """Supervisor and children at once, so that none has time to notice."""
    doomed = [camring.supervisor, *camring.children()]
    for process in doomed:
        process.kill(signal.SIGSTOP)
    for process in doomed:
        process.kill()
    camring.wait_exit()
    wait_for(lambda: not any(p.alive() for p in doomed), 10, "their end")


def clean(camring, *options):
    """What went (names) and what stayed (ring: why)."""
    said = shm_json(camring if isinstance(camring, str) else camring.instance, "clean", *options)
    assert said["dry_run"] == ("--dry-run" in options)
    assert said["bytes"] == sum(entry["bytes"] for entry in said["removed"])
    for entry in said["removed"]:
        if entry["object"].startswith("/"):
            assert entry["object"].endswith(f"/{entry['instance']}.sock") and os.path.exists(
                entry["object"]
            ) == ("--dry-run" in options)
    removed = {
        entry["object"]: entry["bytes"]
        for entry in said["removed"]
        if not entry["object"].startswith("/")
    }
    return removed, {entry["ring"]: entry["why"] for entry in said["kept"]}


@pytest.fixture
def name():
    """An instance without a supervisor, of this test's own, and nothing left of it."""
    name = f"c{os.getpid()}"
    yield name
    left = objects(name)
    for file in left:
        os.unlink(f"/dev/shm/{file}")
    assert not left


def test_what_runs_stays(instance):
    camring = instance(CAMERAS).run().wait_live("door")
    before = objects(camring.instance)
    for options in (
        [],
        ["--dry-run"],
        ["--all", "--dry-run"],
    ):  # never all for good: others have instances, too
        removed, kept = clean(camring, *options)
        assert not [name for name in removed if name.startswith(f"camring.{camring.instance}")]
        assert (
            kept[None] == f"its supervisor runs (process {camring.supervisor.pid})"
            or "--all" in options
        )
    done = shm(camring.instance, "clean")
    assert (
        done.stdout
        == f"kept     {camring.instance}: its supervisor runs (process {camring.supervisor.pid})\n"
        "nothing to clean\n"
        and done.returncode == 0
    )
    assert objects(camring.instance) == before
    frame = rings(camring.instance)["door.raw"]["frame"]
    wait_for(
        lambda: rings(camring.instance)["door.raw"]["frame"] > frame + 10, 10, "further frames"
    )
    assert shm(camring.instance, "verify").returncode == 0
    assert camring.cli("status").returncode in (0, 5)


def test_what_runs_elsewhere_stays(instance, tmp_path):
    """A supervisor with another runtime directory has no lock file here, but its board is
    locked."""
    camring = instance(CAMERAS).run().wait_live("door")
    lock = [path for path in camring.runtime_files() if path.endswith(".lock")]
    assert len(lock) == 1
    os.rename(lock[0], tmp_path / "lock")
    try:
        before = objects(camring.instance)
        removed, kept = clean(camring)
        assert (
            not removed
            and kept == {None: "its supervisor runs"}
            and objects(camring.instance) == before
        )
        removed, kept = clean(camring, "--dry-run")
        assert not removed and kept == {None: "its supervisor runs"}
        assert not pathlib.Path(lock[0]).exists()
    finally:
        os.rename(tmp_path / "lock", lock[0])


def test_what_is_dead_goes(instance):
    camring = instance(CAMERAS).run().wait_live("door")
    wait_for(lambda: rings(camring.instance)["door.jpeg"]["frame"] > 0, 10, "pictures")
    kill_all(camring)
    before = objects(camring.instance)
    assert len(before) == 7 + len(CAMERAS) * VARIANTS
    removed, kept = clean(camring, "--dry-run")
    assert removed == before and not kept and objects(camring.instance) == before
    text = shm(camring.instance, "clean", "--dry-run").stdout
    assert (
        all(f"would go  {name}  " in text for name in before)
        and f"\n{len(before) + 1} objects, " in text
    )  # and a socket
    assert objects(camring.instance) == before
    removed, kept = clean(camring)
    assert removed == before and not kept
    assert not objects(camring.instance) and not camring.runtime_files()
    assert shm(camring.instance, "clean").stdout == "nothing to clean\n"
    assert clean(camring) == ({}, {})
    camring.run().wait_live("door")


def test_for_people(instance):
    camring = instance(CAMERAS).run().wait_live("door")
    kill_all(camring)
    before = objects(camring.instance)
    done = camring.cli("shm", "clean")
    assert done.returncode == 0 and not done.stderr
    lines = done.stdout.splitlines()
    assert all(line.startswith("removed  ") for line in lines[:-1])
    assert sorted(
        name for line in lines[:-1] if not (name := line.split()[1]).endswith(".sock")
    ) == sorted(before)
    assert lines[-1].startswith(f"{len(before) + 1} objects, ")


def test_children_that_outlive_the_supervisor_keep_it_all(instance):
    """The kernel kills them with their parent; it may take its time. Here another process stands
    for one, by what the board says."""
    camring = instance(CAMERAS).run().wait_live("door")
    kill_all(camring)
    before = objects(camring.instance)
    survivor = subprocess.Popen(["sleep", "1000"])
    try:
        with open(f"/dev/shm/camring.{camring.instance}", "r+b") as board:
            board.seek(ENCODER_CHILDREN)
            board.write(struct.pack("<iiQ", survivor.pid, 0, int(Process(survivor.pid).start)))
        for options in ([], ["--dry-run"]):
            removed, kept = clean(camring, *options)
            assert (
                not removed
                and kept[None]
                == f"its supervisor is dead, but process {survivor.pid} of it still runs"
            )
        assert objects(camring.instance) == before
    finally:
        survivor.kill()
        survivor.wait()
    removed, kept = clean(camring)
    assert removed == before and not kept


def test_strays_and_garbage_go_with_the_dead_only(instance):
    camring = instance(CAMERAS).run().wait_live("door")
    names = [
        f"camring.{camring.instance}.{rest}"
        for rest in ("bad.raw", "bad.jpeg.7", "door.raw.99", "what", "a.b.c.d")
    ]

    def litter():
        for file in names:
            pathlib.Path(f"/dev/shm/{file}").write_bytes(b"x" * 5000)

    litter()
    removed, _ = clean(camring)
    assert not removed
    kill_all(camring)
    removed, kept = clean(camring)
    assert set(names) <= set(removed) and not kept and not objects(camring.instance)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give things away")
def test_others_things_stay(name):
    path = pathlib.Path(f"/dev/shm/camring.{name}.cam.raw")
    path.write_bytes(b"x")
    os.chown(path, 12345, -1)
    removed, kept = clean(name)
    assert not removed and kept == {"cam.raw": "belongs to user 12345"} and path.exists()
    os.chown(path, 0, -1)
    assert list(clean(name)[0]) == [path.name]


# ---- programs without a supervisor


@needs_library
def test_a_ring_stays_while_a_program_reads_it(instance):
    """The reader of a dead instance keeps its ring; the rest goes."""
    camring = instance(CAMERAS).run().wait_live("door")
    with program(camring.instance, HOLD.format(ring="door")) as holder:
        kill_all(camring)
        removed, kept = clean(camring)
        assert kept == {"door.raw": f"reader python3 lives (process {holder.pid})"}
        assert sorted(objects(camring.instance)) == [
            f"camring.{camring.instance}{end}" for end in ("", ".door.raw", ".door.raw.1")
        ]
        assert len(removed) == 4 + len(CAMERAS) * VARIANTS
    removed, kept = clean(camring)
    assert len(removed) == 3 and not kept and not objects(camring.instance)


OBSERVE = """
reader = camring.Ring({ring!r}, instance=instance, observe=True)
frame = next(iter(reader))
print("ready", flush=True)
time.sleep(1000)
"""


@needs_library
def test_an_observer_holds_no_lock_and_counts(name):
    """Only /proc knows of it."""
    with program(name, PRODUCE.format(ring="mine.jpeg")) as producer:
        with program(name, OBSERVE.format(ring="mine.jpeg")) as observer:
            producer.kill()
            for options in ([], ["--dry-run"]):
                removed, kept = clean(name, *options)
                assert not removed and kept == {
                    "mine.jpeg": f"python3 (process {observer.pid}) has it open"
                }
        removed, kept = clean(name)
        assert len(removed) == 2 and not kept


@needs_library
def test_a_producers_ring(name):
    with program(name, PRODUCE.format(ring="mine.jpeg")) as producer:
        for options in ([], ["--dry-run"]):
            removed, kept = clean(name, *options)
            assert not removed and kept == {
                "mine.jpeg": f"its writer lives (process {producer.pid})"
            }
        producer.stop()
        assert clean(name) == ({}, {"mine.jpeg": f"its writer lives (process {producer.pid})"})
        with program(name, READ.format(ring="mine.jpeg")) as reader:
            producer.kill()
            assert clean(name) == (
                {},
                {"mine.jpeg": f"reader python3 lives (process {reader.pid})"},
            )
        before = objects(name)
        assert clean(name, "--dry-run") == (before, {}) and objects(name) == before
        assert clean(name) == (before, {}) and not objects(name)


@needs_library
def test_a_producers_ring_in_a_running_instance(instance):
    camring = instance(CAMERAS).run().wait_live("door")
    wait_for(lambda: rings(camring.instance)["door.jpeg"]["frame"] > 0, 10, "pictures")
    before = objects(camring.instance)
    with program(camring.instance, PRODUCE.format(ring="mine.jpeg")) as producer:
        assert set(clean(camring)[1]) == {None, "mine.jpeg"}
        producer.kill()
        removed, kept = clean(camring)
        assert set(removed) == {
            f"camring.{camring.instance}.mine.jpeg{end}" for end in ("", ".1")
        } and set(kept) == {None}
        assert objects(camring.instance) == before
    assert shm(camring.instance, "verify").returncode == 0


# ---- at the same time


@contextlib.contextmanager
def cleaning(name):
    """`clean`, again and again."""
    command = (
        f'while :; do "{BIN}/camring-shm" clean --json --instance {name} || echo failed >&2; done'
    )
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            ["sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        out.seek(0)
        err.seek(0)
        said = err.read()
        assert not said, said
        assert out.read().count(b'"dry_run"') > 3


@pytest.mark.limit(180)
def test_an_instance_that_starts_meanwhile(instance):
    camring = instance(CAMERAS)
    with cleaning(camring.instance):
        for _ in range(6):
            camring.run().wait_live("door")
            assert shm_json(camring.instance, "verify")["checked"] == 4
            frame = rings(camring.instance)["door.raw"]["frame"]
            wait_for(
                lambda: rings(camring.instance)["door.raw"]["frame"] > frame + 5,
                10,
                "further frames",
            )
            kill_all(camring)
            wait_for(lambda: not objects(camring.instance), 10, "nothing left")
        camring.run().wait_live("door")
        camring.stop()


# Makes the ring, publishes, and looks whether it is still the one that everybody gets; then dies
# and leaves it, or closes it properly.
COME_AND_GO = """
import os
for i in range(1000):
    producer = camring.Producer("mine.jpeg", instance=instance, jpeg=True, keep=i % 2 == 0)
    number = producer.publish_jpeg(bytes([i % 256] * 500), 64, 48)
    reader = camring.Ring("mine.jpeg", instance=instance, observe=i % 3 == 0)
    frame = reader.next(10)
    found = (frame.number, bytes(frame.array)[:1])
    assert found == (number, bytes([i % 256])), (i, frame.number, number)
    reader.close()
    producer.close()
print("ready", flush=True)
"""


@needs_library
@pytest.mark.limit(180)
def test_a_producer_that_comes_and_goes_meanwhile(name):
    with cleaning(name):
        with program(name, COME_AND_GO):
            pass
        wait_for(lambda: not objects(name), 10, "nothing left")


def test_wrong_usage(name):
    for words in (["door"], ["--count", "3"], ["-o", "x"]):
        done = shm(name, "clean", *words)
        assert done.returncode == 2 and done.stderr and not done.stdout
