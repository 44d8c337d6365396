"""The API: what it says of cameras, events, restarts, other servers' paths; and that openapi.json
tells the truth about all of it."""
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import time

import jsonschema
import pytest

from clips import jpeg_fault, read_number
from events import Events
from logins import basic, bearer, write_users
from multipart import Stream
from product import ROOT, cli, cpu_seconds, fetch, free_port, running, wait_for

TOKEN, USER = bearer("Tk9-token"), basic("me", "Ux4-pass")
AWAY = "file:/nowhere.mp4"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    cameras = {
        "door": "test:?size=640x360&fps=20",
        "yard": "test:?size=320x240&fps=20",
        "dead": {
            "source": f"rtsp://127.0.0.1:{free_port()}/cam",
            "reconnect": {"every": "60s", "max": "60s"},
        },
    }
    with running(tmp_path_factory.mktemp("api"), cameras) as camring:
        camring.wait_live("door", "yard").wait_state("dead", "away")
        yield camring


def locked(folder, cameras, **http_options):
    write_users(folder / "users", {"me": "Ux4-pass"})
    (folder / "tokens").write_text("Tk9-token\n")
    files = {"users_file": str(folder / "users"), "tokens_file": str(folder / "tokens")}
    return running(folder, cameras, http={**files, **http_options})


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """Users and tokens."""
    with locked(
        tmp_path_factory.mktemp("guarded"), {"door": "test:?size=320x240&fps=20"}
    ) as camring:
        wait_for(lambda: camring.get("/snapshot", headers=TOKEN)[0] == 200, 30, "a picture")
        yield camring


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Its only camera is away, and its only place taken."""
    with running(
        tmp_path_factory.mktemp("full"), {"door": AWAY}, http={"max_clients": 1}
    ) as camring:
        camring.wait_state("door", "away")
        with Stream(camring.port, "/stream") as stream:
            stream.wait_headers()
            yield camring


def ask(camring, path, method="GET", headers=None):
    """Status, headers and what came of the body at once; endless answers, too."""
    connection = http.client.HTTPConnection("127.0.0.1", camring.port, timeout=60)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        found = {k.lower(): v for k, v in answer.getheaders()}
        return (
            answer.status,
            found,
            answer.read() if "content-length" in found else answer.read1(65536),
        )
    finally:
        connection.close()


# ---- cameras


def test_what_is_said_of_a_camera(server):
    with Stream(server.port, "/cameras/door/stream.mjpeg") as stream:
        stream.wait_parts(10)
        door = wait_for(
            lambda: (c := server.camera("door"))["viewers"] == 1 and c["fps"] > 15 and c,
            20,
            "a viewer",
        )
    assert (door["state"], door["why"], door["fresh"]) == ("live", None, True)
    assert (door["width"], door["height"], door["codec"]) == (640, 360, "test")
    assert (
        0 <= door["queued_ms"] < 5000 and 0 < door["encoded_ms"] < 5000 and door["age_ms"] < 20000
    )
    assert 0 <= door["cpu"] < 4 and door["memory"] > 1 << 20 and door["restarts"] == 0
    dead = server.camera("dead")
    assert (dead["state"], dead["fresh"], dead["fps"], dead["frame"], dead["age_ms"]) == (
        "away",
        False,
        0,
        0,
        None,
    )
    assert "refused" in dead["why"]


def capture(camring, camera="door"):
    for process in camring.children("capture"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            with open(f"/proc/{process.pid}/cmdline", "rb") as cmdline:
                if camera.encode() in cmdline.read():
                    return process.pid
    return None


@pytest.mark.quiet
def test_cpu_is_that_of_the_capture(tmp_path):
    with running(tmp_path, {"busy": {"source": "test:?size=3840x2160&fps=1000"}}) as camring:
        camring.wait_live("busy")
        pid = capture(camring, "busy")
        with Stream(camring.port, "/stream"):
            camring.camera("busy")
            begin, before = time.monotonic(), cpu_seconds(pid)
            time.sleep(3)
            said = camring.camera("busy")["cpu"]
            real = (cpu_seconds(pid) - before) / (time.monotonic() - begin)
            print(f"{said} cores, really {real:.3f}")
            assert real > 0.05 and abs(said - real) < 0.2 * real + 0.02
            assert len({camring.camera("busy")["cpu"] for _ in range(20)}) <= 2


def test_restarts_are_counted(tmp_path):
    with running(tmp_path, {"door": "test:?size=320x240&fps=20"}) as camring:
        camring.wait_live("door")
        first = camring.children("capture")[0]
        first.kill()
        wait_for(lambda: camring.camera("door")["restarts"] == 1, 20, "a restart")
        camring.wait_live("door")
        # What the API says may be some moments old, from before the new process was all there.
        wait_for(lambda: (camring.camera("door")["memory"] or 0) > 1 << 20, 20, "a process again")


def test_pages_say_the_whole(server):
    page = server.api("cameras?limit=1")
    assert [camera["id"] for camera in page["cameras"]] == ["door"]
    assert (page["next"], page["total"], page["states"]) == ("door", 3, {"live": 2, "away": 1})


# ---- events


@pytest.mark.parametrize("last", [None, "17", "x" * 1000, "\xff"])
def test_events_begin_with_all_cameras(server, last):
    with Events(server.port, {"Last-Event-ID": last} if last else None) as events:
        events.begin()
        assert events.status == 200
        assert events.headers["content-type"] == "text/event-stream"
        assert (
            "no-store" in events.headers["cache-control"]
            and events.headers["x-accel-buffering"] == "no"
        )
        assert int(events.block()["retry"]) >= 1000
        seen = [events.camera() for _ in range(3)]
    assert [camera["id"] for camera, _ in seen] == ["door", "yard", "dead"]
    assert [number for _, number in seen] == sorted({number for _, number in seen})
    assert set(seen[0][0]) == set(server.camera("door"))


@pytest.mark.limit(180)
def test_events_tell_what_changes(tmp_path):
    with running(
        tmp_path,
        {"door": "test:?size=320x240&fps=20", "yard": "test:?size=320x240"},
        http={"workers": 2},
    ) as camring:
        camring.wait_live("door", "yard")
        with Events(camring.port) as events, Events(camring.port) as others:
            for each in (events, others):
                each.begin()
                assert {each.camera()[0]["id"] for _ in range(2)} == {"door", "yard"}
            with Stream(camring.port, "/cameras/door/stream.mjpeg") as stream:
                stream.wait_parts(2)
                for each in (events, others):  # whichever process serves whom
                    assert each.until(lambda c: c["viewers"] == 1)["id"] == "door"
            os.kill(capture(camring), signal.SIGKILL)
            for each in (events, others):
                each.until(lambda c: c["id"] == "door" and c["state"] != "live")
                each.until(
                    lambda c: c["id"] == "door" and c["state"] == "live" and c["restarts"] == 1
                )


def test_a_camera_whose_watched_pictures_stand_is_not_fresh(tmp_path):
    """Packets come, but whoever watches gets nothing new: readiness, API, events and metrics say
    so."""
    with running(
        tmp_path, {"door": {"source": "test:?size=320x240&fps=20", "stall_timeout": "1s"}}
    ) as camring:
        camring.wait_live("door")
        with Events(camring.port) as events, Stream(
            camring.port, "/cameras/door/stream.mjpeg"
        ) as stream:
            stream.wait_parts(2)
            events.begin().until(lambda c: c["fresh"] and c["viewers"] == 1)
            encoders = camring.children("encoder")
            for encoder in encoders:  # for less than the 10 s after which they would be replaced
                encoder.kill(signal.SIGSTOP)
            try:
                events.until(lambda c: not c["fresh"])
                status, _, body = camring.get("/readyz")
                metrics = camring.get("/metrics")[2]
            finally:
                for encoder in encoders:
                    encoder.kill(signal.SIGCONT)
            assert status == 503
            assert json.loads(body)["cameras"] == [
                {"id": "door", "state": "live", "why": "no pictures come"}
            ]
            assert b'camring_camera_fresh{camera="door"} 0\n' in metrics
            events.until(lambda c: c["fresh"])
            assert camring.get("/readyz")[0] == 200


def test_few_pictures_by_configuration_are_no_stall(tmp_path):
    """A cap of the rate makes pictures rarer than stall_timeout: viewers see them, no placeholder
    in between, and all is fresh."""
    rare = {"source": "test:?size=320x240&fps=20", "fps": 0.5, "stall_timeout": "1s"}
    with running(tmp_path, {"rare": rare}) as camring, Events(camring.port) as events:
        camring.wait_live("rare")
        with Stream(camring.port, "/cameras/rare/stream.mjpeg?info=1") as stream:
            events.begin().until(lambda c: c["fresh"] and c["viewers"] == 1)
            stream.wait(
                lambda s: len({part.headers["x-frame"] for part in s.parts} - {"0"}) >= 3,
                30,
                "three pictures",
            )
            seen = [int(part.headers["x-frame"]) for part in stream.parts]
        assert all(seen[seen.index(max(seen) - 2) :]), seen  # none of them drawn
        told = []
        events.until(lambda c: told.append(c["fresh"]) or c["viewers"] == 0)
        assert all(told), told


def test_events_tell_another_cause(tmp_path):
    """A camera that stays away for another reason than before."""
    port = free_port()
    source = {
        "source": f"rtsp://127.0.0.1:{port}/cam",
        "reconnect": {"every": "100ms", "for": "60s"},
    }
    with running(tmp_path, {"gone": source}) as camring, Events(camring.port) as events:
        events.begin().until(lambda c: c["state"] == "away" and "refused" in c["why"])
        with socket.create_server(("127.0.0.1", port)) as door:
            door.settimeout(30)
            door.accept()[0].close()
            events.until(lambda c: c["state"] == "away" and "refused" not in c["why"])


@pytest.mark.limit(120)
def test_a_comment_shows_that_the_line_stands(server):
    with Events(server.port) as events:
        events.begin()
        seen = [events.block() for _ in range(4)]
        assert [list(block) for block in seen[1:]] == [["event", "id", "data"]] * 3
        begin = time.monotonic()
        while "" not in (block := events.block()):
            pass
        assert list(block) == [""]
        assert 5 < time.monotonic() - begin < 30


@pytest.mark.limit(120)
def test_a_client_that_reads_nothing_is_cut(tmp_path):
    """The line is full before it has heard of all cameras; nobody else notices, and no memory
    grows."""
    cameras = {
        f"c{i}": {"source": AWAY, "reconnect": {"every": "100ms", "for": "60s"}} for i in range(60)
    }
    with running(tmp_path, cameras, http={"client_timeout": "2s"}) as camring:
        camring.wait_state("c59", "away")
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(Events(camring.port, size=2048)) for _ in range(20)]
            reader = stack.enter_context(Events(camring.port)).begin()
            assert len({reader.camera()[0]["id"] for _ in range(60)}) == 60
            wait_for(lambda: connections(camring) == 1, 30, "the cut")
            camring.children("capture")[0].kill()
            reader.until(lambda c: c["restarts"] == 1)
            for client in clients:
                with pytest.raises((ConnectionError, EOFError)):
                    while client.file.read(4096):
                        pass
                    raise EOFError


def connections(camring):
    """How many stand at this moment."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table][1:]
    return sum(row[1].endswith(f":{camring.port:04X}") and row[3] == "01" for row in rows)


