"""HTTPS: who may connect how, real clients, certificates that change, slow viewers."""
import contextlib
import socket
import ssl
import struct
import subprocess
import time

import pytest

import network
from clips import jpeg_fault, jpeg_faults
from logins import basic, replace, write_users
from multipart import Stream
from product import cli, fetch, free_port, running, wait_for
from test_slow import OVERHEAD, RATE, check_slow

CAMERAS = {"cam": "test:?size=320x240&fps=20"}


def make_certificate(
    folder,
    name="cert",
    key=None,
    days="2",
    algorithm=("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
):
    """(certificate, key), self-signed for 127.0.0.1 and the near ends of test links."""
    cert, key = folder / f"{name}.pem", key or folder / f"{name}-key.pem"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    words = [
        "-newkey",
        *algorithm,
        "-nodes",
        "-keyout",
        str(key),
        "-subj",
        f"/CN={name}",
        "-addext",
        names,
    ]
    subprocess.run(
        ["openssl", "req", "-x509", *words, "-out", str(cert), "-days", days],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return cert, key


def trusting(cert, check_name=True):
    context = ssl.create_default_context(cafile=str(cert))
    context.check_hostname = check_name
    return context


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    cert, key = make_certificate(folder)
    write_users(folder / "users", {"me": "Ux4-pass"})
    http = {"tls": {"cert": "cert.pem", "key": str(key)}, "users_file": "users"}
    with running(folder, CAMERAS, tls=trusting(cert), http=http) as camring:
        wait_for(
            lambda: camring.get("/snapshot", headers=basic("me", "Ux4-pass"))[0] == 200,
            30,
            "a picture",
        )
        camring.cert = cert
        yield camring


def connect(camring, **options):
    context = trusting(camring.cert)
    for name, value in options.items():
        setattr(context, name, value)
    return context.wrap_socket(
        socket.create_connection(("127.0.0.1", camring.port), 10), server_hostname="127.0.0.1"
    )


def test_requests_and_kept_connections(secure):
    for path, status in [("/healthz", 200), ("/", 401), ("/nothing", 404)]:
        assert secure.get(path)[0] == status
    with connect(secure) as s:
        for _ in range(3):
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                answer += s.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(secure, version):
    with connect(secure, minimum_version=version, maximum_version=version) as s:
        assert s.version() == version.name.replace("_", ".")
        assert "GCM" in s.cipher()[0] or "CHACHA20" in s.cipher()[0]
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(4096).startswith(b"HTTP/1.1 200 OK")


def test_old_versions_and_ciphers_are_refused(secure):
    for words in (
        ["-tls1_1"],
        ["-tls1_2", "-cipher", "AES128-SHA:AES256-SHA:ECDHE-ECDSA-AES128-SHA@SECLEVEL=0"],
    ):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{secure.port}", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
        )
        assert done.returncode != 0 and b"Cipher is (NONE)" in done.stdout


def test_alpn(secure):
    context = trusting(secure.cert)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with context.wrap_socket(
        socket.create_connection(("127.0.0.1", secure.port), 10), server_hostname="127.0.0.1"
    ) as s:
        assert s.selected_alpn_protocol() == "http/1.1"
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError):
        context.wrap_socket(
            socket.create_connection(("127.0.0.1", secure.port), 10), server_hostname="127.0.0.1"
        )


def test_plain_http_is_told(secure):
    with socket.create_connection(("127.0.0.1", secure.port), 10) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"y" * 3000 + b"\r\n\r\n")
        answer = b""
        while data := s.recv(4096):
            answer += data
    assert answer.startswith(b"HTTP/1.1 400 ") and b"https://" in answer


def test_nonsense_is_cut(secure):
    for nonsense in (
        b"\x16\x03\x01\x00",
        b"\x00" * 100,
        b"\x16\x03\x01\xff\xff" + b"\x00" * 70000,
        b"SSH-2.0-x\r\n",
    ):
        with socket.create_connection(("127.0.0.1", secure.port), 15) as s, contextlib.suppress(
            OSError
        ):
            s.sendall(nonsense)
            s.shutdown(socket.SHUT_WR)
            while s.recv(4096):
                pass
    assert secure.get("/healthz")[0] == 200


