"""The picture is right: a snapshot at quality 90 against FFmpeg's own conversion of the same frame,
over matrices, chroma formats, ranges, even and odd sizes."""
import io
import subprocess

import numpy
import pytest
from PIL import Image

from clips import jpeg_fault
from product import running, wait_for

EVEN, ODD = (640, 360), (321, 243)
TAGS = {
    "bt709": ("bt709", "bt709", "bt709"),
    "bt601": ("smpte170m", "smpte170m", "smpte170m"),
    "untagged": None,
}
FFV1 = ("-c:v", "ffv1", "-level", "3")
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "4")
MJPEG = ("-c:v", "mjpeg", "-q:v", "2", "-huffman", "default")


def cases():
    """id -> (size, matrix, pixel format, range, codec)"""
    table = {}
    for matrix in TAGS:
        for chroma in ("420", "422", "444"):
            for size in (EVEN, ODD):
                table[f"{matrix}-{chroma}-{size[0]}"] = (size, matrix, f"yuv{chroma}p", "tv", FFV1)
        table[f"{matrix}-j420-{EVEN[0]}"] = (EVEN, matrix, "yuvj420p", "pc", X264)
        table[f"{matrix}-pc420-{ODD[0]}"] = (ODD, matrix, "yuv420p", "pc", FFV1)
    for chroma in ("420", "422", "444"):
        table[f"mjpeg-j{chroma}-{ODD[0]}"] = (ODD, "untagged", f"yuvj{chroma}p", "pc", MJPEG)
    table["bt709-420-1366"] = ((1366, 768), "bt709", "yuv420p", "tv", FFV1)
    return table


CASES = cases()
# Too small for FFmpeg's scaler to be a measure.
TINY = {
    f"tiny-{w}x{h}-{chroma}": ((w, h), "bt709", f"yuv{chroma}p", "tv", FFV1)
    for w, h in ((1, 1), (2, 2), (17, 9))
    for chroma in ("420", "444")
}