def test_events_take_places(tmp_path):
    with running(
        tmp_path, {"door": "test:?size=320x240&fps=20"}, http={"max_clients": 2}
    ) as camring:
        camring.wait_live("door")
        with Events(camring.port) as one, Events(camring.port) as two, Events(
            camring.port
        ) as three:
            assert [one.begin().status, two.begin().status, three.begin().status] == [200, 200, 503]
            assert ask(camring, "/stream")[0] == 503
        wait_for(lambda: ask(camring, "/stream")[0] == 200, 20, "a free place")


# ---- restart


def restart(camring, headers=None, camera="door"):
    status, _, body = fetch(camring.port, f"/api/v1/cameras/{camera}/restart", "POST", headers)
    return status, json.loads(body)


def test_restart_without_tokens(server):
    assert restart(server) == (403, {"error": "a restart needs a token: set http.tokens_file"})
    assert restart(server, TOKEN)[0] == 403


@pytest.mark.parametrize(
    "headers, status",
    [
        ({}, 401),
        (
            {"Origin": "https://evil.example", "Content-Type": "application/x-www-form-urlencoded"},
            401,
        ),
        (bearer("wrong"), 401),
        (USER, 403),
        ({**USER, "Cookie": "token=Tk9-token"}, 403),
    ],
)
def test_restart_needs_a_token(guarded, headers, status):
    before = capture(guarded)
    assert restart(guarded, headers)[0] == status
    assert fetch(guarded.port, "/api/v1/cameras/door/restart", headers=TOKEN)[0] == 405
    assert capture(guarded) == before


