"""/metrics: what Prometheus's own tool says of it, and whether the numbers are right."""
import os
import re
import signal
import subprocess
import time

import pytest

from multipart import Stream
from product import free_port, running, wait_for
from shmtool import HOLD, READ, needs_library, program, rings

STAGES = ("capture", "queue", "encode", "send", "total")
BY_ENCODER = {"late", "oversize", "aborted", "encode_failed", "chain_failed", "chain_dropped"}
DROPS = {"no_slot", "corrupt", "capture_oversize", *BY_ENCODER}
LABELS = {
    "camera",
    "stage",
    "cause",
    "result",
    "state",
    "ring",
    "kind",
    "name",
    "route",
    "status",
    "version",
    "le",
}


class Metrics:
    """One scrape: `name`, with labels in any order, to its value."""

    def __init__(self, camring):
        status, headers, body = camring.get("/metrics")
        assert (
            status == 200 and headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        ), headers
        self.text = body.decode()
        self.samples = {}
        for line in self.text.splitlines():
            if not line.startswith("#"):
                name, labels, value = re.fullmatch(r"([a-z_]+)(?:\{(.*)\})? (\S+)", line).groups()
                key = (name, frozenset(re.findall(r'(\w+)="([^"]*)"', labels or "")))
                assert key not in self.samples, line
                self.samples[key] = float(value)

    def get(self, name, /, **labels):
        return self.samples.get((f"camring_{name}", frozenset(labels.items())))

    def all(self, name, /, **labels):
        """By the labels that are not given."""
        wanted = set(labels.items())
        return {
            tuple(sorted(set(found) - wanted)): value
            for (family, found), value in self.samples.items()
            if family == f"camring_{name}" and wanted <= set(found)
        }

    def sum(self, name, /, **labels):
        return sum(self.all(name, **labels).values())

    def check(self):
        """Prometheus finds no fault with it."""
        done = subprocess.run(
            ["promtool", "check", "metrics"],
            input=self.text,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0 and not done.stdout and not done.stderr, done
        return self


def frames(metrics, camera, stage):
    return metrics.get("camera_frames_total", camera=camera, stage=stage)


def took(metrics, camera, stage):
    """How many frames the stage's histogram has; its buckets and its sum agree with that."""
    count = metrics.get("stage_duration_seconds_count", camera=camera, stage=stage)
    if count is None:
        return 0
    buckets = {
        float(dict(labels)["le"]): n
        for labels, n in metrics.all(
            "stage_duration_seconds_bucket", camera=camera, stage=stage
        ).items()
    }
    bounds = sorted(buckets)
    counts = [buckets[bound] for bound in bounds]
    assert len(bounds) == 17 and (bounds[0], bounds[-2], bounds[-1]) == (0.0001, 10, float("inf"))
    assert counts == sorted(counts) and counts[-1] == count
    longest = next(bound for bound in bounds if buckets[bound] == count)
    assert (
        0
        <= metrics.get("stage_duration_seconds_sum", camera=camera, stage=stage)
        <= count * longest
    )
    return count


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with running(
        tmp_path_factory.mktemp("metrics"),
        {"door": "test:?size=320x240&fps=25"},
        shm={"reader_rows": 4},
    ) as camring:
        yield camring.wait_live("door")


def test_a_camera_with_a_viewer(live):
    with Stream(live.port, "/cameras/door/stream.mjpeg") as stream:
        stream.wait_parts(25)
        metrics = Metrics(live).check()
        assert metrics.all("camera_state", camera="door") == {
            (("state", s),): float(s == "live")
            for s in ("starting", "connecting", "live", "away", "ended")
        }
        assert metrics.get("camera_fresh", camera="door") == 1
        assert metrics.get("camera_viewers", camera="door") == 1
        assert 15 < metrics.get("camera_frames_per_second", camera="door") < 35
        assert 0 <= metrics.get("camera_frame_age_seconds", camera="door") < 5
        assert all(took(metrics, "door", stage) >= 20 for stage in STAGES)
        assert metrics.get("http_sent_bytes_total") >= sum(
            len(part.body) for part in stream.parts[:25]
        )
        version = subprocess.run(
            ["cat", "VERSION"],
            capture_output=True,
            text=True,
            cwd=os.path.dirname(__file__) + "/../..",
        ).stdout.strip()
        assert metrics.all("build_info") == {(("version", version),): 1}
        assert time.time() - 600 < metrics.get("start_time_seconds") < time.time()
        assert metrics.get("start_time_seconds") == Metrics(live).get("start_time_seconds")


def test_each_stage_is_part_of_the_whole(live):
    with Stream(live.port, "/cameras/door/stream.mjpeg") as stream:
        before = Metrics(live)
        stream.wait_parts(75)
        after = Metrics(live)
    mean = {}
    for stage in STAGES:
        count = took(after, "door", stage) - took(before, "door", stage)
        total = sum(
            m.get("stage_duration_seconds_sum", camera="door", stage=stage) * sign
            for m, sign in ((after, 1), (before, -1))
            if m.get("stage_duration_seconds_sum", camera="door", stage=stage) is not None
        )
        mean[stage] = total / count
    whole = mean.pop("total")
    assert (
        whole / 3 < sum(mean.values()) < whole * 3
    ), mean  # the frames on their way at either end are counted in part


def test_a_picture_that_waited_for_its_viewer_is_no_slow_one(instance, clips):
    """Who comes late gets the last picture of a file at once, and again and again; that says
    nothing about the way."""
    camring = instance({"film": f"file:{clips.small_h264()}"}).run()
    camring.wait_state("film", "ended")
    time.sleep(1)
    with Stream(camring.port, "/cameras/film/stream.mjpeg") as stream:
        stream.wait_parts(3)
        assert took(Metrics(camring), "film", "send") == 0


def test_a_picture_that_is_shown_again_is_no_slow_one(instance, clips):
    camring = instance({"film": f"file:{clips.small_h264()}?realtime=1"}).run()
    camring.wait_live("film")
    with Stream(camring.port, "/cameras/film/stream.mjpeg") as stream:
        camring.wait_state("film", "ended", limit=60)
        last = len(stream.parts)
        stream.wait_parts(last + 4)  # the last one, once a second
        metrics = Metrics(camring)
    assert 5 < took(metrics, "film", "send") <= frames(metrics, "film", "encoded")
    assert metrics.get(
        "stage_duration_seconds_bucket", camera="film", stage="send", le="2.5"
    ) == took(metrics, "film", "send")


def test_counters_are_those_of_the_api(instance, clips):
    """A file loses nothing and comes to rest."""
    camring = instance({"film": f"file:{clips.small_h264()}"}).run()
    camring.wait_state("film", "ended")
    wait_for(
        lambda: camring.camera("film")["counters"]["encoded"]
        == camring.camera("film")["counters"]["captured"],
        10,
        "all encoded",
    )
    counters, metrics = camring.camera("film")["counters"], Metrics(camring).check()
    assert counters["captured"] > 10
    assert (
        frames(metrics, "film", "captured")
        == counters["captured"]
        == took(metrics, "film", "capture")
    )
    assert (
        frames(metrics, "film", "encoded")
        == counters["encoded"]
        == took(metrics, "film", "queue")
        == took(metrics, "film", "encode")
    )
    assert metrics.get("camera_packets_total", camera="film") == counters["packets"]
    assert metrics.sum("camera_dropped_frames_total", camera="film") == 0


def test_drops_add_up(instance):
    """What the only encoder skips is counted as late, and everything captured is either encoded or
    dropped."""
    camring = (
        instance({"fast": "test:?size=640x480&fps=60"}, encoder={"workers": 1})
        .run()
        .wait_live("fast")
    )
    encoder = camring.children("encoder")[0]
    encoder.kill(signal.SIGSTOP)  # for less than the 10 s after which it would be replaced
    captured = frames(Metrics(camring), "fast", "captured")
    wait_for(
        lambda: frames(Metrics(camring), "fast", "captured") > captured + 40,
        8,
        "frames that nobody takes",
    )
    encoder.kill(signal.SIGCONT)
    wait_for(
        lambda: Metrics(camring).get("camera_dropped_frames_total", camera="fast", cause="late")
        > 20,
        30,
        "late frames",
    )
    capture = camring.children("capture")[0]
    os.kill(capture.pid, signal.SIGSTOP)
    try:

        def at_rest():
            a = Metrics(camring)
            time.sleep(0.3)
            b = Metrics(camring)
            return (
                b
                if all(
                    frames(a, "fast", s) == frames(b, "fast", s) for s in ("captured", "encoded")
                )
                else None
            )

        metrics = wait_for(at_rest, 8, "encoders at rest")
    finally:
        os.kill(capture.pid, signal.SIGCONT)
    dropped = {
        dict(labels)["cause"]: n
        for labels, n in metrics.all("camera_dropped_frames_total", camera="fast").items()
    }
    assert set(dropped) == DROPS
    by_encoder = sum(dropped[cause] for cause in BY_ENCODER)
    left = frames(metrics, "fast", "captured") - frames(metrics, "fast", "encoded") - by_encoder
    assert left in (-1, 0), dropped  # -1: the capture was stopped between its commit and its count
    assert took(metrics, "fast", "encode") == frames(metrics, "fast", "encoded")


def test_a_passed_through_camera_is_neither_queued_nor_encoded(instance, http_camera):
    camring = (
        instance({"cam": f"http://127.0.0.1:{http_camera.port}/video.mjpg"}).run().wait_live("cam")
    )
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        stream.wait_parts(20)
        metrics = Metrics(camring).check()
    assert {
        dict(labels)["stage"]
        for labels in metrics.all("stage_duration_seconds_count", camera="cam")
    } == {"capture", "send", "total"}
    assert took(metrics, "cam", "capture") > 0 and frames(metrics, "cam", "encoded") == 0


def test_a_dead_camera(instance):
    camring = instance(
        {"gone": f"rtsp://127.0.0.1:{free_port()}/cam", "door": "test:?size=160x120&fps=10"}
    ).run()
    camring.wait_live("door").wait_state("gone", "away")
    with Stream(camring.port, "/cameras/gone/stream.mjpeg") as stream:
        stream.wait_parts(2)  # the drawn picture
        metrics = Metrics(camring).check()
    assert metrics.get("camera_state", camera="gone", state="away") == 1
    assert (
        metrics.get("camera_fresh", camera="gone") == 0
        and metrics.get("camera_fresh", camera="door") == 1
    )
    assert metrics.get("camera_frame_age_seconds", camera="gone") is None
    assert not any(took(metrics, "gone", stage) for stage in STAGES)
    assert metrics.get("camera_viewers", camera="gone") == 1


def test_clients_come_and_go(live):
    def clients():
        metrics = Metrics(live)
        return metrics.get("http_clients"), metrics.get("camera_viewers", camera="door")

    wait_for(lambda: clients() == (0, 0), 10, "nobody")
    accepted = Metrics(live).get("http_connections_total")
    with Stream(live.port, "/cameras/door/stream.mjpeg") as one, Stream(live.port, "/live") as two:
        one.wait_parts(1)
        two.wait_parts(1)
        wait_for(lambda: clients() == (2, 2), 10, "two")
        assert Metrics(live).get("http_connections_total") >= accepted + 2
    wait_for(lambda: clients() == (0, 0), 10, "nobody any more")
    assert Metrics(live).get("http_max_clients") == 1000


def test_requests_by_route_and_status(live):
    before = Metrics(live)
    asked = [
        ("/", "page", "2xx"),
        ("/cameras/door/snapshot.jpg", "snapshot", "2xx"),
        ("/api/v1/cameras", "api", "2xx"),
        ("/healthz", "probe", "2xx"),
        ("/api/v1/cameras?limit=0", "api", "4xx"),
        ("/cameras/nobody/stream.mjpeg", "stream", "4xx"),
        ("/nothing", "other", "4xx"),
    ]
    for path, _, _ in asked:
        live.get(path)
    live.get("/nothing?" + "x" * 100)
    after = Metrics(live)
    for _, route, status in asked:
        more = after.get("http_requests_total", route=route, status=status) - before.get(
            "http_requests_total", route=route, status=status
        )
        assert more == (2 if route == "other" else 1), route
    assert (
        after.get("http_requests_total", route="metrics", status="2xx")
        == before.get("http_requests_total", route="metrics", status="2xx") + 1
    )
    assert after.get("http_sent_bytes_total") > before.get("http_sent_bytes_total") + len(
        before.text
    )


def test_nothing_that_comes_from_outside_makes_a_label(live):
    with Stream(live.port, "/cameras/door/stream.mjpeg?fps=3") as stream:
        stream.wait_parts(1)
        before = set(Metrics(live).samples)
        for i in range(20):
            live.get(
                f"/nothing/{i}",
                headers={"User-Agent": f"evil{i}", "X-Forwarded-For": f"10.0.0.{i}"},
            )
            live.get(f"/cameras/door{i}/stream.mjpeg?x={i}", method=f"M{i}")
        after = Metrics(live).check()
    assert {
        key for key in after.samples if key[0] != "camring_stage_duration_seconds_bucket"
    } - before <= {key for key in after.samples if "stage_duration" in key[0]}
    assert {label for _, labels in after.samples for label, _ in labels} <= LABELS


def test_processes(instance):
    camring = instance({"door": "test:?size=640x480&fps=60"}).run().wait_live("door")
    for kind in ("capture", "encoder"):
        wait_for(
            lambda: Metrics(camring).sum("process_cpu_seconds_total", kind=kind) > 0,
            30,
            f"processor time of {kind}",
        )
    metrics = Metrics(camring)
    running = {p.pid: p for p in camring.children()}
    assert len(metrics.all("process_up")) == len(running) + 1  # and the supervisor
    for name in ("process_up", "process_resident_memory_bytes", "process_private_memory_bytes"):
        assert all(value > 0 for value in metrics.all(name).values()), name
    assert metrics.sum("process_restarts_total") == 0

    resident = metrics.get("process_resident_memory_bytes", kind="capture", name="door")
    assert (
        1 << 20 < resident < 1 << 30
        and metrics.get("process_private_memory_bytes", kind="capture", name="door") < resident
    )


def test_restarts(instance):
    camring = (
        instance({"door": "test:?size=160x120&fps=10"}, restart={"burst": 50})
        .run()
        .wait_live("door")
    )
    for kind, name in (("capture", "door"), ("encoder", "0"), ("server", "0")):
        camring.children(kind)[0].kill()

        def restarted():
            try:
                metrics = Metrics(camring)
            except OSError:
                return False
            return metrics.sum("process_restarts_total", kind=kind) == 1 and all(
                metrics.all("process_up", kind=kind).values()
            )

        wait_for(restarted, 20, f"another {kind}")
    assert Metrics(camring).check().sum("process_restarts_total") == 3


def test_counters_outlive_a_server(instance):
    camring = (
        instance({"door": "test:?size=160x120&fps=10"}, http={"workers": 2}, restart={"burst": 50})
        .run()
        .wait_live("door")
    )
    with Stream(camring.port, "/cameras/door/stream.mjpeg"), Stream(
        camring.port, "/cameras/door/stream.mjpeg"
    ):
        wait_for(
            lambda: Metrics(camring).get("http_clients") == 2, 10, "two clients, wherever one asks"
        )
        before = Metrics(camring)
        for process in camring.children("server"):
            process.kill()
        camring.wait_listening()
    after = Metrics(camring)
    for name in ("http_connections_total", "http_sent_bytes_total"):
        assert after.get(name) >= before.get(name) > 0
    wait_for(lambda: Metrics(camring).get("http_clients") == 0, 10, "nobody")


@pytest.mark.limit(180)
def test_a_hundred_cameras(instance):
    names = [f"cam{i:02}" for i in range(100)]
    camring = (
        instance({name: "test:?size=64x64&fps=1" for name in names}, max_connecting=20)
        .run()
        .wait_live(*names, limit=90)
    )
    metrics = Metrics(camring).check()
    assert sum(metrics.all("camera_state", state="live").values()) == 100
    assert len(metrics.all("process_up", kind="capture")) == 100
    assert len(metrics.all("shm_ring_bytes")) >= 200


@needs_library
def test_readers(live):
    """Other programs at the rings: how many, in what state, what they hold and for how long."""

    def readers(metrics, name="ring_readers"):
        return {
            dict(labels)["state"]: n
            for labels, n in metrics.all(name, camera="door", ring="raw").items()
        }

    assert readers(Metrics(live)) == {"alive": 0, "stopped": 0, "dead": 0}
    rows = Metrics(live).get("ring_rows_taken", camera="door", ring="raw")
    with program(live.instance, HOLD.format(ring="door")) as holder, program(
        live.instance, READ.format(ring="door")
    ):
        metrics = Metrics(live).check()
        assert readers(metrics) == {"alive": 2, "stopped": 0, "dead": 0}
        assert metrics.get("ring_rows", camera="door", ring="raw") == 4
        assert metrics.get("ring_rows_taken", camera="door", ring="raw") == rows + 2
        assert (
            metrics.get("shm_ring_bytes", camera="door", ring="raw")
            == rings(live.instance)["door.raw"]["bytes"]
        )
        assert (
            metrics.get("shm_bytes") == metrics.sum("shm_ring_bytes")
            and metrics.get("shm_available_bytes") > 0
        )
        assert readers(metrics, "ring_pinned_readers")["alive"] >= 1
        holder.stop()
        wait_for(
            lambda: Metrics(live).get("ring_oldest_pin_age_seconds", camera="door", ring="raw") > 1,
            20,
            "an old pin",
        )
        metrics = Metrics(live)
        assert readers(metrics) == {"alive": 1, "stopped": 1, "dead": 0}
        assert readers(metrics, "ring_pinned_readers")["stopped"] == 1
    wait_for(lambda: readers(Metrics(live)) == {"alive": 0, "stopped": 0, "dead": 0}, 10, "nobody")
    assert Metrics(live).get("ring_oldest_pin_age_seconds", camera="door", ring="raw") is None


@needs_library
def test_a_reader_that_is_killed_while_it_has_a_frame(live):
    """It is seen as dead until the supervisor clears up, which is counted once."""

    def reaped(ring="raw"):
        return Metrics(live).get("ring_readers_reaped_total", camera="door", ring=ring)

    def dead(name):
        return Metrics(live).get(name, camera="door", ring="raw", state="dead")

    before = reaped()
    with program(live.instance, READ.format(ring="door")):
        pass
    with program(live.instance, HOLD.format(ring="door")) as holder:
        os.kill(live.supervisor.pid, signal.SIGSTOP)
        try:
            holder.kill()
            assert dead("ring_readers") == dead("ring_pinned_readers") == 1
            assert reaped() == before
        finally:
            os.kill(live.supervisor.pid, signal.SIGCONT)
        wait_for(lambda: reaped() == before + 1, 20, "a reaped reader")
        assert dead("ring_readers") == dead("ring_pinned_readers") == 0
        assert not [
            r for r in rings(live.instance)["door.raw"]["readers"] if r["pid"] == holder.pid
        ]
        assert "cleared up after 1 reader" in live.log()
        time.sleep(2.5)  # two more looks
    assert reaped() == before + 1 and reaped("jpeg") == 0
