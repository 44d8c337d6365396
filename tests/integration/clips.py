"""Numbered pictures: clips that FFmpeg encodes from frames made here, and reading the number back
from a JPEG.

The number is burnt into the top 32 rows as 20 black or white blocks over the whole width: bits 0-15
are the frame number (bit 0 leftmost), bits 16-19 check it: number mod 13 + 1."""
import ctypes
import fcntl
import functools
import io
import pathlib
import subprocess
from concurrent.futures import ThreadPoolExecutor

import numpy
from PIL import Image

BAR_ROWS = 32
BLOCKS = 20


def code_of(number):
    return number & 0xFFFF | ((number & 0xFFFF) % 13 + 1) << 16


def number_bar(width, number, black, white):
    """The row of blocks for `number`, `width` bytes."""
    block = numpy.arange(width) * BLOCKS // width
    return numpy.where(code_of(number) >> block & 1, white, black).astype(numpy.uint8)


def number_in(image):
    """The number in a PIL image, None if there is none (no bar, or its check fails)."""
    gray = numpy.asarray(image.convert("L"))
    height, width = gray.shape
    if width < BLOCKS or height < BAR_ROWS:
        return None
    columns = ((numpy.arange(BLOCKS) + 0.5) * width / BLOCKS).astype(int)
    code = sum(1 << i for i, level in enumerate(gray[4:28, columns].mean(axis=0)) if level > 127)
    number = code & 0xFFFF
    return number if code == code_of(number) else None


def read_number(jpeg):
    """The number in a JPEG, None if there is none."""
    with Image.open(io.BytesIO(jpeg)) as image:
        image.draft("L", image.size)
        return number_in(image)


TJPF_GRAY, TJFLAG_STOPONWARNING = 6, 8192


@functools.lru_cache(None)
def turbojpeg():
    library = ctypes.CDLL("libturbojpeg.so.0")
    library.tjInitDecompress.restype = ctypes.c_void_p
    library.tjDestroy.argtypes = library.tjGetErrorStr2.argtypes = [ctypes.c_void_p]
    library.tjGetErrorStr2.restype = ctypes.c_char_p
    return library


def decode(jpeg):
    """What libjpeg complains about when it decodes the luma, warnings included, or None."""
    library = turbojpeg()
    handle = ctypes.c_void_p(library.tjInitDecompress())
    size = ctypes.c_ulong(len(jpeg))
    width, height, sampling, colours = (ctypes.c_int() for _ in range(4))
    try:
        bad = library.tjDecompressHeader3(
            handle,
            jpeg,
            size,
            *(ctypes.byref(number) for number in (width, height, sampling, colours)),
        )
        if not bad:
            gray = ctypes.create_string_buffer(width.value * height.value)
            bad = library.tjDecompress2(
                handle, jpeg, size, gray, width, 0, height, TJPF_GRAY, TJFLAG_STOPONWARNING
            )
        return library.tjGetErrorStr2(handle).decode() if bad else None
    finally:
        library.tjDestroy(handle)


def jpeg_fault(jpeg):
    """Why `jpeg` is not one whole, faultless JPEG, or None.  libjpeg's warnings count as faults."""
    if jpeg[:2] != b"\xff\xd8":
        return "starts without SOI"
    if jpeg[-2:] != b"\xff\xd9":
        return "ends without EOI"
    return decode(bytes(jpeg))


def jpeg_faults(jpegs):
    """The faults of many JPEGs: a list of (index, fault)."""
    with ThreadPoolExecutor(2) as pool:
        return [(i, fault) for i, fault in enumerate(pool.map(jpeg_fault, jpegs)) if fault]


