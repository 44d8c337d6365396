"""camring-shm watch: lines for people and programs, a page on a terminal that is left as it was,
and rings that come, go and change."""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import termios
import time

import pytest

from product import BIN, running, wait_for
from screen import ENTER, LEAVE, on_terminal
from shmtool import HOLD, PRODUCE, needs_library, program, rings, shm

CAMERAS = {"door": "test:?size=320x240&fps=25", "nothing": "file:/nowhere.mp4"}
NAMES = ["door.jpeg", "door.raw", "nothing.jpeg", "nothing.raw"]


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with running(tmp_path_factory.mktemp("watch"), CAMERAS) as camring:
        camring.wait_live("door")
        wait_for(lambda: rings(camring.instance)["door.jpeg"]["frame"] > 10, 20, "pictures")
        yield camring


@pytest.fixture
def name():
    name = f"w{os.getpid()}"
    yield name
    assert shm(name, "clean").returncode == 0


# ---- lines


def test_lines(live):
    begin = time.monotonic()
    done = shm(live.instance, "watch", "--interval", "200ms", "--count", "3")
    assert 0.4 <= time.monotonic() - begin < 5
    assert done.returncode == 0 and not done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[1] for line in lines] == NAMES * 3
    assert all(
        re.fullmatch(
            r"\d\d:\d\d:\d\d door\.raw live fps [\d.]+, age [\d.]+ m?s, frame \d+, "
            r"readers \d+, missed \d+",
            line,
        )
        for line in lines[1::4]
    )
    assert all(" empty fps 0.0, age -, frame 0, " in line for line in lines[3::4])


def test_one_of_them(live):
    assert [
        line.split()[1]
        for line in shm(live.instance, "watch", "door.raw", "--count", "1").stdout.splitlines()
    ] == ["door.raw"]
    assert [
        line.split()[1]
        for line in shm(live.instance, "watch", "door", "--count", "1").stdout.splitlines()
    ] == ["door.jpeg", "door.raw"]
    assert live.cli("shm", "watch", "door.raw", "--count", "1").stdout.split()[1] == "door.raw"


