"""`docker compose up`, a camera more, a password, and the end."""
import time

from app import LIMIT, PORT, pids
from multipart import Stream
from product import wait_for


def test_the_test_camera_is_shown(app):
    """What README says, to the word: nothing but `up`."""
    begin = time.monotonic()
    one = app().up()
    one.await_healthy()
    print(f"healthy after {time.monotonic() - begin:.1f} s")
    assert b'"demo"' in one.get("/api/v1/cameras")
    assert b"<html" in one.get("/")
    assert one.get("/cameras/demo/snapshot.jpg")[:2] == b"\xff\xd8"
    with Stream(PORT, "/cameras/demo/stream.mjpeg") as stream:
        parts = stream.wait_parts(20, LIMIT).parts
    assert len({part.body for part in parts}) > 10
    assert '/healthz says 200' in one.state()["Health"]["Log"][-1]["Output"]


def test_reload(app):
    """A camera of one's own is one line in one file, and a signal."""
    one = app("cameras:\n  door: test:?size=320x240\n").up().await_healthy()
    before = wait_for(lambda: pids(one).get("capture door"), LIMIT, "door")
    one.write("cameras:\n  door: test:?size=320x240\n  yard: test:?size=160x120\n")
    code, out = one.compose("kill", "-s", "HUP", "camring")
    assert code == 0, out
    wait_for(lambda: one.get("/cameras/yard/snapshot.jpg"), LIMIT, "the new camera")
    assert pids(one)["capture door"] == before
    one.write("cameras: [\n")
    assert one.compose("kill", "-s", "HUP", "camring")[0] == 0
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