def test_a_handshake_has_ten_seconds(secure):
    """Bytes now and then don't prolong it."""
    with socket.create_connection(("127.0.0.1", secure.port), 15) as s:
        s.sendall(b"\x16\x03\x01\x02\x00\x01")
        s.settimeout(1)
        begin = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while True:
                try:
                    if not s.recv(1):
                        break
                except socket.timeout:
                    assert time.monotonic() - begin < 25
                    s.sendall(b"\x00")
        assert time.monotonic() - begin > 8


def test_stream_ends_cleanly(secure):
    """HEAD and closed connections say goodbye, so that nobody takes them for cut."""
    with connect(secure) as s:
        s.suppress_ragged_eofs = False
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while s.recv(4096):
            pass


def test_stream(secure):
    with Stream(secure.port, "/stream", basic("me", "Ux4-pass"), tls=secure.tls) as stream:
        parts = list(stream.wait_parts(30).parts)
        assert not jpeg_faults([part.body for part in parts])


def test_curl(secure, tmp_path):
    out = tmp_path / "x.jpg"
    words = [
        "--cacert",
        str(secure.cert),
        "-u",
        "me:Ux4-pass",
        "-o",
        str(out),
        f"https://127.0.0.1:{secure.port}/snapshot",
    ]
    subprocess.run(["curl", "-sSf", *words], check=True, timeout=30)
    assert not jpeg_fault(out.read_bytes())


def test_ffmpeg(secure):
    url = f"https://me:Ux4-pass@127.0.0.1:{secure.port}/cameras/cam/stream.mjpeg"
    words = [
        "-tls_verify",
        "1",
        "-ca_file",
        str(secure.cert),
        "-f",
        "mpjpeg",
        "-i",
        url,
        "-frames:v",
        "20",
        "-f",
        "null",
        "-",
    ]
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-xerror", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def certificate_of(camring):
    return ssl.get_server_certificate(("127.0.0.1", camring.port), timeout=10)


def test_a_new_certificate_under_a_live_stream(instance, tmp_path):
    cert, key = make_certificate(tmp_path)
    new_cert, new_key = make_certificate(tmp_path, "new")
    camring = instance(CAMERAS, http={"tls": {"cert": "cert.pem", "key": "cert-key.pem"}})
    camring.tls = trusting(cert)
    camring.run()
    old = certificate_of(camring)
    with Stream(camring.port, "/stream", tls=camring.tls) as stream:
        stream.wait_parts(2)
        key.write_text("nonsense")
        wait_for(lambda: "no key in PEM form" in camring.log(), 20, "a word about the bad key")
        assert "those from before stay" in camring.log() and certificate_of(camring) == old
        replace(cert, new_cert.read_text())
        replace(key, new_key.read_text())
        wait_for(lambda: certificate_of(camring) != old, 20, "the new certificate")
        stream.wait_parts(len(stream.parts) + 10)
    camring.tls = trusting(new_cert)
    assert camring.get("/healthz")[0] == 200


def test_a_server_without_a_good_certificate_waits_for_one(instance, tmp_path):
    """It was good when camring started; a server that is started anew later must neither serve in
    the open nor die."""
    cert, key = make_certificate(tmp_path)
    good = key.read_text()
    camring = instance(CAMERAS, http={"tls": {"cert": "cert.pem", "key": "cert-key.pem"}})
    camring.tls = trusting(cert)
    camring.run()
    replace(key, "nonsense")
    wait_for(lambda: "no key in PEM form" in camring.log(), 20, "a word about the bad key")
    (server,) = camring.children("server")
    server.kill()
    wait_for(lambda: camring.log().count("no key in PEM form") > 1, 20, "a word of the new server")
    with pytest.raises(OSError):
        camring.get("/healthz")
    assert fetch(camring.port, "/healthz")[0] == 400
    replace(key, good)

    def answers():
        with contextlib.suppress(OSError):
            return camring.get("/healthz")[0] == 200

    wait_for(answers, 20, "an answer with the good key")


