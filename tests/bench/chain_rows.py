"""What bench_chain.py compares: each row is two functions that do the same work in two ways, and
return figures."""
import contextlib
import json
import os
import pathlib
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from programs import Failure, Program

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from product import (  # noqa: E402 pylint: disable=wrong-import-position
    BIN,
    Camring,
    free_port,
    wait_for,
)

FPS = 30
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
PICTURE_BYTES = 100000  # of the JPEGs that an HTTP camera sends
PYTHON_CLIENT = {
    "PYTHONPATH": str(pathlib.Path(__file__).resolve().parents[2] / "common/python"),
    "CAMRING_LIBRARY": str(BIN.parent / "lib/libcamring.so.1"),
}
WIDTHS = (1280, 960, 640, 480, 320)
TEXT = {"text": {"text": "%F %T", "size": 24, "font": FONT}}
# The same as camring describes it to libavfilter (encoder/chain_steps.c).
TEXT_GRAPH = (
    f"drawtext=fontfile={FONT}:fontsize=24:fontcolor=white:box=1:boxcolor=black@0.6:"
    "boxborderw=7:x=14:y=14:text=%{localtime\\\\:%F %T}"
)
MASKED = [
    {"mask": [[0, 0, 300, 0, 300, 120], [900, 500, 1280, 500, 1280, 720, 900, 720]]},
    "gray",
    {"crop": {"x": 8, "y": 8, "width": 1904, "height": 1064}},
    TEXT,
]


