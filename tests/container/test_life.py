"""`docker compose up`, a camera more, a password, and the end."""
import signal
import subprocess
import time

from app import LIMIT, PORT, RELOAD, pids
from multipart import Stream
from product import wait_for


def test_the_test_camera_is_shown(app):
    """By the one command of README, and until Ctrl-C."""
    one = app()
    begin = time.monotonic()
    command = one.in_the_foreground()
    wait_for(lambda: command.poll() is not None or one.exists(), LIMIT, "a container")
    one.await_healthy()
    print(f"healthy after {time.monotonic() - begin:.1f} s")
    assert b'"demo"' in one.get("/api/v1/cameras")
    assert b"<html" in one.get("/")
    assert one.get("/cameras/demo/snapshot.jpg")[:2] == b"\xff\xd8"
    with Stream(PORT, "/cameras/demo/stream.mjpeg") as stream:
        parts = stream.wait_parts(20, LIMIT).parts
    assert len({part.body for part in parts}) > 10
    assert "/healthz says 200" in one.state()["Health"]["Log"][-1]["Output"]
    command.send_signal(signal.SIGINT)
    said = command.communicate(timeout=LIMIT)[0]
    assert "http://0.0.0.0:8080/" in said and one.state()["ExitCode"] == 0


def test_reload(app):
    """A camera of one's own is one line in one file, and a signal."""
    one = app("cameras:\n  door: test:?size=320x240\n").up().await_healthy()
    before = wait_for(lambda: pids(one).get("capture door"), LIMIT, "door")
    one.write("cameras:\n  door: test:?size=320x240\n  yard: test:?size=160x120\n")
    code, out = one.compose(*RELOAD)
    assert code == 0, out
    wait_for(lambda: one.get("/cameras/yard/snapshot.jpg"), LIMIT, "the new camera")
    assert pids(one)["capture door"] == before
    one.write("cameras: [\n")
    assert one.compose(*RELOAD)[0] == 0
    wait_for(lambda: "/etc/camring/camring.yaml:2:" in one.said(), LIMIT, "the fault in the log")
    assert one.get("/cameras/yard/snapshot.jpg")


def test_stop(app, engine):
    one = app().up().await_healthy()
    with Stream(PORT, "/cameras/demo/stream.mjpeg") as stream:
        stream.wait_parts(3, LIMIT)
        begin = time.monotonic()
        code, out = one.compose("stop")
        assert code == 0, out
    print(f"stopped after {time.monotonic() - begin:.1f} s")
    state = one.state()
    assert state["ExitCode"] == 0 and not state["OOMKilled"]
    assert "supervisor: stopped" in one.said()


def test_secret(app, tmp_path):
    """As compose.yaml shows it."""
    (tmp_path / "door.secret").write_text("a/b?c#d\n")
    one = app(
        "http: {tokens_file: /run/secrets/tokens}\n"
        "cameras: {door: 'http://me:${file:/run/secrets/door}@127.0.0.1:1/'}\n",
        {
            "services": {"camring": {"secrets": ["door", "tokens"]}},
            "secrets": {
                "door": {"file": str(tmp_path / "door.secret")},
                "tokens": {"file": str(tmp_path / "tokens.secret")},
            },
        },
    )
    (tmp_path / "tokens.secret").write_text("sesame\n")
    one.up().await_healthy()
    assert one.get("/cameras/door/snapshot.jpg") is None
    everything = (
        one.said()
        + str(one.engine.inspect(one.name()))
        + one.inside(
            "sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' ' '"
        )
    )
    assert "door" in everything
    assert not [word for word in ("a/b", "a%2Fb", "sesame") if word in everything]


def test_a_chain(app):
    """FFmpeg's filters and a font are there."""
    chain = "[{text: {text: HELLO, size: 60}}, {filter: 'eq=contrast=1.1'}]"
    one = app(
        "cameras:\n  plain: test:?size=640x360&static=1\n"
        f"  door: {{source: 'test:?size=640x360&static=1', chain: {chain}}}\n"
    )
    one.up().await_healthy()
    wait_for(lambda: one.get("/cameras/door/snapshot.jpg"), LIMIT, "a picture")
    assert "chain" not in one.said()


def test_https(app, tmp_path):
    """The health check can't read what is encrypted: that camring answers is enough."""
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9"
    subprocess.run(
        [*words.split(), "-subj", "/CN=localhost", "-out", "cert.pem", "-keyout", "key.pem"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    (tmp_path / "key.pem").chmod(0o644)  # the container's user reads it
    one = app("http: {tls: {cert: cert.pem, key: key.pem}}\ncameras: {demo: 'test:'}\n").up()
    one.await_healthy()
    assert "https://0.0.0.0:8080/" in one.said()