def test_restart(tmp_path):
    with locked(
        tmp_path, {"door": "test:?size=320x240&fps=20", "yard": "test:?size=320x240"}
    ) as camring:
        wait_for(lambda: camring.get("/snapshot", headers=TOKEN)[0] == 200, 30, "a picture")
        assert restart(camring, TOKEN, "nobody")[0] == 404
        before, beside = capture(camring), capture(camring, "yard")
        assert before and beside
        assert restart(camring, TOKEN) == (202, {"id": "door", "status": "restarting"})
        after = wait_for(
            lambda: (pid := capture(camring)) not in (None, before) and pid, 20, "another process"
        )
        assert [restart(camring, TOKEN)[0] for _ in range(20)] == [
            202
        ] * 20  # asked too often: nothing happens
        time.sleep(0.5)
        assert capture(camring) == after and capture(camring, "yard") == beside
        wait_for(
            lambda: b'"state":"live"' in camring.get("/api/v1/cameras/door", headers=TOKEN)[2],
            20,
            "live",
        )
        wait_for(
            lambda: restart(camring, TOKEN)[0] == 202 and capture(camring) not in (None, after),
            20,
            "one more",
        )
        assert "restarted by request" in camring.log()


def test_restart_by_unix_socket(tmp_path):
    """Who may read the server's memory anyway needs no token; who comes through a proxy does."""
    port, path = free_port(), tmp_path / "http"
    listen = {"listen": [f"127.0.0.1:{port}", f"unix:{path}"]}
    with running(
        tmp_path, {"door": "test:?size=320x240&fps=20"}, port=port, http=listen
    ) as camring:
        camring.wait_live("door")
        before = capture(camring)

        def post(headers):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(str(path))
                s.sendall(
                    "POST /api/v1/cameras/door/restart HTTP/1.1\r\nHost: x\r\n"
                    f"Content-Length: 0\r\n{headers}\r\n".encode()
                )
                return int(s.recv(4096).split()[1])

        assert post("X-Forwarded-For: 10.0.0.1\r\n") == 403 and capture(camring) == before
        assert post("") == 202
        wait_for(lambda: capture(camring) not in (None, before), 20, "another process")