def cpu_seconds(pids):
    """So much the processes have used, with all their threads."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


class Ours:
    """camring with one camera, whose JPEGs a program reads from their ring."""

    def __init__(self, run, clip, **camera):
        source = f"file:{clip}?loop=1&realtime=1"
        self.camring = Camring(run.folder, {"bench": {"source": source, **camera}})
        self.watch = None
        try:
            self.camring.run()
            self.watch = run.program("chain_watch", self.camring.instance, "bench.jpeg")
        except BaseException as wrong:
            self.stop()
            raise Failure(f"camring: {wrong}") from wrong

    def pids(self, kind=None):
        """Of the processes of that kind; of all."""
        children = [child.pid for child in self.camring.children(kind)]
        return children if kind else [self.camring.supervisor.pid, *children]

    def measure(self, seconds, kind=None):
        """What was published in so many seconds, as chain_watch says it, and the processor time of
        those processes meanwhile."""
        pids = self.pids(kind)
        self.watch.tell()
        self.watch.line(10)
        before = cpu_seconds(pids)
        time.sleep(seconds)
        self.watch.tell()
        cpu = cpu_seconds(pids) - before
        found = json.loads(self.watch.line(10))
        if found["published"] < seconds * FPS / 6:
            raise Failure(f"camring: {found['published']} pictures in {seconds} s")
        return {
            "cpu": cpu / found["published"] * 1e3,
            "p50": found["p50_us"] / 1e3,
            "published": found["published"],
        }

    def stop(self):
        """Ends it."""
        if self.watch:
            self.watch.stop()
        try:
            self.camring.stop()
        finally:
            self.camring.forget_log()


class Run:
    """What all rows need."""

    def __init__(self, options, folder, log):
        self.options, self.folder, self.log = options, pathlib.Path(folder), log
        self.seconds = options.seconds
        self.clip = self.make_clip("clip", "")
        # What comes out of MASKED, but for the masks and the text: so both encode the same.
        self.gray = self.make_clip("gray", ",crop=1904:1064:8:8,format=gray,format=yuv420p")

        self.pictures = self.folder / "pictures.mjpeg"
        self.ffmpeg(f"testsrc2=s=1280x720:r={FPS}", "-q:v", "6", "-f", "mjpeg", self.pictures)

    def make_clip(self, name, filters):
        """A second of pictures."""
        path = self.folder / f"{name}.mp4"
        self.ffmpeg(
            f"testsrc2=s=1920x1080:r={FPS},noise=alls=6:allf=t,format=yuv420p{filters}",
            *("-c:v", "libx264", "-preset", "veryfast", "-bf", "0"),
            *("-colorspace", "bt709", "-color_range", "tv", path),
        )
        return path

    def ffmpeg(self, source, *output):
        """Makes a second of pictures."""
        command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", source]
        if subprocess.run([*command, "-t", "1", *output], stderr=self.log).returncode != 0:
            raise Failure("ffmpeg can't make the pictures")

    def program(self, name, *arguments):
        """A program of the bench that has said "ready"."""
        program = Program(name, [self.options.programs / name, *arguments], self.log)
        try:
            program.line(30)
        except BaseException:
            program.stop()
            raise
        return program

    def ours(self, clip, kind=None, **camera):
        """Measures a camera."""
        ours = Ours(self, clip, **camera)
        try:
            time.sleep(0.5)
            return ours.measure(self.seconds, kind)
        finally:
            ours.stop()

    def bare(self, *graphs):
        """Measures the bare loop: processor time a picture, in ms, of all and without decoding."""
        bare = self.program("chain_bare", self.clip, FPS, *graphs)
        try:
            time.sleep(0.5)
            bare.tell()
            bare.line(10)
            time.sleep(self.seconds)
            bare.tell()
            found = json.loads(bare.line(10))
        finally:
            bare.stop()
        if found["published"] < self.seconds * FPS / 6:
            raise Failure(f"the bare loop: {found['published']} pictures in {self.seconds} s")
        return {key: found[key] / found["published"] * 1e3 for key in ("cpu_s", "work_s")}


def pool(workers):
    """Pictures a second of the pool alone."""

    def measure(run):
        command = [run.options.programs / "chain_pool", BIN / "camring-encoder"]
        program = Program("chain_pool", [*command, workers, run.seconds], run.log)
        try:
            found = json.loads(program.line(run.seconds + 30))
            program.finish()
        finally:
            program.stop()
        return {"rate": found["pictures"] / found["seconds"]}

    return measure


def chain_ours(run):
    """Decode, scale, text, JPEG: ms of processor time a picture, of all of camring."""
    return run.ours(run.clip, chain=[{"scale": {"width": 640}}, TEXT])


def chain_bare(run):
    """The same in the bare loop."""
    return {"cpu": run.bare(f"scale=w=640:h=-1:flags=bicubic,{TEXT_GRAPH}")["cpu_s"]}


def masked(run):
    """Mask, gray, crop, text, JPEG: ms a picture, of the encoders."""
    return run.ours(run.clip, "encoder", chain=MASKED)


def unmasked(run):
    """JPEG alone."""
    return run.ours(run.gray, "encoder")


def external(run):
    """From captured to JPEG by way of a program: ms, without its copying of the picture."""
    stage = None
    ours = Ours(run, run.clip, chain=[{"external": {"name": "id", "timeout": "1s"}}])
    try:
        stage = run.program("chain_identity", ours.camring.instance, "bench", "id")
        time.sleep(0.5)
        found = ours.measure(run.seconds)
        stage.process.stdin.close()
        copied = json.loads(stage.line(10))
    finally:
        if stage:
            stage.stop()
        ours.stop()
    if copied["pictures"] < run.seconds * FPS / 6:
        raise Failure(f"the external step had {copied['pictures']} pictures")
    return {"p50": found["p50"] - copied["copy_p50_us"] / 1e3}


def no_external(run):
    """Without the program."""
    return run.ours(run.clip)


MESSAGE = 1920 * 1080 * 3 // 2
MESSAGES_PER_S, WARMUP = 60, 60


def relay(run, system, pipeline, arguments, outlet=None):
    """From one program of the ring bench by way of a pipeline in a process of its own to another:
    {"p50": latency, "cpu": processor time of all three a message without filling it}, in ms.
    `arguments`: of the writer, of the reader; `outlet`: the file that the pipeline makes."""
    messages = int(run.seconds * MESSAGES_PER_S)
    figures = [MESSAGE, 1, messages, WARMUP, MESSAGES_PER_S]
    plugins = BIN.parent / "lib/gstreamer-1.0"
    environment = {"GST_PLUGIN_PATH": plugins, "GST_REGISTRY": run.folder / "registry"}
    peer = [run.options.programs / f"bench_{system}"]
    started = []

    def start(what, command):
        started.append(Program(what, command, run.log, env={**os.environ, **environment}))
        return started[-1]

    try:
        writer = start("writer", [*peer, "writer", *arguments[0], *figures])
        writer.line(15)
        launched = start("gst-launch-1.0", ["gst-launch-1.0", "-q", *pipeline.split()])
        wait_for(lambda: not outlet or outlet.exists(), 15, "the pipeline")
        reader = start("reader", [*peer, "reader", *arguments[1], *figures])
        reader.line(15)
        time.sleep(1)  # what is attached now gets the messages of the warm-up
        writer.tell()
        time.sleep(WARMUP / MESSAGES_PER_S)
        before = cpu_seconds([launched.process.pid])
        found = json.loads(reader.line(run.seconds + 15))
        wrote = json.loads(writer.line(run.seconds + 15))
        cpu_ns = (cpu_seconds([launched.process.pid]) - before) * 1e9
    except AssertionError as wrong:
        raise Failure(wrong) from wrong
    finally:
        for program in reversed(started):
            program.stop()
    if found["got"] < messages / 2 or found["wrong"]:
        raise Failure(f"{system}: {found} of {messages} messages")
    cpu_ns += found["cpu_ns"] + wrote["cpu_ns"] - wrote["filling_ns"]
    return {"p50": found["p50_ns"] / 1e6, "cpu": cpu_ns / messages / 1e6}


def relay_ours(run):
    """camringsrc ! camringsink"""
    first, second = (f"bench{os.getpid()}{end}" for end in "ab")
    try:
        # The ring that is read must be there before its reader; camringsink goes on with it.
        code = "import sys, camring; camring.Producer('bench.raw', sys.argv[1], keep=True).close()"
        subprocess.run(
            [sys.executable, "-B", "-c", code, second],
            check=True,
            env={**os.environ, **PYTHON_CLIENT},
        )
        return relay(
            run,
            "camring",
            f"camringsrc instance={first} camera=bench ! "
            f"camringsink instance={second} camera=bench",
            [[run.folder, first], [run.folder, second]],
        )
    finally:
        for name in os.listdir("/dev/shm"):
            if name.startswith((f"camring.{first}.", f"camring.{second}.")):
                os.unlink(os.path.join("/dev/shm", name))


def relay_shm(run):
    """shmsrc ! shmsink"""
    with tempfile.TemporaryDirectory(dir=run.folder) as a, tempfile.TemporaryDirectory(
        dir=run.folder
    ) as b:
        outlet = pathlib.Path(b) / "gstreamer"
        return relay(
            run,
            "gstreamer",
            f"shmsrc socket-path={a}/gstreamer is-live=true ! shmsink socket-path={outlet} "
            f"shm-size={8 * (MESSAGE + 4096)} wait-for-connection=false sync=false",
            [[a, "relay"], [b, "relay"]],
            outlet,
        )


class Viewers(threading.Thread):
    """Look at streams of JPEGs until these end. `got`: how many pictures each has had."""

    MARK = b"Content-Type: image/jpeg"

    def __init__(self, port, paths):
        super().__init__(daemon=True)
        self.got = [0] * len(paths)
        self.selector = selectors.DefaultSelector()
        for number, path in enumerate(paths):
            stream = socket.create_connection(("127.0.0.1", port), timeout=10)
            stream.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            self.selector.register(stream, selectors.EVENT_READ, number)
        self.start()

    def run(self):
        buffer = bytearray(1 << 20)
        while self.selector.get_map():
            for key, _ in self.selector.select():
                size = 0
                with contextlib.suppress(OSError):
                    size = key.fileobj.recv_into(buffer)
                self.got[key.data] += buffer.count(self.MARK, 0, size)
                if size == 0:
                    self.selector.unregister(key.fileobj)
                    key.fileobj.close()


def profiles_ours(run):
    """Five variants: ms of the encoders' processor time a picture, beyond what they need without
    viewers."""
    profiles = {f"p{width}": {"width": width} for width in WIDTHS}
    ours = Ours(run, run.clip, chain=[TEXT], profiles=profiles)
    try:
        time.sleep(0.5)
        without = ours.measure(run.seconds, "encoder")["cpu"]
        paths = [f"/cameras/bench/stream.mjpeg?profile={name}" for name in profiles]
        viewers = Viewers(ours.camring.port, paths)
        time.sleep(0.5)
        before = sum(viewers.got)
        found = ours.measure(run.seconds, "encoder")
        made = sum(viewers.got) - before
        if made < run.seconds * FPS * len(WIDTHS) / 6:
            raise Failure(f"camring: {made} pictures of {len(WIDTHS)} profiles in {run.seconds} s")
        # On a busy machine not every picture has all five.
        return {"cpu": (found["cpu"] - without) * found["published"] / (made / len(WIDTHS))}
    finally:
        ours.stop()


def profiles_bare(run):
    """Five scales and five JPEGs in the bare loop."""
    graphs = [
        f"scale=w={width}:h=-2:flags={'area' if 2 * width <= 1920 else 'bicubic'}"
        for width in WIDTHS
    ]
    return {"cpu": run.bare(*graphs)["work_s"]}


class Server:
    """What pushes negatives of a camera's pictures: the processes that count, and its viewers."""

    def __init__(self, run, viewers):
        self.run, self.viewers = run, viewers
        self.started = []
        port = free_port()
        self.start("bare_http", port, run.pictures, PICTURE_BYTES, FPS)
        self.source = f"http://127.0.0.1:{port}/"

    def start(self, name, *arguments, path=None, **popen):
        """A program that says "ready"."""
        command = [path or self.run.options.programs / name, *arguments]
        self.started.append(Program(name, command, self.run.log, **popen))
        self.started[-1].line(30)
        return self.started[-1].process.pid

    def measure(self, port, path, pids):
        """ms of processor time a picture that every viewer has had."""
        viewers = Viewers(port, [path] * self.viewers)
        time.sleep(1)
        had, before = list(viewers.got), cpu_seconds(pids)
        time.sleep(self.run.seconds)
        cpu = cpu_seconds(pids) - before
        pictures = statistics.median(now - then for now, then in zip(viewers.got, had))
        if pictures < 1:
            raise Failure(f"viewers had no picture in {self.run.seconds} s")
        return {"cpu": cpu / pictures * 1e3}

    def stop(self):
        """Ends all."""
        for program in reversed(self.started):
            program.stop()


