"""Unix sockets, sockets given by a service manager, a path below a proxy's, pages of other
origins."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile

import pytest

from logins import basic, bearer, write_users
from multipart import Stream
from product import BIN, Process, cli, free_port, wait_for

CAMERAS = {"cam": "test:?size=320x240&fps=20"}


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask_unix(path, target, method="GET", headers=None):
    """(status, headers, body)"""
    connection = UnixConnection(path)
    try:
        connection.request(method, target, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def ask_unix_as_nobody(path, target, headers=()):
    """The status that another user gets."""
    words = [word for key, value in dict(headers).items() for word in ("-H", f"{key}: {value}")]
    done = subprocess.run(
        [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "curl",
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
        ]
        + ["--unix-socket", str(path), *words, f"http://x{target}"],
        capture_output=True,
        timeout=30,
    )
    return int(done.stdout)


@pytest.fixture
def place(tmp_path_factory):
    """A folder that everybody may look into, with a short name."""
    folder = tempfile.mkdtemp(prefix="camring-unix.")
    os.chmod(folder, 0o755)
    yield pathlib.Path(folder)
    shutil.rmtree(folder)


def on_unix(instance, place, mode=None, port=None, **options):
    """(instance, path of its socket): on both a unix socket and a port."""
    port = port or free_port()
    path = place / "web.sock"
    listen = {"listen": [f"unix:{path}", f"127.0.0.1:{port}"], **options}
    if mode:
        listen["unix_mode"] = mode
    return instance(CAMERAS, port=port, http=listen), path


@pytest.mark.parametrize("mode", [None, "0600", "666"])
def test_unix_socket(instance, place, mode):
    camring, path = on_unix(instance, place, mode)
    old = os.umask(0o077)
    try:
        camring.run()
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == int(mode or "0660", 8)
    wait_for(lambda: ask_unix(path, "/snapshot")[0] == 200, 30, "a picture")
    assert ask_unix(path, "/")[0] == 200
    assert ask_unix(path, "/nothing")[0] == 404
    assert f"unix:{path}" in camring.log()
    camring.stop()
    assert not path.exists()


def test_stream_over_a_unix_socket(instance, place):
    camring, path = on_unix(instance, place)
    camring.run()
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(str(path))
        s.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        while received.count(b"Content-Type: image/jpeg") < 20:
            data = s.recv(1 << 16)
            assert data
            received += data
        wait_for(lambda: camring.camera("cam")["viewers"] == 1, 10, "the viewer")
    wait_for(lambda: camring.camera("cam")["viewers"] == 0, 10, "its end")


def test_a_stale_socket_is_replaced(instance, place):
    camring, path = on_unix(instance, place)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
    assert path.exists()
    camring.run()
    assert ask_unix(path, "/healthz")[0] == 200


def test_a_killed_supervisor_leaves_no_obstacle(instance, place):
    camring, path = on_unix(instance, place)
    camring.run()
    camring.children()
    camring.supervisor.kill()
    camring.wait_exit()
    wait_for(lambda: not [p for p in camring.seen.values() if p.alive()], 20, "the end of all")
    assert path.exists()
    camring.run()
    assert ask_unix(path, "/healthz")[0] == 200


def test_a_socket_in_use_is_refused(instance, place):
    first, path = on_unix(instance, place)
    first.run()
    second, _ = on_unix(instance, place)
    second.run(wait=False)
    assert second.wait_exit() == 1
    assert f"cannot listen on unix:{path}: another program listens there" in second.log()
    assert ask_unix(path, "/healthz")[0] == 200


def test_other_files_are_left_alone(instance, place):
    camring, path = on_unix(instance, place)
    path.write_text("precious")
    camring.run(wait=False)
    assert camring.wait_exit() == 1
    assert "no socket" in camring.log() and path.read_text() == "precious"


def test_what_took_its_place_is_left_alone(instance, place):
    camring, path = on_unix(instance, place)
    camring.run()
    path.unlink()
    path.write_text("precious")
    camring.stop()
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    "listen, word",
    [
        ("unix:web.sock", "unix:/PATH"),
        ("unix:", "unix:/PATH"),
        ("unix:/tmp/", "unix:/PATH"),
        ("unix:/tmp/" + "x" * 103, "107 bytes"),
    ],
)
def test_bad_paths(tmp_path, listen, word):
    path = tmp_path / "c.yaml"
    path.write_text(json.dumps({"http": {"listen": [listen]}, "cameras": CAMERAS}))
    done = cli("check", "-c", path)
    assert done.returncode == 4 and word in done.stderr, done


@pytest.mark.parametrize("mode", ["rw-rw----", "0999", "7", "01777"])
def test_bad_modes(tmp_path, mode):
    path = tmp_path / "c.yaml"
    path.write_text(json.dumps({"http": {"unix_mode": mode}, "cameras": CAMERAS}))
    done = cli("check", "-c", path)
    assert done.returncode == 4 and "octal" in done.stderr, done


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
def test_logins_on_a_unix_socket(instance, place):
    """Its own user and root need none there; others do, and so does whatever a proxy passes on."""
    write_users(place / "users", {"me": "Ux4-pass"})
    camring, path = on_unix(instance, place, "0666", users_file=str(place / "users"))
    camring.run()
    assert ask_unix(path, "/api/v1/cameras")[0] == 200
    assert ask_unix(path, "/api/v1/cameras", headers={"X-Forwarded-For": "203.0.113.7"})[0] == 401
    assert ask_unix_as_nobody(path, "/api/v1/cameras") == 401
    assert ask_unix_as_nobody(path, "/api/v1/cameras", basic("me", "Ux4-pass")) == 200
    assert camring.get("/api/v1/cameras")[0] == 401


def test_a_unix_socket_is_as_good_as_a_token(instance, place):
    camring, path = on_unix(instance, place)
    camring.run()
    restart = "/api/v1/cameras/cam/restart"
    assert camring.get(restart, method="POST")[0] == 403
    assert ask_unix(path, restart, "POST", {"X-Forwarded-For": "203.0.113.7"})[0] == 403
    assert ask_unix(path, restart, "POST")[0] == 202


# ---- sockets that are given ----------------------------------------------------------

GIVE = """
import os, socket, sys
sockets = []
for address in sys.argv[2].split(","):
    if address.startswith("/"):
        s = socket.socket(socket.AF_UNIX)
        s.bind(address)
    else:
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address.split(":")[0], int(address.split(":")[1])))
    if sys.argv[1] == "listen":
        s.listen()
    sockets.append(s)