def test_all_instances(live):
    done = subprocess.run(
        [BIN / "camring-shm", "watch", "--all", "--count", "1"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert [
        line.split()[2] for line in done.stdout.splitlines() if line.split()[1] == live.instance
    ] == NAMES


def test_json_lines(live):
    begin = time.time()
    done = shm(live.instance, "watch", "--json", "--interval", "0.3", "--count", "4")
    assert done.returncode == 0 and not done.stderr
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    assert [entry["name"] for entry in entries] == NAMES * 4
    keys = {
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
        "missed",
        "time",
    }
    assert all(keys <= set(entry) for entry in entries)
    raw = [entry for entry in entries if entry["name"] == "door.raw"]
    assert [entry["frame"] for entry in raw] == sorted({entry["frame"] for entry in raw})
    assert all(begin <= entry["time"] < begin + 10 for entry in raw)
    gaps = [b["time"] - a["time"] for a, b in zip(raw, raw[1:])]
    assert sum(gaps) / 3 == pytest.approx(0.3, rel=0.2)
    assert sorted(entry["fps"] for entry in raw)[2] == pytest.approx(25, rel=0.2)


@pytest.mark.parametrize(
    "words, told",
    [
        (["--interval", "fast"], "fast"),
        (["--interval", "0"], "0"),
        (["--interval", "1h1"], "1h1"),
        (["--interval", "2h"], "2h"),
        (["--interval", "-1s"], "-1s"),
        (["--interval", "nan"], "nan"),
        (["--interval", "1e9"], "1e9"),
        (["--count", "0"], "0"),
        (["--count", "-1"], "-1"),
        (["--count", "3x"], "3x"),
        (["--count", "99999999999999999999"], "99999"),
        (["door", "gate"], "gate"),
        (["-o", "x"], "-o"),
        (["--dry-run"], "--dry-run"),
    ],
)
def test_wrong_usage(live, words, told):
    done = shm(live.instance, "watch", *words)
    assert done.returncode == 2 and told in done.stderr and not done.stdout, done


def test_a_name_that_is_none(live):
    done = shm(live.instance, "watch", "nobody")
    assert done.returncode == 1 and "nobody" in done.stderr and "door.raw" in done.stderr
    done = subprocess.run(
        [BIN / "camring-shm", "watch", "nobody-at-all", "--all"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1 and "nobody-at-all" in done.stderr


def test_a_full_disk_and_a_reader_that_leaves(live):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [BIN / "camring-shm", "watch", "--instance", live.instance],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
        )
    assert done.returncode == 1 and "No space left" in done.stderr
    with watching(live.instance, "--interval", "20ms") as watch:
        watch.lines(5)
        watch.process.stdout.close()
        assert watch.process.wait(10) == -signal.SIGPIPE


# ---- rings that come, go and change


class Watch:
    def __init__(self, instance, *words):
        command = [BIN / "camring-shm", "watch", "--instance", instance, *words]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.passed_over = []

    def lines(self, count):
        return [self.process.stdout.readline() for _ in range(count)]

    def wait(self, **wanted):
        """The next entry that has these values."""
        deadline = time.monotonic() + 30
        while line := self.process.stdout.readline():
            entry = json.loads(line)
            if all(entry[key] == value for key, value in wanted.items()):
                return entry
            self.passed_over.append(entry)
            assert time.monotonic() < deadline, wanted
        raise AssertionError(f"ended without {wanted}")


@contextlib.contextmanager
def watching(instance, *words):
    watch = Watch(instance, *words)
    try:
        yield watch
    finally:
        watch.process.kill()
        watch.process.wait()
        watch.process.stdout.close()
        watch.process.stderr.close()


def test_an_instance_that_starts_dies_and_starts_again(instance):
    camring = instance(CAMERAS)
    with watching(camring.instance, "--json", "--interval", "50ms") as watch:
        assert "no rings" in watch.process.stderr.readline()
        camring.run().wait_live("door")
        first = watch.wait(name="door.raw", state="live")
        for process in [camring.supervisor, *camring.children()]:
            process.kill(signal.SIGSTOP)
        for process in [camring.supervisor, *camring.children()]:
            process.kill()
        camring.wait_exit()
        assert watch.wait(name="door.raw", state="dead")["frame"] >= first["frame"]
        assert shm(camring.instance, "clean").returncode == 0
        gone = watch.wait(name="door.raw", state="gone")
        assert gone["frame"] is None and gone["readers"] == [] and gone["error"]
        assert "no rings" not in gone["error"]
        camring.run().wait_live("door")
        again = watch.wait(name="door.raw", state="live")
        assert again["writer"]["pid"] != first["writer"]["pid"]


@needs_library
def test_a_ring_that_changes_its_generation_and_goes(name):
    with watching(name, "--json", "--interval", "20ms") as watch, program(
        name, PRODUCE.format(ring="mine.jpeg")
    ) as producer:
        assert watch.wait(name="mine.jpeg", state="live")["generation"] == 1
        producer.tell(100000)
        entry = watch.wait(generation=2)
        assert entry["state"] == "live" and entry["slot_bytes"] >= 100000
        time.sleep(0.5)
        assert watch.wait(generation=2, frame=watch.wait(generation=2)["frame"] + 3)[
            "fps"
        ] == pytest.approx(20, rel=0.5)
        producer.kill()
        assert watch.wait(state="dead")["generation"] == 2
        assert shm(name, "clean").returncode == 0
        assert watch.wait(state="gone")["name"] == "mine.jpeg"
        watch.passed_over.clear()
        with program(name, PRODUCE.format(ring="other.jpeg")):
            assert watch.wait(state="live")["name"] == "other.jpeg"
        assert not [
            entry for entry in watch.passed_over if entry["state"] == "gone"
        ]  # which a ring says once


def test_a_ring_by_name_goes_and_comes(live):
    with watching(live.instance, "door.raw", "--json", "--interval", "20ms") as watch:
        watch.wait(state="live")
        path = pathlib.Path(f"/dev/shm/camring.{live.instance}.door.raw")
        away = path.with_name(path.name + "-away")
        path.rename(away)
        try:
            watch.wait(state="gone")
        finally:
            away.rename(path)
        assert watch.wait(state="live")["name"] == "door.raw"


def test_garbage_is_named(live):
    path = pathlib.Path(f"/dev/shm/camring.{live.instance}.bad.raw")
    path.write_bytes(b"x" * 1000)
    try:
        entry = json.loads(shm(live.instance, "watch", "bad", "--json", "--count", "1").stdout)
        assert entry["state"] == "unreadable" and entry["error"]
        assert " bad.raw unreadable: " in shm(live.instance, "watch", "--count", "1").stdout
    finally:
        path.unlink()


# ---- how it waits and ends


def switches(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", text))


def test_it_sleeps_between_looks(live):
    with watching(live.instance, "--interval", "1s") as watch:
        watch.lines(4)
        begin = switches(watch.process.pid)
        watch.lines(8)
        assert switches(watch.process.pid) - begin < 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it(live, number):
    with watching(live.instance, "--interval", "60m") as watch:
        watch.lines(4)
        watch.process.send_signal(number)
        assert watch.process.wait(10) == 0
        assert not watch.process.stdout.read() and not watch.process.stderr.read()


# ---- the page


def terminal(instance, *words, **options):
    """camring-shm watch on a terminal of its own."""
    return on_terminal([BIN / "camring-shm", "watch", "--instance", instance, *words], **options)


def row(page, name):
    return next((line for line in page if line.startswith(f"{name} ")), "")


def test_a_page(live):
    with terminal(live.instance, "--interval", "100ms") as screen:
        page = screen.wait(lambda page: "█" * 8 in row(page, "door.raw"), "a history")
        assert live.instance in page[0] and "100 ms" in page[0]
        header = next(line for line in page if line.startswith("RING "))
        assert header.split() == [
            "RING",
            "STATE",
            "FRAME",
            "FPS",
            "AGE",
            "READERS",
            "MISSED",
            "FPS",
            "AGE",
        ]
        assert [line.split()[0] for line in page[page.index(header) + 1 :][:4]] == NAMES
        assert re.match(
            r"door\.raw +live +\d+ +2[0-9]\.\d +[\d.]+ m?s +\d+ +\d+ +", row(page, "door.raw")
        )
        assert screen.output.startswith(ENTER) and screen.output.count(ENTER) == 1
        assert b"\x1b[2J" not in screen.output  # redrawn in place
        assert max(len(line) for line in page) <= 100
        before = int(row(page, "door.raw").split()[2])
        screen.wait(
            lambda page: int(row(page, "door.raw").split()[2]) > before, "a page that goes on"
        )
        quiet = screen.settings()
        assert not quiet[3] & termios.ECHO and not quiet[3] & termios.ICANON
        screen.press(b"q")
        assert screen.end() == 0


def test_details(live):
    with terminal(live.instance, "door.raw", "--interval", "100ms") as screen:
        page = screen.wait(
            lambda page: any("  fps " in line and "█" * 5 in line for line in page), "a history"
        )
        assert "door.raw  live" in page and any(line.startswith("  age ") for line in page)
        assert any(
            line.split() == ["ROW", "PID", "NAME", "STATE", "PIN", "HELD", "LAG", "TAKEN", "MISSED"]
            for line in page
        )
        assert any("I420 320x240" in line for line in page)


@pytest.mark.parametrize("how", ["ctrl-c", signal.SIGTERM, signal.SIGHUP, "end of input"])
def test_the_terminal_is_left_as_it_was(live, how):
    with terminal(live.instance, "--interval", "100ms") as screen:
        screen.wait(lambda page: row(page, "door.raw"), "a page")
        if isinstance(how, signal.Signals):
            screen.process.send_signal(how)
        else:
            screen.press({"ctrl-c": b"\x03", "end of input": b"\x04"}[how])
        assert screen.end() == 0


def test_after_so_many_looks(live):
    with terminal(live.instance, "--interval", "50ms", "--count", "3") as screen:
        wait_for(lambda: screen.read(0.01) and screen.process.poll() is not None, 10, "its end")
        assert screen.end() == 0 and screen.output.count(b"\x1b[H") == 3


def test_it_follows_the_terminals_size(live):
    with terminal(live.instance, "--interval", "10s", rows=24, columns=140) as screen:
        wide = screen.wait(lambda page: row(page, "door.raw"), "a page")
        assert max(map(len, wide)) > 80
        for rows, columns in ((24, 60), (5, 60), (2, 20), (1, 1), (50, 200)):
            drawn = screen.read(0.05).count(b"\x1b[H")
            screen.resize(rows, columns)
            wait_for(lambda: screen.read(0.05).count(b"\x1b[H") > drawn, 5, "a new page at once")
            page = screen.page()
            assert max(map(len, page)) <= columns and len(page) <= rows + (page[-1] == ""), (
                rows,
                columns,
                page,
            )
            if rows == 5:
                assert re.fullmatch(r"\d+ more lines", page[-1])
        assert row(page, "nothing.raw")


def test_without_utf8(live):
    with terminal(live.instance, "--interval", "50ms", LC_ALL="C") as screen:
        screen.wait(lambda page: "#" * 8 in row(page, "door.raw"), "a history")
        assert screen.read().isascii()


def test_a_dumb_terminal_gets_lines(live):
    with terminal(live.instance, "--interval", "50ms", "--count", "2", TERM="dumb") as screen:
        wait_for(lambda: screen.read(0.01) and screen.process.poll() is not None, 10, "its end")
        assert b"\x1b" not in screen.read() and screen.output.count(b" door.raw live ") == 2


def test_suspended_and_continued(live):
    with terminal(live.instance, "--interval", "50ms") as screen:
        screen.wait(lambda page: row(page, "door.raw"), "a page")
        screen.press(b"\x1a")
        state = pathlib.Path(f"/proc/{screen.process.pid}/stat")
        wait_for(
            lambda: state.read_text().rpartition(")")[2].split()[0] == "T", 10, "a stopped process"
        )
        assert screen.read().endswith(LEAVE) and screen.settings() == screen.before
        begin = len(screen.output)
        screen.process.send_signal(signal.SIGCONT)
        wait_for(lambda: screen.read(0.05)[begin:].count(b"\x1b[H") > 2, 10, "pages again")
        assert screen.output[begin:].startswith(ENTER)
        screen.press(b"q")
        assert screen.end() == 0


@needs_library
def test_rings_come_and_go_on_the_page(name):
    with terminal(name, "--interval", "50ms") as screen:
        screen.wait(lambda page: "no rings" in page, "an empty page")
        with program(name, PRODUCE.format(ring="mine.jpeg")) as producer:
            screen.wait(lambda page: " live " in row(page, "mine.jpeg"), "the ring")
            producer.kill()
            screen.wait(lambda page: " dead " in row(page, "mine.jpeg"), "a dead writer")
        assert shm(name, "clean").returncode == 0
        screen.wait(lambda page: " gone " in row(page, "mine.jpeg"), "the ring's end")
        screen.press(b"\x03")
        assert screen.end() == 0


@needs_library
def test_a_reader_in_trouble_is_on_the_page(live):
    with program(live.instance, HOLD.format(ring="door")) as holder, terminal(
        live.instance, "--interval", "50ms"
    ) as screen:
        holder.stop()
        page = screen.wait(lambda page: "1!" in row(page, "door.raw"), "the trouble")
        assert any(f"(process {holder.pid}) is stopped and holds slot" in line for line in page)