HERE = pathlib.Path(__file__).resolve().parent


def program_ours(viewers):
    """camring with an external step in NumPy."""

    def measure(run):
        server = Server(run, viewers)
        chain = [{"external": {"name": "negative", "timeout": "1s"}}]
        ours = None
        try:
            ours = Camring(run.folder, {"bench": {"source": server.source, "chain": chain}})
            ours.run()
            stage = server.start(
                "chain_numpy.py",
                "-B",
                HERE / "chain_numpy.py",
                ours.instance,
                "bench",
                "negative",
                path=sys.executable,
                env={**os.environ, **PYTHON_CLIENT},
            )
            pids = [ours.supervisor.pid, stage, *(child.pid for child in ours.children())]
            found = server.measure(ours.port, "/cameras/bench/stream.mjpeg", pids)
            if ours.camera("bench")["stages"][0]["returned"] < run.seconds * FPS / 6:
                raise Failure("the external step made no pictures")
            return found
        finally:
            server.stop()
            if ours:
                ours.stop()
                ours.forget_log()

    return measure


def program_python(viewers):
    """OpenCV and aiohttp."""

    def measure(run):
        server = Server(run, viewers)
        try:
            port = free_port()
            program = HERE / "chain_program.py"
            pid = server.start(
                program.name, "-B", program, server.source, port, path=sys.executable
            )
            return server.measure(port, "/", [pid])
        finally:
            server.stop()

    return measure


# What is compared: two functions of a Run, each of which returns figures.
ROWS = {
    "pool": (pool(2), pool(1)),
    "chain": (chain_ours, chain_bare),
    "mask": (masked, unmasked),
    "external": (external, no_external),
    "profiles": (profiles_ours, profiles_bare),
    "gstreamer": (relay_ours, relay_shm),
    "program": (program_ours(1), program_python(1)),
    "program20": (program_ours(20), program_python(20)),
}
