"""`camring restart` of a whole instance: one in the foreground goes on as the process that it
is."""
import contextlib
import json
import os
import signal
import time

import pytest

from multipart import Stream
from product import Process, free_port, wait_for
from test_listen import run_with_sockets

CAMERAS = {"door": "test:?size=320x240", "yard": "test:?size=320x240"}


def assert_same_process(camring, before):
    """It serves, with children of its own that are all new."""
    assert camring.exited() is None
    assert camring.supervisor.alive()
    camring.wait_live("door")
    after = {p.pid for p in camring.children()}
    assert after and not after & before
    status = json.loads(camring.cli("status", "--json").stdout)
    assert status["pid"] == camring.supervisor.pid and status["foreground"]


def test_in_the_foreground(instance):
    camring = instance(CAMERAS).run().wait_live(*CAMERAS)
    for _ in range(3):
        before = {p.pid for p in camring.children()}
        done = camring.cli("restart")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"http://127.0.0.1:{camring.port}/" in done.stdout and "2 live" in done.stdout
        assert_same_process(camring, before)
    done = camring.cli("stop")
    assert done.returncode == 0, done
    assert camring.wait_exit() == 0
    camring.assert_nothing_left()


def test_it_takes_the_new_configuration_in_its_own_surroundings(instance):
    """Variables and relative paths mean what they mean to the supervisor."""
    camring = instance({"door": "test:"})
    camring.run(env={**os.environ, "CAMERA_SIZE": "320x240"})
    camring.wait_live("door")
    before = {p.pid for p in camring.children()}
    camring.write_config({"door": "test:?size=${CAMERA_SIZE}", "new": "test:"})
    done = camring.cli("restart")
    assert done.returncode == 0, done
    assert_same_process(camring, before)
    camring.wait_live("new")
    assert camring.camera("door")["width"] == 320


def test_for_programs(instance):
    camring = instance(CAMERAS).run().wait_live(*CAMERAS)
    before = {p.pid for p in camring.children()}
    done = camring.cli("restart", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer["pid"] == camring.supervisor.pid
    assert [camera["state"] for camera in answer["cameras"]] == ["live", "live"]
    assert_same_process(camring, before)

    assert json.loads(camring.cli("restart", "door", "--json").stdout) == {"ok": True}
    done = camring.cli("restart", "nowhere", "--json")
    assert done.returncode == 1 and json.loads(done.stdout) == {"error": "nowhere: no such camera"}


@pytest.mark.parametrize("json_", [False, True])
def test_a_broken_configuration_stops_nothing(instance, json_):
    camring = instance(CAMERAS).run().wait_live(*CAMERAS)
    before = {p.pid for p in camring.children()}
    with Stream(camring.port, "/stream") as stream:
        stream.wait_parts(3)
        camring.config.write_text("cameras:\n  door: gopher://h/\nhttp: {listen: '1.2.3.4'}\n")
        done = camring.cli("restart", *["--json"][:json_])
        assert done.returncode == 4
        for place in (f"{camring.config}:2:9: cameras.door", f"{camring.config}:3:16: http.listen"):
            assert place in done.stderr
        if json_:
            answer = json.loads(done.stdout)
            assert not answer["ok"] and len(answer["faults"]) == 2
        stream.wait_parts(len(stream.parts) + 5)
        assert not stream.ended
    assert {p.pid for p in camring.children()} == before


def test_a_configuration_that_breaks_meanwhile(instance):
    """As at a start: it says why, and ends with 4."""
    camring = instance(CAMERAS).run().wait_live(*CAMERAS)
    os.kill(camring.supervisor.pid, signal.SIGSTOP)
    client = camring.popen("restart")
    time.sleep(0.5)  # until it waits for the answer
    victim = camring.children("capture")[0]
    victim.kill(signal.SIGSTOP)  # lets the stopping take some time
    os.kill(camring.supervisor.pid, signal.SIGCONT)
    wait_for(lambda: "stopping" in camring.log(), 20, "the old one stops")
    camring.config.write_text("cameras:\n  door: gopher://h/\n")
    assert camring.wait_exit() == 4
    assert f"{camring.config}:2:9: cameras.door" in camring.log()
    assert client.wait(20) == 1
    assert "ended before it was up again" in client.communicate()[1]
    camring.assert_nothing_left()


def test_stop_wins_over_restart(instance):
    camring = instance(CAMERAS).run().wait_live(*CAMERAS)
    os.kill(camring.supervisor.pid, signal.SIGSTOP)
    client = camring.popen("restart", "--no-wait")
    time.sleep(0.5)
    camring.children("capture")[0].kill(signal.SIGSTOP)
    os.kill(camring.supervisor.pid, signal.SIGCONT)
    wait_for(lambda: "restarted by request" in camring.log(), 20, "the old one stops")
    os.kill(camring.supervisor.pid, signal.SIGTERM)
    assert camring.wait_exit() == 0
    assert client.wait(20) == 1
    client.communicate()
    camring.assert_nothing_left()


def test_another_configuration_is_refused(instance, tmp_path):
    camring = instance(CAMERAS).run().wait_live(*CAMERAS)
    other = tmp_path / "other.yaml"
    other.write_text("cameras: {a: 'test:'}\n")
    done = camring.cli("restart", "-c", other)
    assert done.returncode == 1 and "runs in the foreground" in done.stderr
    assert camring.cli("restart", "-c", camring.config, "--no-wait").returncode == 0


def test_sockets_of_a_service_manager_are_kept(instance):
    """Nobody is refused meanwhile: who connects waits for the new one, unless the old one was just
    about to answer."""
    port = free_port()
    camring = instance(CAMERAS, port=port, http={"listen": ["127.0.0.1:1"]})
    run_with_sockets(camring, [f"127.0.0.1:{port}"])
    camring.wait_live(*CAMERAS)
    for _ in range(2):
        before = {p.pid for p in camring.children()}
        client = camring.popen("restart")
        while client.poll() is None:
            with contextlib.suppress(ConnectionResetError):  # a refused one is another
                assert camring.get("/healthz")[0] == 200
        assert client.returncode == 0, client.communicate()
        client.communicate()
        assert_same_process(camring, before)


def test_in_the_background_it_is_another_process(instance):
    camring = instance(CAMERAS)
    assert camring.start().returncode == 0
    before = camring.supervisor
    done = camring.cli("restart", "--json")
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["pid"] != before.pid
    assert isinstance(camring.find_supervisor(), Process) and not before.alive()
    camring.write_config({"door": "gopher://h/"})
    done = camring.cli("restart", "--json")
    assert done.returncode == 4 and len(json.loads(done.stdout)["faults"]) == 1
    assert f"{camring.config}:" in done.stderr
    assert camring.supervisor.alive()
