"""RTSP cameras over TLS, and whose certificates are accepted."""
import socket
import ssl
import threading

import pytest

from clips import read_number
from multipart import Stream
from product import Source, mount_namespace
from test_tls import make_certificate

SYSTEM_TRUST = "/etc/ssl/certs/ca-certificates.crt"
UNTRUSTED = "its TLS certificate can't be verified"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("rtsps"))


@pytest.fixture(scope="module")
def camera(clips, certificate):
    source = Source("rtsp_camera.py", clips.small_h264(), "--tls", *map(str, certificate))
    yield source
    source.stop()


@pytest.fixture
def trusting(instance, certificate):
    """Makes an instance on a machine that trusts the camera's certificate, and none else."""

    def make(cameras):
        script = f"mount --bind {certificate[0]} {SYSTEM_TRUST} && exec \"$@\""
        return instance(cameras).run(wrapper=[*mount_namespace(), "sh", "-c", script, "sh"])

    return make


def assert_numbered(camring):
    camring.wait_live("cam")
    with Stream(camring.port, "/cameras/cam/stream.mjpeg") as stream:
        stream.wait(
            lambda s: sum(read_number(p.body) is not None for p in s.parts) >= 5,
            30,
            "5 numbered pictures",
        )


def test_unverified(instance, camera):
    source = f"rtsps://127.0.0.1:{camera.port}/cam"
    assert_numbered(instance({"cam": {"source": source, "tls_verify": False}}).run())


def test_a_certificate_that_the_system_trusts(trusting, camera):
    assert_numbered(trusting({"cam": f"rtsps://127.0.0.1:{camera.port}/cam"}))


def test_a_certificate_for_another_host(trusting, camera):
    """127.1 is the same camera, but not in its certificate."""
    camring = trusting({"cam": f"rtsps://127.1:{camera.port}/cam"})
    camring.wait_state("cam", "away")
    assert UNTRUSTED in camring.camera("cam")["why"]


def test_no_password_for_a_camera_that_nobody_vouches_for(instance, certificate):
    """The connection ends in the handshake, before the first request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    heard = []

    def serve(listener):
        while True:
            connection, _ = listener.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as s:
                    heard.append(s.recv(4096))
            except OSError as error:
                heard.append(error)

    # in TLS 1.3 a server is done with the handshake before the client has judged its certificate
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=[listener], daemon=True).start()
        port = listener.getsockname()[1]
        camring = instance({"cam": f"rtsps://me:Ux4-pass@127.0.0.1:{port}/cam"}).run()
        camring.wait_state("cam", "away")
        assert UNTRUSTED in camring.camera("cam")["why"]
        assert "tls_verify: false" in camring.camera("cam")["why"]
    assert heard
    assert not [words for words in heard if isinstance(words, bytes) and words], heard


def test_no_tls_at_all(instance, own_rtsp_camera):
    source = f"rtsps://127.0.0.1:{own_rtsp_camera.port}/cam"
    camring = instance({"cam": {"source": source, "tls_verify": False}}).run()
    camring.wait_state("cam", "away")
    assert "no TLS connection can be made" in camring.camera("cam")["why"]
