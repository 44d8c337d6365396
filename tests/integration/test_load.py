"""A hundred users at once (C10): each request is answered, with the right thing."""
import asyncio
import json

import pytest

from clips import jpeg_fault, read_number
from product import running

USERS = 100


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    cameras = {"door": "test:?size=640x360&fps=20", "yard": "test:?size=320x240&fps=10"}
    with running(tmp_path_factory.mktemp("load"), cameras) as camring:
        yield camring.wait_live("door", "yard")


def is_list(body):
    return [camera["id"] for camera in json.loads(body)["cameras"]] == ["door", "yard"]


def is_picture(body):
    return not jpeg_fault(body) and read_number(body) is not None


REQUESTS = [
    ("/api/v1/cameras", 200, "application/json", is_list),
    (
        "/api/v1/cameras/yard",
        200,
        "application/json",
        lambda body: json.loads(body)["id"] == "yard",
    ),
    ("/cameras/door/snapshot.jpg", 200, "image/jpeg", is_picture),
    ("/cameras/yard/snapshot.jpg", 200, "image/jpeg", is_picture),
    ("/", 200, "text/html", lambda body: b"<html" in body),
    ("/healthz", 200, "application/json", lambda body: json.loads(body)["status"] == "ok"),
    (
        "/cameras/nobody/snapshot.jpg",
        404,
        "application/json",
        lambda body: "nobody" in json.loads(body)["error"],
    ),
    (
        "/cameras/door/snapshot.jpg?max_age=many",
        400,
        "application/json",
        lambda body: "max_age" in json.loads(body)["error"],
    ),
]


async def read_answer(reader):
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {
        name.lower(): value
        for name, _, value in (line.partition(": ") for line in lines[1:] if line)
    }
    return (
        int(lines[0].split()[1]),
        headers,
        await reader.readexactly(int(headers["content-length"])),
    )


async def ask(reader, writer, request):
    path, status, kind, is_right = request
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    got, headers, body = await read_answer(reader)
    return got == status and headers["content-type"].startswith(kind) and is_right(body)


async def watch(port, number, start):
    """Opens a stream and sees a few pictures of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await start.wait()
    writer.write(
        f"GET /cameras/{('door', 'yard')[number % 2]}/stream.mjpeg HTTP/1.1\r\n"
        "Host: x\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    right = head.startswith(b"HTTP/1.1 200 ") and b"multipart/x-mixed-replace" in head
    for _ in range(3):
        part = await reader.readuntil(b"\r\n\r\n")
        length = int(part.lower().partition(b"content-length: ")[2].split()[0])
        right &= is_picture(await reader.readexactly(length))
    writer.close()
    return right


async def use_one_connection(port, number, start):
    """Five requests one after the other, as a page makes them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await start.wait()
    answers = [await ask(reader, writer, REQUESTS[(number + i) % len(REQUESTS)]) for i in range(5)]
    writer.close()
    return answers


async def use_five_connections(port, number, start):
    """Five requests at the same moment."""
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
    await start.wait()
    answers = await asyncio.gather(
        *(ask(*c, REQUESTS[(number + i) % len(REQUESTS)]) for i, c in enumerate(connections))
    )
    for _, writer in connections:
        writer.close()
    return answers


async def storm(port, use):
    start = asyncio.Event()
    users = [asyncio.create_task(use(port, number, start)) for number in range(USERS)]
    viewers = [asyncio.create_task(watch(port, number, start)) for number in range(USERS)]
    await asyncio.sleep(0)
    start.set()
    answers = sum(await asyncio.gather(*users), [])
    return answers, await asyncio.gather(*viewers)


@pytest.mark.parametrize("use", [use_one_connection, use_five_connections])
def test_a_hundred_users(server, use):
    answers, viewers = asyncio.run(asyncio.wait_for(storm(server.port, use), 120))
    assert (sum(answers), len(answers)) == (5 * USERS, 5 * USERS)
    assert (sum(viewers), len(viewers)) == (USERS, USERS)