class Order:
    """What a series of burnt-in numbers, repeating every `period`, says: duplicates, steps back,
    frames missed."""

    def __init__(self, numbers, period):
        steps = [(b - a) % period for a, b in zip(numbers, numbers[1:])]
        self.duplicates = sum(step == 0 for step in steps)
        self.backward = sum(step > period // 2 for step in steps)
        self.missed = sum(step - 1 for step in steps if 0 < step <= period // 2)
        self.delivered = len(numbers) / max(1, len(numbers) + self.missed)

    def __repr__(self):
        return str(vars(self))


def luma_frames(width, height, count, black=16, white=235):
    """`count` numbered gray pictures with a moving texture, so that they cost an encoder what a
    real picture would."""
    texture = numpy.random.default_rng(1).normal(126, 30, (height // 8 + 1, width // 8 + 1))
    texture = numpy.asarray(
        Image.fromarray(texture.astype(numpy.float32)).resize((width, height), Image.BICUBIC)
    )
    texture = numpy.clip(texture, black, white).astype(numpy.uint8)
    for number in range(count):
        frame = numpy.roll(texture, number * 3, axis=1)
        frame[:BAR_ROWS] = number_bar(width, number, black, white)
        yield frame


def write_clip(path, width, height, count, fps, *codec):
    """Encodes `count` numbered frames into `path` with FFmpeg; `codec` are its output options."""
    command = [
        "ffmpeg",
        "-nostdin",
        "-loglevel",
        "error",
        "-y",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "yuv420p",
        "-s",
        f"{width}x{height}",
        "-r",
        str(fps),
        "-i",
        "-",
        *codec,
        str(path),
    ]
    ramp = numpy.linspace(64, 192, width // 2, dtype=numpy.uint8)
    chroma = numpy.tile(ramp, height // 2).tobytes() + numpy.tile(ramp[::-1], height // 2).tobytes()
    with subprocess.Popen(command, stdin=subprocess.PIPE) as ffmpeg:
        for frame in luma_frames(width, height, count):
            ffmpeg.stdin.write(frame.tobytes() + chroma)
    assert ffmpeg.returncode == 0, command
    return path


def split_jpegs(data):
    """The JPEGs in a raw MJPEG file."""
    starts, at = [], 0
    while (at := data.find(b"\xff\xd8\xff", at)) >= 0:
        starts.append(at)
        at += 3
    return [data[a:b] for a, b in zip(starts, starts[1:] + [len(data)])]


H264 = (
    "-c:v",
    "libx264",
    "-preset",
    "superfast",
    "-bf",
    "0",
    "-g",
    "30",
    "-keyint_min",
    "30",
    "-sc_threshold",
    "0",
    "-crf",
    "23",
    "-x264-params",
    "aud=1:repeat-headers=1:slices=1",
)
MJPEG = ("-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-q:v", "4", "-huffman", "default", "-f", "mjpeg")


class Clips:
    """Clips by name, each made when first asked for and kept for the run, in which several
    processes may share the folder."""

    PERIOD = 300  # frames in a looped clip
    FPS = 30

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def _make(self, name, width, height, count, *codec):
        path, partial = self.folder / name, self.folder / f"partial-{name}"
        with open(self.folder / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                write_clip(partial, width, height, count, self.FPS, *codec).rename(path)
        return path

    def h264(self):
        """720p H.264, Annex B with access unit delimiters, a key frame a second."""
        return self._make("c720.h264", 1280, 720, self.PERIOD, *H264, "-f", "h264")

    def small_h264(self):
        return self._make("c360.h264", 640, 360, self.PERIOD, *H264, "-f", "h264")

    def mjpeg(self):
        """720p JPEGs, one after the other."""
        return self._make("c720.mjpeg", 1280, 720, self.PERIOD, *MJPEG)

    def small_mjpeg(self):
        return self._make("c360.mjpeg", 640, 360, self.PERIOD, *MJPEG)

    def mp4(self):
        """640x360 H.264 with B-frames in MP4, 250 frames."""
        return self._make(
            "c360.mp4",
            640,
            360,
            250,
            "-c:v",
            "libx264",
            "-preset",
            "superfast",
            "-bf",
            "2",
            "-g",
            "30",
        )