def colourful(width, height):
    """A picture with every hue, bright and dark, and some texture."""
    x, y = numpy.meshgrid(numpy.linspace(0, 1, width), numpy.linspace(0, 1, height))
    noise = (
        numpy.random.default_rng(7)
        .normal(0, 1, (height // 6 + 2, width // 6 + 2))
        .astype(numpy.float32)
    )
    noise = numpy.asarray(Image.fromarray(noise).resize((width, height), Image.BICUBIC)) * 12
    planes = [40 + 180 * x, 220 - 180 * y, 128 + 100 * numpy.sin(5 * x + 3 * y)]
    return numpy.clip(numpy.stack([plane + noise for plane in planes], axis=-1), 0, 255).astype(
        numpy.uint8
    )


def ffmpeg(*words, data=None):
    return subprocess.run(
        [
            "ffmpeg",
            "-nostdin" if data is None else "-y",
            "-loglevel",
            "error",
            "-y",
            *map(str, words),
        ],
        input=data,
        check=True,
        capture_output=True,
    ).stdout


def make_clip(path, size, matrix, pixels, range_, codec):
    """Ten times the same frame, two a second."""
    tags = TAGS[matrix]
    target = "bt709" if matrix == "bt709" else "bt601"
    marks = (
        ["-colorspace", tags[0], "-color_primaries", tags[1], "-color_trc", tags[2]] if tags else []
    )
    frame = colourful(*size).tobytes()
    ffmpeg(
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-s",
        "%dx%d" % size,
        "-r",
        2,
        "-i",
        "-",
        "-vf",
        f"scale=out_color_matrix={target}:out_range={range_}:flags=accurate_rnd+full_chroma_int,"
        f"format={pixels}",
        *codec,
        *marks,
        "-color_range",
        range_,
        path,
        data=frame * 10,
    )


def expected_planes(path, size):
    """Y, Cb, Cr as JFIF means them, in that size, by FFmpeg."""
    raw = ffmpeg(
        "-i",
        path,
        "-frames:v",
        1,
        "-vf",
        "scale=%d:%d:out_color_matrix=bt601:out_range=full:"
        "flags=accurate_rnd+full_chroma_int+bicubic" % size,
        "-pix_fmt",
        "yuvj444p",
        "-f",
        "rawvideo",
        "-",
    )
    return numpy.frombuffer(raw, numpy.uint8).reshape(3, size[1], size[0]).astype(float)


def jpeg_planes(jpeg):
    with Image.open(io.BytesIO(jpeg)) as image:
        image.draft("YCbCr", image.size)
        assert image.mode == "YCbCr"
        return numpy.asarray(image).astype(float).transpose(2, 0, 1)


def psnr(a, b):
    error = ((a - b) ** 2).mean()
    return 99.0 if error == 0 else 10 * numpy.log10(255**2 / error)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """One camring with a camera for each case."""
    folder = tmp_path_factory.mktemp("gallery")
    cameras = {}
    for name, case in (CASES | TINY).items():
        make_clip(folder / f"{name}.mkv", *case)
        cameras[name] = {
            "source": f"file:{folder}/{name}.mkv?loop=1&realtime=1",
            "jpeg": {"quality": 90, "passthrough": "off"},
        }
        if case[4] is MJPEG:
            cameras[f"{name}-through"] = {"source": cameras[name]["source"]}
    with running(folder, cameras) as camring:
        camring.folder = folder
        yield camring


def snapshot(gallery, name, query=""):
    wait_for(lambda: gallery.camera(name)["state"] == "live", 60, f"{name} live")
    return wait_for(
        lambda: (answer := gallery.get(f"/cameras/{name}/snapshot.jpg{query}"))[0] == 200
        and answer[2],
        20,
        f"a snapshot of {name}",
    )


@pytest.mark.limit(180)
@pytest.mark.parametrize("name", TINY)
def test_tiny_pictures(gallery, name):
    jpeg = snapshot(gallery, name)
    assert not jpeg_fault(jpeg)
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.size == TINY[name][0]


@pytest.mark.limit(180)
@pytest.mark.parametrize("name", CASES)
def test_snapshot_is_what_ffmpeg_shows(gallery, name):
    jpeg = snapshot(gallery, name)
    size = CASES[name][0]
    is_, should = jpeg_planes(jpeg), expected_planes(gallery.folder / f"{name}.mkv", size)
    assert is_.shape == should.shape
    shifts = (is_ - should).mean(axis=(1, 2))
    assert psnr(is_[0], should[0]) >= 38, shifts
    assert abs(shifts).max() <= 1, shifts
    assert min(psnr(is_[1], should[1]), psnr(is_[2], should[2])) >= 35


def smaller(size, width):
    """The size of a variant: proportions kept, height even."""
    return width, (size[1] * width + size[0]) // (2 * size[0]) * 2


@pytest.mark.limit(180)
@pytest.mark.parametrize("width", [160, 240])
@pytest.mark.parametrize(
    "name", [*CASES, *(f"{name}-through" for name, case in CASES.items() if case[4] is MJPEG)]
)
def test_a_smaller_picture_is_what_ffmpeg_makes(gallery, name, width):
    """Also of a camera whose JPEGs are passed through, which are decoded for it."""
    jpeg = snapshot(gallery, name, f"?width={width}&quality=95")
    clip = name.removesuffix("-through")
    size = smaller(CASES[clip][0], width)
    is_, should = jpeg_planes(jpeg), expected_planes(gallery.folder / f"{clip}.mkv", size)
    assert is_.shape == should.shape
    shifts = (is_ - should).mean(axis=(1, 2))
    assert psnr(is_[0], should[0]) >= 33, shifts
    assert abs(shifts).max() <= 1, shifts
    assert min(psnr(is_[1], should[1]), psnr(is_[2], should[2])) >= 30