@pytest.mark.parametrize(
    "cert, key, place, word",
    [
        ("none.pem", "cert-key.pem", "none.pem", "No such file"),
        ("cert.pem", "none.pem", "none.pem", "No such file"),
        ("cert.pem", "other-key.pem", "other-key.pem", "does not belong"),
        ("cert.pem", "rsa-key.pem", "rsa-key.pem", "does not belong"),
        ("cert-key.pem", "cert-key.pem", "cert-key.pem", "no certificate"),
        ("cert.pem", "cert.pem", "cert.pem", "no key"),
        ("cert.pem", "locked-key.pem", "locked-key.pem", "passphrase"),
        ("cert.pem", "empty.pem", "empty.pem", "empty"),
    ],
)
def test_faults(tmp_path, cert, key, place, word):
    make_certificate(tmp_path)
    make_certificate(tmp_path, "other")
    make_certificate(tmp_path, "rsa", algorithm=["rsa:2048"])
    (tmp_path / "empty.pem").write_text("")
    words = [
        "-in",
        str(tmp_path / "cert-key.pem"),
        "-aes128",
        "-passout",
        "pass:x",
        "-out",
        str(tmp_path / "locked-key.pem"),
    ]
    subprocess.run(["openssl", "ec", *words], check=True, capture_output=True)
    path = tmp_path / "c.yaml"
    path.write_text(f"http: {{tls: {{cert: {cert}, key: {key}}}}}\ncameras: {{cam: 'test:'}}\n")
    done = cli("check", "-c", path)
    assert done.returncode == 4
    assert done.stderr.startswith(f"{tmp_path / place}:1:1: ") and word in done.stderr, done.stderr


def test_both_are_needed(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("cameras: {cam: 'test:'}\nhttp:\n  tls: {cert: x.pem}\n")
    done = cli("check", "-c", path)
    assert (
        done.returncode == 4 and done.stderr == f"{path}:3:3: http.tls: needs both cert and key\n"
    )


@pytest.mark.quiet
@pytest.mark.skipif(not network.available(), reason="needs root, to make network namespaces")
def test_slow_viewer(tmp_path):
    """TLS in between changes nothing about how old its pictures are."""
    cert, _ = make_certificate(tmp_path)
    port = free_port()
    with network.Link(rate=RATE) as link:
        http = {"listen": [f"127.0.0.1:{port}", f"{link.address}:{port}"], "allow_open_bind": True}
        http["tls"] = {"cert": "cert.pem", "key": "cert-key.pem"}
        cameras = {"cam": "test:?size=1280x720&fps=30"}
        with running(tmp_path, cameras, port=port, tls=trusting(cert), http=http) as camring:
            camring.wait_live("cam")
            with link.far_end():
                slow = Stream(
                    port,
                    "/cameras/cam/stream.mjpeg?info=1",
                    host=link.address,
                    tls=trusting(cert, check_name=False),
                )
            with slow:
                parts = slow.collect(15)
            check_slow(parts, 1.3, 1.6)
            assert (
                sum(len(part.body) for part in parts) * OVERHEAD / RATE >= 0.7 * 15
            ), "the link was not kept busy"


def test_stopped_viewer_is_cut(tmp_path):
    cert, _ = make_certificate(tmp_path)
    http = {"tls": {"cert": "cert.pem", "key": "cert-key.pem"}, "client_timeout": "2s"}
    with running(
        tmp_path, {"cam": "test:?size=1280x720&fps=30"}, tls=trusting(cert), http=http
    ) as camring:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", camring.port))
        raw.settimeout(20)
        with trusting(cert).wrap_socket(raw, server_hostname="127.0.0.1") as s:
            s.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for(lambda: camring.camera("cam")["viewers"] == 1, 10, "the viewer")
            wait_for(lambda: camring.camera("cam")["viewers"] == 0, 30, "its end")


def test_a_viewer_that_talks_is_cut(secure):
    """What it sends is thrown away, but not without end."""
    with connect(secure) as s:
        headers = "".join(f"{key}: {value}\r\n" for key, value in basic("me", "Ux4-pass").items())
        s.sendall(f"GET /stream HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with pytest.raises(OSError):
            for _ in range(10000):
                s.sendall(b"x" * 1000)
                s.recv(65536)


def test_snapshots_that_are_waited_for(secure):
    login = basic("me", "Ux4-pass")
    stamps = [secure.get("/snapshot?max_age=0", headers=login)[1]["x-timestamp"] for _ in range(5)]
    assert stamps == sorted(set(stamps))
    request = (
        "GET /snapshot?max_age=0 HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {login['Authorization']}\r\n\r\n"
    )
    for _ in range(20):
        with connect(secure) as s:
            s.sendall(request.encode())
    assert secure.get("/snapshot?max_age=0", headers=login)[0] == 200