# ---- other servers' paths

STREAMS = [
    "/stream",
    "/?action=stream",
    "/?action=stream_0",
    "/api/stream.mjpeg?src=door",
    "/door/mjpg",
    "/1/mjpg",
    "/api/door",
]
PICTURES = [
    "/snapshot",
    "/?action=snapshot",
    "/api/frame.jpeg?src=door",
    "/door/static",
    "/1/static",
    "/api/door/latest.jpg",
]


def both(path):
    """The path and, where it names a camera, the same for the second one; with height and width as
    they stand in a frame's header."""
    other = path.replace("door", "yard").replace("/1/", "/2/").replace("_0", "_1")
    return {other: b"\x00\xf0\x01\x40", path: b"\x01\x68\x02\x80"}.items()


@pytest.mark.parametrize("path", STREAMS)
def test_streams_as_others_have_them(server, path):
    for each, size in both(path):
        with Stream(server.port, each) as stream:
            part = stream.wait_parts(2).parts[-1]
        assert read_number(part.body) is not None and size in part.body[:1000]


@pytest.mark.parametrize("path", PICTURES)
def test_pictures_as_others_have_them(server, path):
    for each, size in both(path):
        status, headers, body = server.get(each)
        assert (status, headers["content-type"]) == (200, "image/jpeg")
        assert not jpeg_fault(body) and size in body[:1000]


