#!/usr/bin/python3
"""An HTTP camera for tests: pushes the JPEGs of an MJPEG file as multipart/x-mixed-replace, at a
steady rate, for ever.

    http_camera.py CLIP.mjpeg [--port N] [--fps 30]

Prints "ready PORT".  The path picks its behaviour:
    /video.mjpg      parts with Content-Length          /nolength.mjpg  without
    /close.mjpg      closes after 20 frames
    /stall.mjpg      says nothing more after 20 frames
    /garbage.mjpg    parts full of noise
    /noise.mjpg      no multipart at all: noise behind the header
    /secret.mjpg     401 unless Basic viewer:Xy7-open"""
import argparse
import asyncio
import base64
import random
import time

from clips import split_jpegs

HEAD = (
    b"HTTP/1.0 200 OK\r\nCache-Control: no-store\r\n"
    b"Content-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
)
DENIED = (
    b'HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm="camera"\r\n'
    b'Content-Length: 0\r\n\r\n'
)
CREDENTIALS = b"viewer:Xy7-open"
FEW = 20


def part_with_length(jpeg):
    return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (
        len(jpeg),
        jpeg,
    )


def part_without_length(jpeg):
    return b"--frame\r\nContent-Type: image/jpeg\r\n\r\n%s\r\n" % jpeg


class Camera:
    def __init__(self, jpegs, fps):
        self.jpegs = jpegs
        self.fps = fps
        self.begin = time.monotonic()

    async def frames(self):
        """The pictures from now on: the clock runs whether anyone watches or not."""
        at = int((time.monotonic() - self.begin) * self.fps) + 1
        while True:
            await asyncio.sleep(max(0, self.begin + at / self.fps - time.monotonic()))
            yield self.jpegs[at % len(self.jpegs)]
            at += 1

    async def push(self, writer, make_part, limit=None):
        sent = 0
        async for jpeg in self.frames():
            writer.write(make_part(jpeg))
            await writer.drain()
            sent += 1
            if sent == limit:
                return

    async def serve(self, reader, writer):
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            path = request.split()[1].decode().partition("?")[0]
            if (
                path == "/secret.mjpg"
                and b"Basic " + base64.b64encode(CREDENTIALS) + b"\r\n" not in request
            ):
                writer.write(DENIED)
            elif path in ("/video.mjpg", "/secret.mjpg"):
                writer.write(HEAD)
                await self.push(writer, part_with_length)
            elif path == "/nolength.mjpg":
                writer.write(HEAD)
                await self.push(writer, part_without_length)
            elif path == "/close.mjpg":
                writer.write(HEAD)
                await self.push(writer, part_with_length, FEW)
            elif path == "/stall.mjpg":
                writer.write(HEAD)
                await self.push(writer, part_with_length, FEW)
                await reader.read()
            elif path == "/garbage.mjpg":
                writer.write(HEAD)
                await self.push(writer, lambda _: part_with_length(random.randbytes(20000)))
            elif path == "/noise.mjpg":
                writer.write(HEAD)
                await self.push(writer, lambda _: random.randbytes(20000))
            else:
                writer.write(b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("clip")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fps", type=float, default=30)
    args = parser.parse_args()
    with open(args.clip, "rb") as clip:
        camera = Camera(split_jpegs(clip.read()), args.fps)
    server = await asyncio.start_server(camera.serve, "127.0.0.1", args.port)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