for number, s in enumerate(sockets):
    os.dup2(s.fileno(), 50 + number)
for number in range(len(sockets)):
    os.dup2(50 + number, 3 + number, inheritable=True)
    os.close(50 + number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(sockets)), LISTEN_FDNAMES="x")
os.execv(sys.argv[3], sys.argv[3:])
"""


def run_with_sockets(camring, addresses, how="listen", wait=True):
    camring.run(wait=False, wrapper=[sys.executable, "-c", GIVE, how, ",".join(addresses)])
    camring.supervisor = Process(camring._popen.pid)
    if wait:
        camring.wait_listening()
    return camring


def test_given_sockets_are_used_instead(instance, place):
    port, path = free_port(), place / "given.sock"
    camring = instance(CAMERAS, port=port, http={"listen": ["127.0.0.1:1"]})
    run_with_sockets(camring, [f"127.0.0.1:{port}", str(path)])
    assert ask_unix(path, "/healthz")[0] == 200
    with Stream(port, "/stream") as stream:
        stream.wait_parts(3)
    assert f"http://127.0.0.1:{port}/" in camring.log() and f"unix:{path}" in camring.log()
    for process in [*camring.children()]:
        assert b"LISTEN_FDS" not in open(f"/proc/{process.pid}/environ", "rb").read()
    camring.stop()
    assert path.exists(), "the file is its maker's"


def test_a_given_socket_open_to_all_is_refused(instance):
    port = free_port()
    camring = instance(CAMERAS, port=port)
    run_with_sockets(camring, [f"0.0.0.0:{port}"], wait=False)
    assert camring.wait_exit() == 1
    assert f"http://0.0.0.0:{port}/" in camring.log() and "allow_open_bind" in camring.log()
    camring = instance(CAMERAS, port=port, http={"allow_open_bind": True})
    run_with_sockets(camring, [f"0.0.0.0:{port}"])


def test_a_given_socket_that_does_not_listen_is_refused(instance):
    camring = instance(CAMERAS)
    run_with_sockets(camring, [f"127.0.0.1:{free_port()}"], how="bind", wait=False)
    assert camring.wait_exit() == 1
    assert "descriptor 3" in camring.log()


def test_sockets_given_to_another_process_are_not_ours(instance):
    camring = instance(CAMERAS)
    camring.run(env={**os.environ, "LISTEN_PID": "1", "LISTEN_FDS": "1"})
    assert camring.get("/healthz")[0] == 200


@pytest.mark.skipif(
    not shutil.which("systemd-socket-activate"), reason="systemd-socket-activate is not there"
)
def test_socket_activation(instance):
    """The real one: it starts camring when the first client comes, whose request is answered."""
    port = free_port()
    camring = instance(CAMERAS, port=port, http={"listen": ["127.0.0.1:1"]})
    camring.run(wait=False, wrapper=["systemd-socket-activate", "-l", f"127.0.0.1:{port}"])
    camring.supervisor = Process(camring._popen.pid)
    camring.wait_listening()
    camring.supervisor = Process(camring._popen.pid)
    assert camring.supervisor.name == "camring"
    camring.stop()


def test_systemd_takes_the_unit(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not there")
    scripts = pathlib.Path(__file__).parents[2] / "scripts"
    text = (
        (scripts / "camring.service")
        .read_text()
        .replace("/usr/local/bin/camring", str(BIN / "camring"))
    )
    (tmp_path / "camring.service").write_text(text)
    shutil.copy(scripts / "camring.socket", tmp_path)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "camring.socket")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    faults = [line for line in done.stderr.splitlines() if "camring.s" in line]
    assert not faults, done


# ---- below a proxy's path ------------------------------------------------------------


@pytest.mark.parametrize("base", ["/cams", "/a/b/"])
def test_base_path(instance, base):
    camring = instance(CAMERAS, http={"base_path": base}).run()
    below = base.rstrip("/")
    wait_for(lambda: camring.get(f"{below}/snapshot")[0] == 200, 30, "a picture")
    info = json.loads(camring.get(f"{below}/api/v1/cameras/cam")[2])
    assert camring.get(info["snapshot"])[0] == 200 and info["snapshot"].startswith(
        f"{below}/cameras/"
    )
    with Stream(camring.port, info["stream"]) as stream:
        stream.wait_parts(2)
    status, _, page = camring.get(f"{below}/")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.decode())
    assert status == 200 and links
    for link in links:
        assert camring.get(f"{below}/{link}", method="HEAD")[0] == 200, link
    status, headers, _ = camring.get(f"{below}?x=1")
    assert (status, headers["location"]) == (308, f"{below}/?x=1")
    assert camring.get(f"{below}/?action=snapshot")[0] == 200
    for path in ["/", "/snapshot", "/api/v1/cameras", f"{below}x/", "/x"]:
        assert camring.get(path)[0] == 404, path
    for path in ["/healthz", "/readyz", f"{below}/healthz"]:
        assert camring.get(path)[0] == 200, path
    assert f"http://127.0.0.1:{camring.port}{below}/" in camring.log()


@pytest.mark.parametrize("base", ["cams", "/a//b", "/a b", "/../x", "/x/..", "/" + "x" * 200, ""])
def test_bad_base_paths(tmp_path, base):
    path = tmp_path / "c.yaml"
    path.write_text(json.dumps({"http": {"base_path": base}, "cameras": CAMERAS}))
    done = cli("check", "-c", path)
    assert done.returncode == 4 and "base_path" in done.stderr, done


# ---- pages of other origins ----------------------------------------------------------

HERE, THERE = "https://wall.example.org", "http://127.0.0.1:3000"


def cors_of(camring, path, origin, method="GET", **more):
    status, headers, _ = camring.get(path, method=method, headers={"Origin": origin, **more})
    found = {key: value for key, value in headers.items() if key.startswith("access-control-")}
    return status, found, headers.get("vary")


def test_no_origin_is_allowed_at_first(instance):
    camring = instance(CAMERAS).run()
    for method in "GET", "OPTIONS":
        assert cors_of(camring, "/api/v1/cameras", HERE, method)[1:] == ({}, None)


def test_named_origins(instance, tmp_path):
    (tmp_path / "tokens").write_text("Tk9-token\n")
    camring = instance(CAMERAS, http={"cors_origins": [HERE, THERE], "tokens_file": "tokens"}).run()
    token = bearer("Tk9-token")
    for path, status in [("/api/v1/cameras", 200), ("/snapshot", 200), ("/nothing", 404)]:
        wait_for(lambda: camring.get(path, headers=token)[0] == status, 30, path)
        found, headers, vary = cors_of(camring, path, THERE, **token)
        assert (found, vary) == (status, "Origin")
        assert headers["access-control-allow-origin"] == THERE
        assert headers["access-control-allow-credentials"] == "true"
    assert cors_of(camring, "/api/v1/cameras", HERE)[:1] == (401,)
    assert cors_of(camring, "/api/v1/cameras", HERE)[1]["access-control-allow-origin"] == HERE
    for origin in [
        "https://evil.example.org",
        "https://wall.example.org.evil",
        HERE + "/",
        "null",
        "",
    ]:
        assert cors_of(camring, "/api/v1/cameras", origin, **token) == (200, {}, "Origin")
    status, headers, _ = cors_of(
        camring, "/snapshot", HERE, "OPTIONS", **{"Access-Control-Request-Method": "GET"}
    )
    assert status == 204 and "GET" in headers["access-control-allow-methods"]
    assert "Authorization" in headers["access-control-allow-headers"]
    with Stream(camring.port, "/stream", {"Origin": HERE, **token}) as stream:
        stream.wait_headers()
        assert (
            stream.headers["access-control-allow-origin"] == HERE
            and stream.headers["vary"] == "Origin"
        )


def test_any_origin(instance):
    camring = instance(CAMERAS, http={"cors_origins": "*"}).run()
    status, headers, vary = cors_of(camring, "/api/v1/cameras", HERE)
    assert (status, headers["access-control-allow-origin"], vary) == (200, "*", None)
    assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize(
    "origin",
    [
        "wall.example.org",
        "https://wall.example.org/",
        "https://WALL.example.org",
        "ftp://x",
        "https://",
    ],
)
def test_bad_origins(tmp_path, origin):
    path = tmp_path / "c.yaml"
    path.write_text(json.dumps({"http": {"cors_origins": [HERE, origin]}, "cameras": CAMERAS}))
    done = cli("check", "-c", path)
    assert done.returncode == 4 and "cors_origins" in done.stderr, done