@pytest.mark.parametrize(
    "path",
    [
        "/0/mjpg",
        "/4/static",
        "/01x/mjpg",
        "/api/nobody",
        "/api/nobody/latest.jpg",
        "/api/stream.mjpeg?src=nobody",
        "/?action=stream_3",
    ],
)
def test_no_such_camera(server, path):
    status, _, body = server.get(path)
    assert status == 404 and "error" in json.loads(body)


def test_src_is_needed(server):
    assert server.get("/api/frame.jpeg")[0] == 400


def test_state_as_ustreamer_has_it(server):
    status, _, body = server.get("/state")
    state = json.loads(body)
    assert status == 200 and state["ok"] is True
    result = state["result"]
    assert result["source"]["resolution"] == {"width": 640, "height": 360}
    assert result["source"]["online"] is True and result["encoder"]["type"] == "CPU"
    with Stream(server.port, "/stream") as stream:
        stream.wait_parts(5)
        assert json.loads(server.get("/state")[2])["result"]["stream"]["clients"] == 1


def routes():
    """(path, methods) of every row of the table."""
    table = (ROOT / "server/handlers/routes.c").read_text()
    rows = re.findall(r'^    \{"([^"]+)", (?:NULL|"(?:\w+)"), ([A-Z_ |]+), ROUTE_', table, re.M)
    assert len(rows) == len(re.findall(r"^    \{", table, re.M))
    return [
        (path, {method.removeprefix("HTTP_").lower() for method in methods.split(" | ")})
        for path, methods in rows
    ]


def test_no_camera_is_called_like_a_path(tmp_path):
    words = {path.split("/")[1] for path, _ in routes()} - {"", "{id}"}
    assert {"api", "cameras", "live", "metrics", "state", "stream", "web"} <= words
    for word in words:
        config = tmp_path / f"{word}.yaml"
        config.write_text(json.dumps({"cameras": {word: "test:"}}))
        assert cli("check", "-c", config).returncode == 4, word


# ---- openapi.json

API = json.loads((ROOT / "server/web/openapi.json").read_text())


def resolve(node):
    """Follows a $ref."""
    while "$ref" in node:
        found = API
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def walk(node):
    yield node
    for child in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from walk(child)


def schema_of(node):
    """With every $ref in it within reach."""
    return {**node, "components": API["components"]}


def operations():
    return [
        (path, method, operation)
        for path, methods in API["paths"].items()
        for method, operation in methods.items()
    ]


def test_the_description_is_served(server):
    status, headers, body = server.get("/api/v1/openapi.json")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body) == API


