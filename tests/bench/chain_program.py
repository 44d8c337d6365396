#!/usr/bin/python3
"""chain_program.py SOURCE PORT: the program people write: OpenCV takes the pictures, a filter makes
negatives of them, and for each viewer aiohttp pushes the newest as a JPEG."""
import asyncio
import sys

import cv2
from aiohttp import web


def take(capture):
    """The next picture, filtered."""
    got, picture = capture.read()
    if not got:
        sys.exit("no picture")
    return 255 - picture


def encode(picture):
    """Its JPEG."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


class Pictures:
    """The newest, for all viewers."""

    def __init__(self):
        self.newest = None
        self.came = asyncio.Condition()

    async def run(self, source):
        """Never ends."""
        capture = cv2.VideoCapture(source)
        loop = asyncio.get_running_loop()
        while True:
            picture = await loop.run_in_executor(None, take, capture)
            async with self.came:
                if self.newest is None:
                    print("ready", flush=True)
                self.newest = picture
                self.came.notify_all()

    async def stream(self, request):
        """A viewer."""
        response = web.StreamResponse(
            headers={"Content-Type": "multipart/x-mixed-replace;boundary=frame"}
        )
        await response.prepare(request)
        loop = asyncio.get_running_loop()
        while True:
            async with self.came:
                await self.came.wait()
            jpeg = await loop.run_in_executor(None, encode, self.newest)
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            await response.write(head.encode() + jpeg + b"\r\n")


async def serve():
    """Pictures and viewers."""
    pictures = Pictures()
    application = web.Application()
    application.router.add_get("/", pictures.stream)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(sys.argv[2])).start()
    await pictures.run(sys.argv[1])


asyncio.run(serve())
