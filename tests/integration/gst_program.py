"""A GStreamer application: gst_program.py DESCRIPTION. Runs the pipeline, whose appsink is called
"out", and obeys lines of its stdin: "pull N" takes N samples and prints what each is, as a line
of JSON; "latency" asks for it, "get ELEMENT PROPERTY" for that; "error" waits for one; the end
of stdin ends it."""
import json
import sys
import zlib

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstVideo", "1.0")
from clips import number_in  # noqa: E402
from gi.repository import Gst, GstApp, GstVideo  # noqa: E402, F401
from PIL import Image  # noqa: E402

WAIT = 30 * Gst.SECOND


def say(**words):
    print(json.dumps(words), flush=True)


def planes(sample):
    """Their pixels, row by row; of a JPEG the file."""
    buffer = sample.get_buffer()
    _, mapped = buffer.map(Gst.MapFlags.READ)
    data = bytes(mapped.data)
    buffer.unmap(mapped)
    if sample.get_caps().get_structure(0).get_name() == "image/jpeg":
        return [data]
    info = GstVideo.VideoInfo.new_from_caps(sample.get_caps())
    meta = GstVideo.buffer_get_video_meta(buffer)
    offset, stride = (meta.offset, meta.stride) if meta else (info.offset, info.stride)
    result = []
    for i in range(info.finfo.n_planes):
        width = -(-info.width // (1 << info.finfo.w_sub[i]))
        height = -(-info.height // (1 << info.finfo.h_sub[i]))
        rows = (offset[i] + row * stride[i] for row in range(height))
        result.append(b"".join(data[at : at + width] for at in rows))
    return result


def burnt_in(sample, pixels):
    """The test camera's number in it, if there is one."""
    _, width = sample.get_caps().get_structure(0).get_int("width")
    if len(pixels) % width:
        return None
    return number_in(Image.frombytes("L", (width, len(pixels) // width), pixels))


def main(description):
    Gst.init(None)
    pipeline = Gst.parse_launch(description)
    sink = pipeline.get_by_name("out")
    pipeline.set_state(Gst.State.PLAYING)
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "pull":
            for _ in range(int(rest[0])):
                sample = sink.try_pull_sample(WAIT)
                if not sample:
                    message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
                    return say(error=str(message.parse_error() if message else "no sample"))
                buffer, pixels = sample.get_buffer(), planes(sample)
                say(
                    caps=sample.get_caps().to_string(),
                    pts=buffer.pts,
                    at=buffer.pts + pipeline.get_base_time(),
                    number=buffer.offset,
                    gap=bool(buffer.get_flags() & Gst.BufferFlags.DISCONT),
                    sums=[zlib.crc32(plane) for plane in pixels],
                    burnt=burnt_in(sample, pixels[0]),
                )
                del sample, buffer
        elif word == "get":
            name, prop = rest
            say(value=pipeline.get_by_name(name).get_property(prop))
        elif word == "error":
            message = pipeline.get_bus().timed_pop_filtered(WAIT, Gst.MessageType.ERROR)
            say(error=str(message.parse_error() if message else None))
        elif word == "latency":
            query = Gst.Query.new_latency()
            pipeline.query(query)
            say(latency=query.parse_latency())
    pipeline.set_state(Gst.State.NULL)
    say(ended=True)


main(*sys.argv[1:])