def test_the_description_is_sound():
    assert API["openapi"].startswith("3.1.")
    for node in walk(API):
        if isinstance(node, dict):
            assert resolve(node) is not None
    for name, schema in API["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema), name
    for path, method, operation in operations():
        declared = [resolve(parameter) for parameter in operation.get("parameters", [])]
        assert {p["name"] for p in declared if p["in"] == "path"} == set(
            re.findall(r"\{(\w+)\}", path)
        ), path
        assert len({(p["in"], p["name"]) for p in declared}) == len(declared)
        for parameter in declared:
            jsonschema.Draft202012Validator.check_schema(parameter["schema"])
            assert parameter["in"] != "path" or parameter["required"]
        assert operation["summary"] and operation["responses"], (path, method)
        assert any(status[0] == "2" for status in operation["responses"])
    used = {node["$ref"] for node in walk(API) if isinstance(node, dict) and "$ref" in node}
    for kind in ("parameters", "responses", "schemas"):
        assert {f"#/components/{kind}/{name}" for name in API["components"][kind]} <= used


def test_every_path_is_described():
    described = {(re.sub(r"\{\w+\}", "{id}", path), method) for path, method, _ in operations()}
    assert described == {(path, method) for path, methods in routes() for method in methods}


def valid(path):
    return re.sub(r"\{\w+\}", "door", path).replace("/web/door", "/web/app.js")


WITH = {"/api/stream.mjpeg": "?src=door", "/api/frame.jpeg": "?src=door"}
WRONG = {
    "/api/v1/cameras": "?limit=201",
    "/": "?action=nothing",
    "/api/stream.mjpeg": "",
    "/api/frame.jpeg": "",
}
UNKNOWN = {
    "/live": "/live?cameras=nobody",
    "/": "/?action=stream_99",
    "/api/stream.mjpeg": "/api/stream.mjpeg?src=nobody",
    "/api/frame.jpeg": "/api/frame.jpeg?src=nobody",
}
# What can't be had on demand: a supervisor that takes no message, every wait for a picture taken,
# an instance without cameras.
NEVER = {
    ("/api/v1/cameras/{id}/restart", "503"),
    ("/stream", "404"),
    ("/snapshot", "404"),
    ("/state", "404"),
}


def example(path, status):
    """How to bring about that status: which instance, what path, with which headers."""
    if status in ("200", "202"):
        return (
            ("guarded" if path.endswith("restart") or path == "/readyz" else "server"),
            valid(path) + WITH.get(path, ""),
            TOKEN,
        )
    if status == "400":
        wrong = WRONG.get(path, "?profile=nobody" if "snapshot" not in path else "?width=0")
        return "server", valid(path) + wrong, {}
    if status == "401":
        return "guarded", valid(path) + WITH.get(path, ""), {}
    if status == "403":
        return "server", valid(path), {}
    if status == "404":
        return (
            ("guarded" if path.endswith("restart") else "server"),
            UNKNOWN.get(path) or re.sub(r"\{\w+\}", "nobody", path),
            TOKEN,
        )
    assert status == "503", (path, status)
    return "full", "/?action=stream" if path == "/" else valid(path) + WITH.get(path, ""), {}


def check(answer, path, method, status, response):
    got, headers, body = answer
    assert str(got) == status, (method, path, got, body[:200])
    response = resolve(response)
    kind = headers["content-type"].split(";")[0]
    assert kind in response["content"] or "*/*" in response["content"], (path, status, kind)
    if kind == "application/json" and kind in response["content"]:
        jsonschema.Draft202012Validator(schema_of(response["content"][kind]["schema"])).validate(
            json.loads(body)
        )
    for name, header in response.get("headers", {}).items():
        value = headers[name.lower()]
        if header["schema"]["type"] in ("integer", "number"):
            jsonschema.validate(json.loads(value), header["schema"])


CASES = [
    (path, method, status, response)
    for path, method, operation in operations()
    for status, response in operation["responses"].items()
    if (path, status) not in NEVER and status != "429"
]


@pytest.mark.parametrize(
    "path, method, status, response", CASES, ids=[" ".join(case[:3]) for case in CASES]
)
def test_answers_are_as_described(server, guarded, full, path, method, status, response):
    which, target, headers = example(path, status)
    camring = {"server": server, "guarded": guarded, "full": full}[which]
    if which == "guarded" and status == "200":  # another case restarts its camera
        wait_for(lambda: ask(camring, "/readyz")[0] == 200, 30, "ready")
    check(ask(camring, target, method.upper(), headers), path, method, status, response)


def test_guessing_is_answered_as_described(tmp_path):
    with locked(tmp_path, {"door": "test:?size=320x240&fps=20"}) as camring:
        wait_for(
            lambda: ask(camring, "/api/v1/cameras", headers=bearer("wrong"))[0] == 429,
            20,
            "the limit",
        )
        for path, method, operation in operations():
            if "429" in operation["responses"]:
                target = valid(path) + WITH.get(path, "")
                check(
                    ask(camring, target, method.upper(), bearer("wrong")),
                    path,
                    method,
                    "429",
                    operation["responses"]["429"],
                )


def test_errors_that_are_not_described_do_not_occur(server):
    """Each GET path with values of every kind: only statuses that stand there."""
    values = ["", "0", "-1", "1", "x", "99999999999999999999", "%ff", "door", "a" * 255]
    for path, method, operation in operations():
        if method != "get":
            continue
        for parameter in map(resolve, operation.get("parameters", [])):
            if parameter["in"] != "query":
                continue
            for value in values:
                status = ask(server, f"{valid(path)}?{parameter['name']}={value}")[0]
                assert str(status) in operation["responses"], (
                    path,
                    parameter["name"],
                    value,
                    status,
                )
